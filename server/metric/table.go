package metric

import (
	"math"
	"time"
)

// Kind is what sort of metric a Reading is.
type Kind uint8

// The kinds of metrics.
const (
	// Gauge is a state: a number that goes up and down.
	Gauge Kind = iota
	// Count is a number of events; it only grows, but for a Reset.
	Count
	// Basic is a summary without quantiles, Advanced one with.
	Basic
	Advanced
)

// Reading is the value of one metric at one moment.
type Reading struct {
	Name string // ZooKeeper's, without zk_
	Key  string // of a member of a set; empty otherwise
	Help string // a sentence; empty for what a source tells
	Kind Kind

	Value   any  // of a Gauge int64 or float64, of a Count int64
	Summary View // of Basic and Advanced
}

// entry is a line of the table: it gathers one metric, or all keys of a set.
type entry struct {
	gather func(now time.Duration, visit func(Reading))
	reset  func()
}

// Source tells gauges when somebody asks: it calls put for each, with an int64 or
// a float64. The key is that of a member of a set, else "".
type Source func(put func(name, key string, value any))

// Source adds one. It must be added before anybody gathers, and is called by any
// goroutine.
func (t *Table) Source(s Source) { t.sources = append(t.sources, s) }

// Gather returns all metrics as they are: first what the sources tell, then
// counters, basic summaries, advanced ones and sets, in the order of the table. now
// is a time that does not go back, by which Recent quantiles are kept.
func (t *Table) Gather(now time.Duration) []Reading {
	var list []Reading
	visit := func(r Reading) { list = append(list, r) }
	for _, source := range t.sources {
		source(func(name, key string, value any) { visit(Reading{Name: name, Key: key, Kind: Gauge, Value: value}) })
	}
	for _, list := range [][]entry{t.counters, t.basics, t.advanced, t.sets} {
		for _, e := range list {
			e.gather(now, visit)
		}
	}
	return list
}

// Reset sets counters and summaries back to nothing, as srst does. Gauges are
// states and stay.
func (t *Table) Reset() {
	for _, list := range [][]entry{t.counters, t.basics, t.advanced, t.sets} {
		for _, e := range list {
			e.reset()
		}
	}
}

// Lines visits the lines that mntr and monitor make of a reading: of a gauge or
// counter one, of a summary avg_, min_, max_, cnt_ and sum_ with its name, and
// for an advanced one p50_, p95_, p99_ and p999_. The member of a set has its key
// before its name. Values are int64 or float64.
func (r Reading) Lines(visit func(name string, value any)) {
	name := r.Name
	if r.Key != "" {
		name = r.Key + "_" + name
	}
	if r.Kind != Basic && r.Kind != Advanced {
		visit(name, r.Value)
		return
	}
	s := r.Summary
	visit("avg_"+name, math.Round(s.Average()*1e4)/1e4)
	visit("min_"+name, whole(s.Low))
	visit("max_"+name, whole(s.High))
	visit("cnt_"+name, s.Count)
	visit("sum_"+name, whole(s.Sum))
	if r.Kind == Advanced {
		visit("p50_"+name, whole(s.Quantile(.5)))
		visit("p95_"+name, whole(s.Quantile(.95)))
		visit("p99_"+name, whole(s.Quantile(.99)))
		visit("p999_"+name, whole(s.Quantile(.999)))
	}
}

func whole(v float64) int64 { return int64(math.Round(v)) }

func (t *Table) counter(name, help string) *Counter {
	c := &Counter{}
	t.counters = append(t.counters, entry{
		gather: func(_ time.Duration, visit func(Reading)) {
			visit(Reading{Name: name, Help: help, Kind: Count, Value: c.Value()})
		},
		reset: func() { c.n.Store(0) },
	})
	return c
}

// opTotal adds the sum of the counters of all operations.
func (t *Table) opTotal() {
	t.counters = append(t.counters, entry{
		gather: func(_ time.Duration, visit func(Reading)) {
			total := int64(0)
			for _, c := range t.Ops {
				total += c.Value()
			}
			visit(Reading{Name: "op_count_total", Help: "Requests answered.", Kind: Count, Value: total})
		},
		reset: func() {},
	})
}

// constant adds a counter that is 0 for as long as the server runs.
func (t *Table) constant(name, help string) { t.counter(name, help) }

// Units of summaries.
const (
	numbers = 1    // of things or bytes
	times   = 1000 // shown in milliseconds, recorded in microseconds
)

func (t *Table) summary(kind Kind, unit int64, name, help string) *Summary {
	s := newSummary(unit)
	list := &t.basics
	if kind == Advanced {
		list = &t.advanced
	}
	*list = append(*list, entry{
		gather: func(now time.Duration, visit func(Reading)) {
			visit(Reading{Name: name, Help: help, Kind: kind, Summary: s.view(now)})
		},
		reset: s.reset,
	})
	return s
}

func (t *Table) summarySet(kind Kind, unit int64, name, help string) *Set[Summary] {
	set := &Set[Summary]{fresh: func() *Summary { return newSummary(unit) }}
	t.sets = append(t.sets, entry{
		gather: func(now time.Duration, visit func(Reading)) {
			set.each(func(key string, s *Summary) {
				visit(Reading{Name: name, Key: key, Help: help, Kind: kind, Summary: s.view(now)})
			})
		},
		reset: func() { set.each(func(_ string, s *Summary) { s.reset() }) },
	})
	return set
}

func (t *Table) counterSet(name, help string) *Set[Counter] {
	set := &Set[Counter]{fresh: func() *Counter { return &Counter{} }}
	t.sets = append(t.sets, entry{
		gather: func(_ time.Duration, visit func(Reading)) {
			set.each(func(key string, c *Counter) {
				visit(Reading{Name: name, Key: key, Help: help, Kind: Count, Value: c.Value()})
			})
		},
		reset: func() { set.each(func(_ string, c *Counter) { c.n.Store(0) }) },
	})
	return set
}
