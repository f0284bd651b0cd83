package metric

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Shape of the histogram: values below groupSlots have a slot each, and every
// power of two above is a group of groupSlots equal steps.
const (
	groupSlots = 16
	groupBits  = 4
	valueBits  = 42 // larger values count as the largest: 50 days in microseconds
	groupsMax  = valueBits - groupBits + 1
)

// group is a part of the histogram, made when the first value falls into it.
type group [groupSlots]atomic.Int64

// Summary tells how a measured value is distributed. Make one with Table.
type Summary struct {
	unit   int64 // recorded steps in one unit shown: 1000 for times, else 1
	sum    atomic.Int64
	low    atomic.Int64 // math.MaxInt64 before the first
	high   atomic.Int64
	groups [groupsMax]atomic.Pointer[group]

	mu   sync.Mutex
	last mark // for the quantiles of the last minutes
	prev mark
}

// newSummary returns a summary of values of which unit make one shown.
func newSummary(unit int64) *Summary {
	s := &Summary{unit: unit}
	s.low.Store(math.MaxInt64)
	return s
}

// Observe records a number: a size or a count.
func (s *Summary) Observe(v int64) {
	v = min(max(v, 0), 1<<valueBits-1)
	g, slot := place(v)
	at := s.groups[g].Load()
	if at == nil {
		s.groups[g].CompareAndSwap(nil, new(group))
		at = s.groups[g].Load()
	}
	at[slot].Add(1)
	s.sum.Add(v)
	for old := s.low.Load(); v < old && !s.low.CompareAndSwap(old, v); old = s.low.Load() {
	}
	for old := s.high.Load(); v > old && !s.high.CompareAndSwap(old, v); old = s.high.Load() {
	}
}

// Took records a duration, in a summary of times.
func (s *Summary) Took(d time.Duration) { s.Observe(int64(d / time.Microsecond)) }

// place returns where a value is counted.
func place(v int64) (g, slot int) {
	if v < groupSlots {
		return 0, int(v)
	}
	e := bits.Len64(uint64(v)) - 1 - groupBits
	return e + 1, int(v>>e) & (groupSlots - 1)
}

// middle returns the value that stands for all that are counted at a place.
func middle(g, slot int) float64 {
	if g == 0 {
		return float64(slot)
	}
	width := int64(1) << (g - 1)
	return float64((groupSlots+int64(slot))*width) + float64(width-1)/2
}

// counts is a copy of a histogram: group after group, nil where nothing is.
type counts [groupsMax]*[groupSlots]int64

func (s *Summary) counts() (c counts, n int64) {
	for g := range s.groups {
		at := s.groups[g].Load()
		if at == nil {
			continue
		}
		c[g] = new([groupSlots]int64)
		for slot := range at {
			c[g][slot] = at[slot].Load()
			n += c[g][slot]
		}
	}
	return c, n
}

// since returns what has been counted after old.
func (c counts) since(old *counts) (d counts, n int64) {
	for g := range c {
		if c[g] == nil {
			continue
		}
		d[g] = new([groupSlots]int64)
		for slot, v := range c[g] {
			if old[g] != nil {
				v -= old[g][slot]
			}
			d[g][slot] = max(v, 0)
			n += d[g][slot]
		}
	}
	return d, n
}

// quantile returns the value below or at which the share q of n values lies.
func (c counts) quantile(q float64, n int64) float64 {
	if n == 0 {
		return math.NaN()
	}
	rank := max(int64(math.Ceil(q*float64(n))), 1)
	for g := range c {
		if c[g] == nil {
			continue
		}
		for slot, v := range c[g] {
			if rank -= v; rank <= 0 {
				return middle(g, slot)
			}
		}
	}
	return math.NaN()
}

// windowLength is how far back the quantiles of the last minutes look: from one
// to two of it, when somebody asks often enough.
const windowLength = 5 * time.Minute

// mark is how far the histogram was at some time.
type mark struct {
	at     time.Duration
	counts counts
}

// View is a summary at one moment. Values are in the unit shown.
type View struct {
	Count          int64
	Sum, Low, High float64 // 0 before the first value
	all, recent    counts
	recents        int64
	unit           float64
}

// view returns the summary as it is at a time, which must not go back.
func (s *Summary) view(now time.Duration) View {
	v := View{unit: float64(s.unit)}
	v.all, v.Count = s.counts()
	s.mu.Lock()
	if now-s.last.at >= windowLength {
		s.prev, s.last = s.last, mark{now, v.all}
	}
	v.recent, v.recents = v.all.since(&s.prev.counts)
	s.mu.Unlock()
	if v.Count > 0 {
		v.Sum = float64(s.sum.Load()) / v.unit
		v.High = float64(s.high.Load()) / v.unit
		if low := s.low.Load(); low != math.MaxInt64 {
			v.Low = float64(low) / v.unit
		}
	}
	return v
}

// Quantile returns the value below which the share q lies of all that were
// recorded since the start or the last Reset; 0 if there are none.
func (v View) Quantile(q float64) float64 {
	if v.Count == 0 {
		return 0
	}
	return v.bound(v.all.quantile(q, v.Count))
}

// Recent is Quantile for what was recorded in the last minutes, between 5 and 10
// if it is asked often; NaN if nothing was.
func (v View) Recent(q float64) float64 { return v.bound(v.recent.quantile(q, v.recents)) }

// bound keeps the rounding of the histogram from leaving what was ever seen.
func (v View) bound(x float64) float64 { return min(max(x/v.unit, v.Low), v.High) }

// Average returns the mean; 0 if there is nothing.
func (v View) Average() float64 {
	if v.Count == 0 {
		return 0
	}
	return v.Sum / float64(v.Count)
}

// totals returns the number of values, and their sum, least and largest, as they
// were recorded.
func (s *Summary) totals() (n, sum, low, high int64) {
	for g := range s.groups {
		if at := s.groups[g].Load(); at != nil {
			for slot := range at {
				n += at[slot].Load()
			}
		}
	}
	return n, s.sum.Load(), s.low.Load(), s.high.Load()
}

// Latency returns the number of requests answered, and how long they took in
// all, at least and at most: of reads and writes together.
func (t *Table) Latency() (n int64, sum, low, high time.Duration) {
	n1, sum1, low1, high1 := t.ReadLatency.totals()
	n2, sum2, low2, high2 := t.UpdateLatency.totals()
	return n1 + n2, time.Duration(sum1+sum2) * time.Microsecond,
		time.Duration(min(low1, low2)) * time.Microsecond, time.Duration(max(high1, high2)) * time.Microsecond
}

// reset forgets everything. What is being recorded meanwhile may be lost in part.
func (s *Summary) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for g := range s.groups {
		s.groups[g].Store(nil)
	}
	s.sum.Store(0)
	s.high.Store(0)
	s.low.Store(math.MaxInt64)
	s.prev, s.last = mark{at: s.last.at}, mark{at: s.last.at}
}
