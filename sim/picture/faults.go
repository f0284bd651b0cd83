package picture

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/sim/check"
)

// The signs that faults get. page/signs.js draws them.
const (
	signCrash   = "crash"
	signBoot    = "boot" // a restart
	signWipe    = "wipe"
	signDisk    = "disk"
	signHalt    = "halt"
	signCut     = "cut"
	signPause   = "pause"
	signClock   = "clock"
	signHealed  = "healed"
	signAnother = "fault"
)

var (
	// lasting is how the nemesis says how long a fault lasts.
	lasting = regexp.MustCompile(` for ([0-9][0-9a-zµ.]*)\b`)
	// salted is the randomness inside a fault, which tells people nothing.
	salted = regexp.MustCompile(` salt [0-9]+\b`)
)

// markFaults finds what went wrong, from when to when. A fault that does not say
// how long it lasts is a moment.
func (b *builder) markFaults() {
	b.doc.Faults = []span{}
	for i := range b.events {
		e := &b.events[i]
		kind := sign(e)
		if kind == "" || b.echoed(i) {
			continue
		}
		until := e.At
		if e.Kind == check.Fault {
			until = e.At + min(faultSpan(e), b.end-e.At)
		}
		if e.Kind == check.Healed {
			b.healAll(e.At)
		}
		b.doc.Faults = append(b.doc.Faults, span{
			From: int64(e.At), To: int64(until), Kind: kind, Text: faultText(e),
			Node: b.servers[e.Node], Peer: b.servers[e.Peer], Event: i + 1,
		})
	}
	b.stackFaults()
}

// healAll ends what would last longer.
func (b *builder) healAll(at time.Duration) {
	for i := range b.doc.Faults {
		b.doc.Faults[i].To = min(b.doc.Faults[i].To, int64(at))
	}
}

// faultSpan is how long a fault says that it lasts; nothing for one that is done
// at once, where the time is that until the server starts again.
func faultSpan(e *check.Event) time.Duration {
	if slices.Contains(instant, e.Mode) {
		return 0
	}
	if m := lasting.FindStringSubmatch(e.Text); m != nil {
		if d, err := time.ParseDuration(m[1]); err == nil && d > 0 {
			return d
		}
	}
	return 0
}

// consequences are kinds of events that tell better than the fault that is their
// cause what happened.
var consequences = []check.Kind{check.Crash, check.Wipe, check.Rollback, check.Damage}

// echoed reports whether event i is a fault of a server that is told again, at
// the same moment, by what it does to the server.
func (b *builder) echoed(i int) bool {
	e := &b.events[i]
	if e.Kind != check.Fault || e.Node <= 0 {
		return false
	}
	for k := i + 1; k < len(b.events) && b.events[k].At == e.At; k++ {
		if b.events[k].Node == e.Node && slices.Contains(consequences, b.events[k].Kind) {
			return true
		}
	}
	return false
}

// sign returns the sign of what went wrong, nothing if nothing did.
func sign(e *check.Event) string {
	switch e.Kind {
	case check.Crash:
		return signCrash
	case check.Boot:
		if e.Life > 1 {
			return signBoot
		}
	case check.Wipe, check.Rollback, check.Damage:
		return signWipe
	case check.DiskError:
		return signDisk
	case check.Halted:
		return signHalt
	case check.Healed:
		return signHealed
	case check.Fault:
		if s, known := familySign[e.Mode]; known {
			return s
		}
		word, _, _ := strings.Cut(e.Text, " ")
		switch strings.ToLower(strings.Trim(word, ":,")) {
		case "heal", "start", "resume":
			return signHealed
		case "cut", "partition":
			return signCut
		case "crash":
			return signCrash
		}
		return signAnother
	}
	return ""
}

// stackFaults gives faults that overlap, or stand too close together for their
// signs when all is seen, different rows of the fault lane.
func (b *builder) stackFaults() {
	const rows = 3
	var free [rows]int64
	apart := min(int64(b.end)/80, int64(150*time.Millisecond))
	for i := range b.doc.Faults {
		f := &b.doc.Faults[i]
		row := 0
		for n := range free {
			if free[n] <= f.From {
				row = n
				break
			}
			if free[n] < free[row] {
				row = n
			}
		}
		f.Row = row
		free[row] = max(f.To, f.From+apart)
	}
}
