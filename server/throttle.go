package server

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// ConnectionThrottle limits how many clients may ask for a session in a time: a
// bucket of tokens, of which each takes some, and, if FreezeTime is set, a
// probability of being sent away at once that rises while the bucket is empty and
// falls while it is not (ZooKeeper's BlueThrottle; spec client-protocol 7.2). Who
// is sent away gets no answer and finds its connection closed. The zero value
// lets everybody in.
type ConnectionThrottle struct {
	// Tokens is the size of the bucket; 0 is no throttle at all.
	Tokens int
	// FillCount tokens come back every FillTime; default 1 every millisecond.
	FillTime  time.Duration
	FillCount int
	// FreezeTime is the least time between two changes of the probability; 0 is
	// never. (zoo.cfg says -1 for that.)
	FreezeTime time.Duration
	// DropIncrease and DropDecrease are the steps of the probability; default 0.02
	// and 0.002.
	DropIncrease, DropDecrease float64
	// DecreaseRatio is the share of the bucket that may be missing for the
	// probability to fall; default 0.
	DecreaseRatio float64
	// Weighted makes a request for a session cost a number of tokens: a new one,
	// one that the client had before, and a new local one; default 3, 2 and 1.
	// Otherwise each costs one.
	Weighted                               bool
	GlobalWeight, RenewWeight, LocalWeight int
}

func (t *ConnectionThrottle) setDefaults() {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&t.FillCount, 1)
	set(&t.GlobalWeight, 3)
	set(&t.RenewWeight, 2)
	set(&t.LocalWeight, 1)
	if t.FillTime == 0 {
		t.FillTime = time.Millisecond
	}
	if t.DropIncrease == 0 {
		t.DropIncrease = 0.02
	}
	if t.DropDecrease == 0 {
		t.DropDecrease = 0.002
	}
}

func (t *ConnectionThrottle) validate(fault func(format string, args ...any)) {
	if t.Tokens < 0 || t.FillCount < 0 || t.FillTime < 0 || t.FreezeTime < 0 {
		fault("server: ConnectionThrottle has a negative number or time: %+v", *t)
	}
	share := func(name string, v float64) {
		if !(v >= 0 && v <= 1) {
			fault("server: ConnectionThrottle.%s is %v; want a number from 0 to 1", name, v)
		}
	}
	share("DropIncrease", t.DropIncrease)
	share("DropDecrease", t.DropDecrease)
	share("DecreaseRatio", t.DecreaseRatio)
	for _, w := range []int{t.GlobalWeight, t.RenewWeight, t.LocalWeight} {
		if w < 0 {
			fault("server: a weight of ConnectionThrottle is %d; want a positive number, or 0 for the default", w)
		}
	}
	if d := *t; t.Weighted && t.Tokens > 0 {
		d.setDefaults()
		if most := max(d.GlobalWeight, d.RenewWeight, d.LocalWeight); most > d.Tokens {
			fault("server: ConnectionThrottle.Tokens is %d, and a session costs up to %d: nobody could connect", d.Tokens, most)
		}
	}
}

// sessionKind is what a client asks for.
type sessionKind uint8

const (
	sessionGlobal sessionKind = iota
	sessionRenewed
	sessionLocal
)

// throttle is a ConnectionThrottle at work.
type throttle struct {
	cfg ConnectionThrottle

	mu      sync.Mutex
	rng     *rand.Rand // from a seed: a server driven by hand repeats itself
	tokens  int
	filled  time.Duration // until then tokens have come back
	drop    float64       // the probability
	changed time.Duration // when it was looked at last
}

func newThrottle(cfg ConnectionThrottle, now time.Duration, seed uint64) *throttle {
	return &throttle{cfg: cfg, rng: rand.New(rand.NewPCG(seed, 0)), tokens: cfg.Tokens, filled: now, changed: now}
}

// admit takes the tokens of one request, or reports that it has to go away.
func (t *throttle) admit(kind sessionKind, now time.Duration) bool {
	if t.cfg.Tokens == 0 {
		return true
	}
	need := 1
	if t.cfg.Weighted {
		need = [...]int{sessionGlobal: t.cfg.GlobalWeight, sessionRenewed: t.cfg.RenewWeight, sessionLocal: t.cfg.LocalWeight}[kind]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fill(now)
	t.adjust(now)
	if t.drop > 0 && t.rng.Float64() < t.drop || t.tokens < need {
		return false
	}
	t.tokens -= need
	return true
}

// fill puts back the tokens of the time that has passed, in whole steps.
func (t *throttle) fill(now time.Duration) {
	steps := int64((now - t.filled) / t.cfg.FillTime)
	if steps <= 0 {
		return
	}
	t.filled += time.Duration(steps) * t.cfg.FillTime
	missing := int64(t.cfg.Tokens - t.tokens)
	if steps > missing/int64(t.cfg.FillCount) { // also where the product overflows
		t.tokens = t.cfg.Tokens
		return
	}
	t.tokens += int(steps) * t.cfg.FillCount
}

// adjust moves the probability, at most once in FreezeTime.
func (t *throttle) adjust(now time.Duration) {
	if t.cfg.FreezeTime == 0 || now-t.changed <= t.cfg.FreezeTime {
		return
	}
	t.changed = now
	missing := t.cfg.Tokens - t.tokens
	switch {
	case t.tokens == 0:
		t.drop = math.Min(t.drop+t.cfg.DropIncrease, 1)
	case float64(missing) <= float64(t.cfg.Tokens)*t.cfg.DecreaseRatio:
		t.drop = math.Max(t.drop-t.cfg.DropDecrease, 0)
	}
}

// state returns the probability of being sent away and the tokens that are
// missing.
func (t *throttle) state() (drop float64, deficit int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drop, t.cfg.Tokens - t.tokens
}

// admit decides whether a client may have a session now.
func (s *Server) admit(session int64) bool {
	if s.cfg.ConnectionThrottle.Tokens > 0 {
		_, deficit := s.throttle.state()
		s.metrics.TokenDeficit.Observe(int64(deficit))
	}
	if s.throttle.admit(s.kindOf(session), s.now()) {
		return true
	}
	s.metrics.ConnectionsRejected.Inc()
	return false
}

// kindOf says what a client asks for when it presents this session.
func (s *Server) kindOf(session int64) sessionKind {
	switch {
	case session != 0:
		return sessionRenewed
	case s.cfg.LocalSessions || s.readOnly.Load():
		return sessionLocal
	}
	return sessionGlobal
}

// admitLarge makes room for a request of n bytes that is coming in, if it counts
// as a large one. It returns an error when the large ones of all clients together
// would be too many bytes: then the client has to come again later.
func (c *Conn) admitLarge(n int) error {
	s := c.s
	if !s.large(n) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.coming > 0 || c.phase >= phaseClosing {
		return nil
	}
	if total := s.largeBytes.Add(int64(n)); total > int64(s.cfg.LargeRequestMaxBytes) {
		s.largeBytes.Add(int64(-n))
		s.metrics.LargeRejected.Inc()
		return fmt.Errorf("a request of %d bytes is one too many: large requests may have %d bytes together (largeRequestMaxBytes)",
			n, s.cfg.LargeRequestMaxBytes)
	}
	c.coming = n
	return nil
}

// large reports whether a request of n bytes counts as a large one.
func (s *Server) large(n int) bool {
	return s.cfg.LargeRequestThreshold > 0 && n > s.cfg.LargeRequestThreshold
}
