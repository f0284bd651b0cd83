package quorum_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must[T any](v T, err ...error) T {
	for _, e := range err {
		if e != nil {
			panic(e)
		}
	}
	return v
}
