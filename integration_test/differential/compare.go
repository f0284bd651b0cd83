package differential

import (
	"fmt"
	"slices"
	"strings"
)

// Case is one place where the two servers may differ.
type Case struct {
	Script     *Script
	Step, Conn int
	Request    *Request // that the frames answer; nil for events and handshakes
	Real, Ours *Frame   // nil where one has sent nothing
	// RealEnd and OursEnd say how the step ended on the connection: "open",
	// "closed" or "silent". In a Case without frames they are what differs.
	RealEnd, OursEnd string
	Memory           *Memory
}

// request is the script's step that the case belongs to; the steps behind the
// last are the player's own.
func (c *Case) step() *Step {
	if c.Step < len(c.Script.Steps) {
		return &c.Script.Steps[c.Step]
	}
	return &Step{Kind: Send, Conn: c.Conn}
}

// op is the request's, or 0.
func (c *Case) op() int32 {
	if c.Request == nil {
		return 0
	}
	return c.Request.Op
}

// codes reports whether both replied, with these error codes.
func (c *Case) codes(real, ours int) bool {
	return c.Real != nil && c.Ours != nil && c.Real.code() == real && c.Ours.code() == ours
}

func (c *Case) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "step %d, connection %d\n", c.Step+1, c.Conn)
	if c.Request != nil {
		fmt.Fprintf(&b, "  request    %s\n", c.Request)
	}
	side := func(f *Frame, end string) string {
		switch {
		case f != nil:
			return f.String()
		case c.Real == nil && c.Ours == nil:
			return end
		}
		return "nothing, and the connection is " + end
	}
	fmt.Fprintf(&b, "  ZooKeeper  %s\n  Quorate    %s\n", side(c.Real, c.RealEnd), side(c.Ours, c.OursEnd))
	return b.String()
}

// Outcome is what a comparison found.
type Outcome struct {
	Case  *Case          // the first difference that nothing explains, or nil
	Known map[string]int // how often differences that are known were met, by id
	Ended string         // the difference behind which the two states differ for good
	Steps int            // steps compared
	Ours  []Observation  // of Quorate
}

// comparer compares two histories of one script.
type comparer struct {
	script  *Script
	outcome Outcome
	memory  *Memory
	stop    bool
}

// Compare compares what clients saw of Apache ZooKeeper and of Quorate. It stops
// at the first difference that is not known, and at one behind which the states
// are different.
func Compare(s *Script, real, ours []Observation, realCanon, oursCanon *Canon) *Outcome {
	c := &comparer{script: s, outcome: Outcome{Known: map[string]int{}, Ours: ours}, memory: newMemory()}
	for i := range max(len(real), len(ours)) {
		if i >= len(real) || i >= len(ours) || real[i].Step != ours[i].Step || real[i].Conn != ours[i].Conn {
			c.fail(&Case{Step: min(i, len(s.Steps)), RealEnd: place(real, i), OursEnd: place(ours, i)})
			break
		}
		for j := range real[i].Frames {
			real[i].Frames[j].name(realCanon)
		}
		for j := range ours[i].Frames {
			ours[i].Frames[j].name(oursCanon)
		}
		c.observation(&real[i], &ours[i])
		if c.stop {
			break
		}
		c.outcome.Steps = min(real[i].Step+1, len(s.Steps))
	}
	return &c.outcome
}

func place(list []Observation, i int) string {
	if i >= len(list) {
		return "nothing more is seen"
	}
	return fmt.Sprintf("step %d of connection %d", list[i].Step+1, list[i].Conn)
}

// observation compares frame by frame. Events between two replies are compared
// among themselves.
func (c *comparer) observation(real, ours *Observation) {
	c.memory.begin(c.script, real.Step, real.Conn)
	r, o := real.Frames, ours.Frames
	for i := range o {
		c.memory.replied(real.Step, &o[i]) // events stand before it
	}
	for (len(r) > 0 || len(o) > 0) && !c.stop {
		var re, oe []Frame
		re, r = eventsOf(r)
		oe, o = eventsOf(o)
		if c.events(real, ours, re, oe); c.stop || len(r) == 0 && len(o) == 0 {
			break
		}
		k := &Case{Step: real.Step, Conn: real.Conn, RealEnd: real.end(), OursEnd: ours.end()}
		if len(r) > 0 {
			k.Real, r = &r[0], r[1:]
			k.Request = k.Real.Request
		}
		if len(o) > 0 {
			k.Ours, o = &o[0], o[1:]
			k.Request = k.Ours.Request
		}
		if k.Real == nil || k.Ours == nil || k.Real.Kind != k.Ours.Kind || !slices.Equal(k.Real.Cells, k.Ours.Cells) {
			c.differ(k)
		}
	}
	if re, oe := real.end(), ours.end(); re != oe && !c.stop {
		c.differ(&Case{Step: real.Step, Conn: real.Conn, RealEnd: re, OursEnd: oe})
	}
}

func (o *Observation) end() string {
	switch {
	case o.Silent:
		return "silent"
	case o.Closed:
		return "closed"
	}
	return "open"
}

func eventsOf(frames []Frame) (events, rest []Frame) {
	n := 0
	for n < len(frames) && frames[n].Kind == Event {
		n++
	}
	return frames[:n], frames[n:]
}

// events compares the events between two replies, in their order. Only of those
// that the end of a session brings about the order has no meaning.
func (c *comparer) events(or, oo *Observation, real, ours []Frame) {
	if len(real) == 0 && len(ours) == 0 {
		return
	}
	for i := range ours {
		if c.memory.closings[ours[i].cell("zxid")] {
			byCells := func(a, b Frame) int { return slices.Compare(a.Cells[2:], b.Cells[2:]) }
			slices.SortStableFunc(real, byCells)
			slices.SortStableFunc(ours, byCells)
			break
		}
	}
	for (len(real) > 0 || len(ours) > 0) && !c.stop {
		k := &Case{Step: or.Step, Conn: or.Conn, RealEnd: or.end(), OursEnd: oo.end()}
		if len(real) > 0 && len(ours) > 0 && sameEvent(&real[0], &ours[0]) {
			k.Real, k.Ours = &real[0], &ours[0]
			real, ours = real[1:], ours[1:]
			if !slices.Equal(k.Real.Cells, k.Ours.Cells) {
				c.differ(k)
			}
			continue
		}
		// One of the two has sent something that the other has not.
		switch {
		case len(ours) == 0, len(real) > 0 && !slices.ContainsFunc(ours, func(f Frame) bool { return sameEvent(&real[0], &f) }):
			k.Real, real = &real[0], real[1:]
		default:
			k.Ours, ours = &ours[0], ours[1:]
		}
		c.differ(k)
	}
}

// sameEvent compares all of an event but its zxid.
func sameEvent(a, b *Frame) bool {
	return a.Cells[0] == b.Cells[0] && slices.Equal(a.Cells[2:], b.Cells[2:])
}

// differ looks for a known difference.
func (c *comparer) differ(k *Case) {
	k.Script, k.Memory = c.script, c.memory
	for i := range Differences {
		if d := &Differences[i]; d.Explains != nil && d.Explains(k) {
			c.outcome.Known[d.ID]++
			if d.Ends {
				c.outcome.Ended, c.stop = d.ID, true
			}
			return
		}
	}
	c.fail(k)
}

func (c *comparer) fail(k *Case) {
	k.Script, k.Memory = c.script, c.memory
	c.outcome.Case, c.stop = k, true
}
