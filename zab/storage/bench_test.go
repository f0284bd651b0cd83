package storage

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/zab"
)

// BenchmarkAppendSync appends and syncs batches of 100-byte transactions on a
// real disk.
func BenchmarkAppendSync(b *testing.B) {
	for _, n := range []int{1, 16, 256, 2048} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			s, _, err := Open(Config{Dir: b.TempDir(), Logger: quiet})
			require.NoError(b, err)
			defer func() { require.NoError(b, s.Close()) }()
			data := make([]byte, 100)
			last := zab.Position{}
			txns := make([]zab.Txn, n)
			for b.Loop() {
				b.StopTimer()
				for i := range txns {
					z := last.Zxid + 1
					if last.Zxid == 0 {
						z = 0x100000001
					}
					txns[i] = nextTxn(last, z, data)
					last = positionOf(txns[i])
				}
				b.StartTimer()
				if err := s.Append(txns, 0); err != nil {
					b.Fatal(err)
				}
				if err := s.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "txns/s")
		})
	}
}

// BenchmarkRead reads 200,000 transactions of 100 bytes back from disk.
func BenchmarkRead(b *testing.B) {
	s, _, err := Open(Config{Dir: b.TempDir(), WindowBytes: 1, Logger: quiet})
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	last := zab.Position{}
	for range 100 {
		txns := makeTxns(last, 1, 2000, 100)
		last = positionOf(txns[len(txns)-1])
		require.NoError(b, s.Append(txns, 0))
	}
	require.NoError(b, s.Sync())
	for b.Loop() {
		require.Len(b, readAll(b, s, 1<<20), 200_000)
	}
}
