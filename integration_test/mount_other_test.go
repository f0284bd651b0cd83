//go:build !linux

package integration_test

import "testing"

func mountSmall(t *testing.T, _ string, _ int) {
	t.Helper()
	t.Skip("skipped: a small tmpfs needs Linux")
}
