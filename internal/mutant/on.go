//go:build mutants

package mutant

import (
	"fmt"
	"os"
	"sync/atomic"
)

// Built says whether this binary has the mutants in it.
const Built = true

// environment is the variable that switches a mutant on when a process starts.
const environment = "QUORATE_MUTANT"

// current is the mutant that is on. It is read at every place that has one, from
// many goroutines.
var current atomic.Uint32

func init() {
	name := os.Getenv(environment)
	if name == "" {
		return
	}
	if err := Set(name); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", environment, err)
		os.Exit(2)
	}
	fmt.Fprintf(os.Stderr, "%s=%s: this process is wrong on purpose: %s\n", environment, name, catalogue[current.Load()-1].Does)
}

// On reports whether a mutant is switched on.
func On(id ID) bool { return ID(current.Load()) == id }

// Set switches one mutant on by its name, such as M07, and all others off. It
// refuses a name that is not in the catalogue, and a mutant that nothing has.
func Set(name string) error {
	for _, m := range catalogue {
		switch {
		case m.ID.String() != name:
		case m.Absent != "":
			return fmt.Errorf("mutant %s does not exist: %s", name, m.Absent)
		default:
			current.Store(uint32(m.ID))
			return nil
		}
	}
	return fmt.Errorf("there is no mutant %q: want one of %v to %v", name, none+1, end-1)
}

// Clear switches all mutants off.
func Clear() { current.Store(uint32(none)) }

// All returns the catalogue, ascending. The caller may change what it gets.
func All() []Mutant { return append([]Mutant(nil), catalogue...) }

// String prints the id as Set takes it: M07.
func (id ID) String() string { return fmt.Sprintf("M%02d", uint8(id)) }
