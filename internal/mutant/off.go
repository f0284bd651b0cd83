//go:build !mutants

package mutant

// Built says whether this binary has the mutants in it.
const Built = false

// On reports whether a mutant is switched on. In this build none is.
func On(ID) bool { return false }

// Set switches one mutant on and all others off. This build has none: it returns
// ErrNotBuilt.
func Set(string) error { return ErrNotBuilt }

// Clear switches all mutants off.
func Clear() {}

// All returns the catalogue, which is empty in this build.
func All() []Mutant { return nil }
