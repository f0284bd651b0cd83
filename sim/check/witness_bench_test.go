package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/check"
)

// BenchmarkWitness checks a history of some 20,000 requests again and again.
func BenchmarkWitness(b *testing.B) {
	w := newTown(1)
	for _, c := range w.clients {
		c.restart = false
	}
	h := w.run(500_000)
	require.Empty(b, check.Witness(h).Violations)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		check.Witness(h)
	}
	perOp := float64(b.Elapsed()) / float64(b.N) / float64(len(h.Ops)+len(h.Events))
	b.ReportMetric(perOp, "ns/request")
	b.ReportMetric(1e9/perOp, "requests/s")
	b.Logf("%d requests, %d events, %d transactions, %d connections", len(h.Ops), len(h.Events), len(h.Txns), len(h.Conns))
}
