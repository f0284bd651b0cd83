package mutant

import "errors"

// ErrNotBuilt is what Set returns in a binary without mutants.
var ErrNotBuilt = errors.New("this binary has no mutants in it: build it with -tags mutants")

// ID names a mutant. The numbers are those of the catalogue that [All] returns,
// and are never used again for another mistake.
type ID uint8

// The mutants. What each does stands in the catalogue, in catalogue.go.
const (
	none ID = iota
	M01
	M02
	M03
	M04
	M05
	M06
	M07
	M08
	M09
	M10
	M11
	M12
	M13
	M14
	M15
	M16
	M17
	M18
	M19
	M20
	M21
	M22
	M23
	M24
	M25
	M26
	M27
	M28
	M29
	M30
	M31
	M32
	M33
	M34
	M35
	M36
	M37
	M38
	M39
	M40
	M41
	M42
	end
)

// Mutant describes one mistake.
type Mutant struct {
	ID ID
	// Does says what a server with this mutant does wrong.
	Does string
	// Cousin names a bug of this kind that somebody had: a JIRA id, or a project
	// and its issue. Empty if none is known.
	Cousin string
	// Alarms are the invariants that this mistake breaks, the likeliest first. Who
	// notices it must name one of them: another one is luck, or a false alarm.
	Alarms []string
	// Where are the files that have it, from the root of the repository.
	Where []string
	// Absent says why nothing has it; empty if Where is not.
	Absent string
	// Real says that only real processes have it: a simulation does not run
	// that code.
	Real bool
}
