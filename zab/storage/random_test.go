package storage

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// TestRandom_LivesWithCrashes does random things to store and model, with crashes
// and kills in between, and compares.
func TestRandom_LivesWithCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := NewMemFS()
		cfg := testConfig(fs)
		cfg.TrustUnfinished = rapid.Bool().Draw(t, "trust unfinished")
		s, rec, err := Open(cfg)
		require.NoError(t, err)
		m := newModel(rec)
		reopen := func(after *MemFS) {
			fs = after
			cfg.FS = fs
			s, rec, err = Open(cfg)
			require.NoError(t, err, "a legal crash never leaves what Open refuses")
			if rec.Cut != nil && rec.Cut.Unfinished && cfg.TrustUnfinished {
				rec.Cut = nil
			}
			m.check(t, s, rec)
		}
		index := func(name string, low int) int { return rapid.IntRange(low, len(m.txns)).Draw(t, name) }
		low := func() int { return max(0, m.index(m.snapshot()), m.index(s.Shape().Base)) }
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				epoch := m.last().Zxid.Epoch() + ensemble.Epoch(rapid.IntRange(0, 4).Draw(t, "epoch")/4)
				txns := makeTxns(m.last(), max(1, epoch), rapid.IntRange(1, 12).Draw(t, "n"), rapid.IntRange(0, 700).Draw(t, "size"))
				require.NoError(t, m.append(s, txns))
			},
			"sync":     func(t *rapid.T) { require.NoError(t, m.sync(s)) },
			"truncate": func(t *rapid.T) { require.NoError(t, m.truncate(s, index("to", low()))) },
			"commit":   func(t *rapid.T) { require.NoError(t, m.commit(s, index("at", low()))) },
			"purge": func(t *rapid.T) {
				base, err := s.Purge()
				require.NoError(t, err)
				require.Equal(t, s.Shape().Base, base)
			},
			"install": func(t *rapid.T) {
				at := m.at(index("at", 0))
				if rapid.Bool().Draw(t, "foreign") {
					at = zab.Position{Zxid: ensemble.NewZxid(m.last().Zxid.Epoch()+1, 5), Chain: rapid.Uint64().Draw(t, "chain")}
				}
				require.NoError(t, m.install(s, at))
			},
			"epochs": func(t *rapid.T) {
				e := s.Epochs()
				e.Current = max(e.Current, ensemble.Epoch(rapid.IntRange(0, 9).Draw(t, "current")))
				e.Accepted = max(e.Accepted, e.Current)
				e.Unsure = rapid.Bool().Draw(t, "unsure")
				require.NoError(t, m.saveEpochs(s, e))
			},
			"crash": func(t *rapid.T) {
				reopen(fs.Crash(random(rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))))))
			},
			"torn crash": func(t *rapid.T) {
				reopen(fs.CrashTorn(random(rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))))))
			},
			"restart": func(t *rapid.T) {
				require.NoError(t, s.Close())
				reopen(fs)
			},
			"": func(t *rapid.T) {
				from := m.index(s.Shape().Base)
				require.GreaterOrEqual(t, from, 0)
				got := readAll(t, s, rapid.SampledFrom([]int{0, 500, 3000}).Draw(t, "bytes"))
				require.Equal(t, len(m.txns)-from, len(got))
				for i, txn := range got {
					if want := m.txns[from+i]; positionOf(txn) != positionOf(want) || string(txn.Data) != string(want.Data) {
						require.Equal(t, want, txn)
					}
				}
			},
		})
		require.NoError(t, s.Close())
	})
}
