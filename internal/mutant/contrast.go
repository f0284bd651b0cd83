//go:build mutants

package mutant

// Contrast is a test of a mutant: it lets observe look at the same scene twice,
// with all mutants off and with this one on, and returns what it saw. All are off
// afterwards. It panics if nothing has the mutant.
func Contrast[T any](id ID, observe func() T) (without, with T) {
	Clear()
	defer Clear()
	without = observe()
	if err := Set(id.String()); err != nil {
		panic(err)
	}
	return without, observe()
}
