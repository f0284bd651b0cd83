//go:build mutants

package transport

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/internal/mutant"
)

// M40: a frame that the network has changed is taken for what was sent.
func TestMutant_ReadsDamagedFrames(t *testing.T) {
	without, with := mutant.Contrast(mutant.M40, func() string {
		frame := appendFrame(nil, []byte("vote"))
		frame[len(frame)-4] = 'n'
		payload, _ := reader(bytes.NewReader(frame), 100).read()
		return string(payload)
	})
	assert.Empty(t, without)
	assert.Equal(t, "note", with)
}
