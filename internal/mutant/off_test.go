//go:build !mutants

package mutant_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/internal/mutant"
)

func TestOff_NothingCanBeSwitchedOn(t *testing.T) {
	t.Setenv(environmentMark, "M07")
	assert.False(t, mutant.Built)
	assert.ErrorIs(t, mutant.Set("M07"), mutant.ErrNotBuilt)
	for id := mutant.M01; id <= mutant.M42; id++ {
		assert.False(t, mutant.On(id))
	}
	assert.Empty(t, mutant.All())
	mutant.Clear()
}
