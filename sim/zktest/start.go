package zktest

import (
	"log/slog"
	"testing"
)

// Start starts an ensemble of so many participants for a test, or ends the test. All
// servers serve when it returns, and are closed when the test ends.
func Start(tb testing.TB, servers int) *Ensemble {
	tb.Helper()
	if servers < 1 {
		tb.Fatalf("zktest: Start(%d): an ensemble has at least one server", servers)
	}
	return StartConfig(tb, Config{Servers: servers})
}

// StartConfig is Start with a Config.
func StartConfig(tb testing.TB, cfg Config) *Ensemble {
	tb.Helper()
	if cfg.Logger == nil {
		cfg.Logger = logger(tb)
	}
	e, err := New(cfg)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	e.fatal = func(err error) {
		tb.Helper()
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Errorf("%v", err)
		}
	})
	return e
}

// logger writes into the log of a test. A benchmark's is always shown, so nothing
// goes there.
func logger(tb testing.TB) *slog.Logger {
	if _, ok := tb.(*testing.B); ok {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}
