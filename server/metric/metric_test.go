package metric_test

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/metric"
)

// lines gathers a table as mntr shows it.
func lines(t *metric.Table) map[string]any {
	m := map[string]any{}
	for _, r := range t.Gather(0) {
		r.Lines(func(name string, value any) { m[name] = value })
	}
	return m
}

func view(t *testing.T, table *metric.Table, now time.Duration, name string) metric.View {
	t.Helper()
	for _, r := range table.Gather(now) {
		if r.Name == name {
			return r.Summary
		}
	}
	require.Fail(t, "no such metric", name)
	return metric.View{}
}

func TestSummary_ShowsMillisecondsOfWhatTookMicroseconds(t *testing.T) {
	table := metric.New()
	for _, d := range []time.Duration{400 * time.Microsecond, 2 * time.Millisecond, 3600 * time.Microsecond} {
		table.UpdateLatency.Took(d)
	}
	got := lines(table)
	assert.Equal(t, 2.0, got["avg_updatelatency"])
	assert.Equal(t, int64(0), got["min_updatelatency"])
	assert.Equal(t, int64(4), got["max_updatelatency"])
	assert.Equal(t, int64(3), got["cnt_updatelatency"])
	assert.Equal(t, int64(6), got["sum_updatelatency"])
	assert.Equal(t, int64(2), got["p50_updatelatency"])
	assert.Equal(t, int64(4), got["p999_updatelatency"])
	assert.NotContains(t, got, "p50_fsynctime", "a basic summary has no quantiles")
	v := view(t, table, 0, "updatelatency")
	assert.InDelta(t, 6.0, v.Sum, 1e-9)
	assert.InDelta(t, 0.4, v.Low, 1e-9)
}

func TestSummary_EmptyIsZero(t *testing.T) {
	for name, value := range lines(metric.New()) {
		if f, ok := value.(float64); ok {
			assert.Zero(t, f, name)
		} else {
			assert.Zero(t, value, name)
		}
	}
	assert.True(t, math.IsNaN(view(t, metric.New(), 0, "readlatency").Recent(.5)), "nothing is not 0 ms")
}

// A quantile is at most 3.2 % off the one of the sorted values.
func TestSummary_QuantilesAgainstSorting(t *testing.T) {
	for seed := range int64(20) {
		r := rand.New(rand.NewSource(seed))
		table := metric.New()
		var all []float64
		for range 1 + r.Intn(3000) {
			v := int64(math.Exp(r.Float64() * 20))
			table.BatchSize.Observe(v)
			all = append(all, float64(v))
		}
		slices.Sort(all)
		v := view(t, table, 0, "sync_processor_batch_size")
		require.Equal(t, all[0], v.Low)
		require.Equal(t, all[len(all)-1], v.High)
		for _, q := range []float64{.001, .25, .5, .9, .99, .999, 1} {
			want := all[max(int(math.Ceil(q*float64(len(all)))), 1)-1]
			require.InEpsilon(t, want, v.Quantile(q), .032, "seed %d quantile %v of %d", seed, q, len(all))
		}
	}
}

func TestSummary_ExtremesAreCounted(t *testing.T) {
	table := metric.New()
	table.BatchSize.Observe(-5)
	table.BatchSize.Observe(math.MaxInt64)
	v := view(t, table, 0, "sync_processor_batch_size")
	assert.EqualValues(t, 2, v.Count)
	assert.Zero(t, v.Low)
	assert.InEpsilon(t, float64(int64(1)<<42), v.Quantile(1), .032)
}

// Quantiles for Prometheus forget what is older than ten minutes, those of mntr do
// not.
func TestSummary_RecentForgets(t *testing.T) {
	table := metric.New()
	for range 1000 {
		table.ReadLatency.Took(time.Second)
	}
	recent := func(now time.Duration) float64 { return view(t, table, now, "readlatency").Recent(.5) }
	assert.InEpsilon(t, 1000, recent(time.Minute), .04)
	assert.InEpsilon(t, 1000, recent(6*time.Minute), .04)
	table.ReadLatency.Took(time.Millisecond)
	assert.InEpsilon(t, 1.0, recent(12*time.Minute), .04)
	assert.InEpsilon(t, 1000, view(t, table, 12*time.Minute, "readlatency").Quantile(.5), .04)
	assert.True(t, math.IsNaN(recent(18*time.Minute)))
}

func TestTable_ResetForgetsAllButGauges(t *testing.T) {
	table := metric.New()
	table.Source(func(put func(string, string, any)) { put("znode_count", "", int64(7)) })
	table.Proposals.Add(3)
	table.Ops[metric.OpPing].Inc()
	table.FsyncTime.Took(time.Second)
	table.AckLatency.Get("2").Took(time.Second)
	before := lines(table)
	require.Equal(t, []any{int64(3), int64(1), int64(1), int64(1000), int64(1)}, []any{before["proposal_count"], before["op_count_ping"],
		before["op_count_total"], before["max_fsynctime"], before["cnt_2_ack_latency"]})
	table.Reset()
	for name, value := range lines(table) {
		if name != "znode_count" {
			assert.EqualValues(t, 0, value, name)
		}
	}
	assert.Equal(t, int64(7), lines(table)["znode_count"])
}

func TestSet_IsBounded(t *testing.T) {
	table := metric.New()
	for i := range 1500 {
		table.ReadBytes.Get(fmt.Sprintf("ns%04d", i)).Observe(1)
	}
	keys, total := 0, int64(0)
	for _, r := range table.Gather(0) {
		if r.Name == "read_per_namespace" {
			keys++
			total += r.Summary.Count
			if r.Key == "(other)" {
				assert.EqualValues(t, 500, r.Summary.Count)
			}
		}
	}
	assert.Equal(t, 1001, keys)
	assert.EqualValues(t, 1500, total, "nothing is lost")
}

func TestTable_NamesAreDistinctAndHelpful(t *testing.T) {
	table := metric.New()
	table.AckLatency.Get("1")
	table.ReadBytes.Get("a")
	table.WrittenBytes.Get("a")
	seen := map[string]bool{}
	for _, r := range table.Gather(0) {
		assert.False(t, seen[r.Name], r.Name)
		seen[r.Name] = true
		assert.True(t, strings.HasSuffix(r.Help, "."), r.Name)
	}
}

func TestTable_ManyAtATime(t *testing.T) {
	table := metric.New()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 1000 {
				table.ReadLatency.Took(time.Duration(n) * time.Microsecond)
				table.ReadBytes.Get(fmt.Sprint(n % 3)).Observe(int64(i))
				if n%300 == 0 {
					table.Gather(time.Duration(n) * time.Minute)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 8000, view(t, table, 0, "readlatency").Count)
}

func BenchmarkSummary_Took(b *testing.B) {
	s := metric.New().ReadLatency
	b.RunParallel(func(pb *testing.PB) {
		for d := time.Duration(0); pb.Next(); d += 7 * time.Microsecond {
			s.Took(d & 0xfffff)
		}
	})
}

func BenchmarkSet_Get(b *testing.B) {
	s := metric.New().ReadBytes
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Get("namespace").Observe(100)
		}
	})
}
