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

// TB is what Show needs of a testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Show plays a scene without a mutant and with it. The scene says whether who, for
// example a store, does what the mutant makes it do: that must be so with the
// mutant, and only then.
func Show(t TB, id ID, who, does string, scene func() bool) {
	t.Helper()
	without, with := Contrast(id, scene)
	if without {
		t.Errorf("without %v, too, a %s %s", id, who, does)
	}
	if !with {
		t.Errorf("with %v no %s %s", id, who, does)
	}
}
