// Package mutant breaks Quorate on purpose, one small mistake at a time, so that
// the checkers of the simulator and of the torture tests can show that they
// notice. A checker that has never caught anything is no evidence.
//
// A mutant is one to five lines where somebody could have made that mistake:
//
//	l.answer = ensemble.NoEpoch
//	if mutant.On(mutant.M14) {
//		l.answer = l.journal.claim()
//	}
//
// In the ordinary build [On] is false for every mutant and the compiler drops the
// branch: nothing of it is in the binary, and nothing costs time. Built with
//
//	go build -tags mutants ./cmd/quorate
//
// one mutant at a time can be switched on: by [Set], for the whole process, or by
// the environment variable QUORATE_MUTANT for a process that is started with it.
// Set it before anything runs: a mutant that comes and goes under a server at work
// is a fault of nobody's.
//
// [All] is the list of them, with what each does and where, and which of the list
// of known mistakes is missing, and why.
package mutant
