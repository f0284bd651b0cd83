package picture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// How close to one another the same of several servers must be to be told in one
// line.
const (
	together   = 400 * time.Millisecond
	sameMoment = time.Millisecond
)

// teller writes the story of a run: what a person would tell who had seen it.
type teller struct {
	*builder
	roles   map[ensemble.ServerID]ensemble.State
	serving map[ensemble.ServerID]bool
	leads   map[ensemble.ServerID]ensemble.Epoch
	plans   map[ensemble.ServerID]string // how a learner is being synchronized
	gone    time.Duration                // since when nobody leads
	groups  map[string]*group
}

// group is a chapter that several servers share: the same has happened to them
// within a time.
type group struct {
	chapter int
	last    time.Duration
	who     []ensemble.ServerID
}

func (b *builder) tell() {
	t := &teller{
		builder: b, roles: map[ensemble.ServerID]ensemble.State{}, serving: map[ensemble.ServerID]bool{},
		leads: map[ensemble.ServerID]ensemble.Epoch{}, plans: map[ensemble.ServerID]string{}, groups: map[string]*group{},
	}
	b.doc.Story = []chapter{}
	for i := range b.events {
		t.event(i)
	}
	if v := b.doc.Violation; v != nil {
		text := v.Invariant + " is violated: " + v.Text
		b.doc.Story = append(b.doc.Story, chapter{v.At, "violation", text, v.Event})
	}
	slices.SortStableFunc(b.doc.Story, func(x, y chapter) int { return int(x.At - y.At) })
	b.doc.Story = append(b.doc.Story, chapter{At: b.doc.End, Kind: "end", Text: "The run ends."})
	b.sumUp()
}

func (t *teller) say(i int, kind, format string, args ...any) {
	t.doc.Story = append(t.doc.Story, chapter{int64(t.events[i].At), kind, fmt.Sprintf(format, args...), i + 1})
}

// gather tells the same of several servers in one line, if one comes soon behind
// the other.
func (t *teller) gather(i int, kind, key string, soon time.Duration, tell func([]ensemble.ServerID) string) {
	e := &t.events[i]
	g := t.groups[key]
	if g == nil || e.At-g.last > soon || slices.Contains(g.who, e.Node) {
		g = &group{chapter: len(t.doc.Story)}
		t.groups[key] = g
		t.say(i, kind, "")
	}
	g.last = e.At
	g.who = append(g.who, e.Node)
	slices.Sort(g.who)
	t.doc.Story[g.chapter].Text = tell(g.who)
}

// serversText prints "Server 1", "Servers 1 and 2", "Servers 1, 2 and 3".
func serversText(who []ensemble.ServerID) string {
	if len(who) == 1 {
		return "Server " + who[0].String()
	}
	return "Servers " + names(who)
}

func names(who []ensemble.ServerID) string {
	var sids []string
	for _, id := range who {
		sids = append(sids, id.String())
	}
	if n := len(sids); n > 1 {
		return strings.Join(sids[:n-1], ", ") + " and " + sids[n-1]
	}
	return strings.Join(sids, "")
}

// sentence gives a text a capital and a full stop.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}

func (t *teller) event(i int) {
	e := &t.events[i]
	switch e.Kind {
	case check.Boot:
		t.boot(i)
	case check.Crash:
		t.crash(i)
	case check.Halted:
		t.say(i, signHalt, "%s", sentence(faultText(e)))
		t.leaves(e)
	case check.Wipe, check.Rollback, check.Damage, check.DiskError, check.Fault, check.Healed:
		if !t.echoed(i) {
			t.say(i, sign(e), "%s", sentence(faultText(e)))
		}
	case check.RoleChange:
		t.role(i)
	case check.SyncPlan:
		t.plans[e.Peer] = e.Mode
	case check.Established:
		t.established(i)
	case check.SnapInstall:
		t.say(i, "sync", "Server %v installs a snapshot up to %v.", e.Node, e.Zxid)
	case check.LogTruncate:
		t.say(i, "sync", "Server %v drops what its log has behind %v.", e.Node, e.Zxid)
	case check.SessionEvent:
		if e.Mode == "expire" {
			t.say(i, "session", "Session %s expires.", hex(uint64(e.Session)))
		}
	}
}

func (t *teller) crash(i int) {
	e := &t.events[i]
	was, did := "", crashWords(e.Mode)
	if epoch, leads := t.leads[e.Node]; leads {
		was = fmt.Sprintf(", the leader of epoch %d,", epoch)
	}
	t.leaves(e)
	t.gather(i, signCrash, "crash"+was+e.Mode, sameMoment, func(who []ensemble.ServerID) string {
		if len(who) > 1 {
			did = crashWordsOfMany(e.Mode)
		}
		return serversText(who) + was + " " + did + "."
	})
}

func (t *teller) boot(i int) {
	e := &t.events[i]
	t.roles[e.Node] = ensemble.Looking
	if e.Life <= 1 {
		t.gather(i, "start", "start", together, func(who []ensemble.ServerID) string {
			return serversText(who) + plural(len(who), " starts.", " start.")
		})
		return
	}
	found := " without a history"
	if n := len(e.Log); n > 0 {
		found = " with a history up to " + e.Log[n-1].Zxid.String()
	}
	found += map[string]string{"torn": ", the torn end of the log cut off", "doubtful": ", in doubt about the log", "empty": ", the disk empty"}[e.Mode]
	if e.Unsure {
		found += ", not to vote yet"
	}
	t.gather(i, signBoot, "again"+found, together, func(who []ensemble.ServerID) string {
		return serversText(who) + plural(len(who), " starts again", " start again") + found + "."
	})
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// leaves notes that a server stops being what it was.
func (t *teller) leaves(e *check.Event) {
	if _, led := t.leads[e.Node]; led {
		delete(t.leads, e.Node)
		if len(t.leads) == 0 {
			t.gone = e.At
		}
	}
	delete(t.serving, e.Node)
	delete(t.roles, e.Node)
}

func (t *teller) role(i int) {
	e := &t.events[i]
	was, known := t.roles[e.Node]
	serving := t.serving[e.Node]
	epoch, led := t.leads[e.Node]
	if e.State == ensemble.Looking && known && was != ensemble.Looking {
		t.leaves(e)
		why := behind(e.Text)
		switch {
		case led:
			t.say(i, "lost", "Server %v no longer leads epoch %d%s.", e.Node, epoch, why)
		case was == ensemble.Leading:
			t.say(i, "lost", "Server %v was elected and gives up before it leads%s.", e.Node, why)
		case serving:
			t.gather(i, "look", "look", together, func(who []ensemble.ServerID) string {
				return serversText(who) + plural(len(who), " has", " have") + " lost the leader and" + plural(len(who), " looks", " look") + " for one."
			})
		}
	}
	t.roles[e.Node] = e.State
}

func (t *teller) established(i int) {
	e := &t.events[i]
	t.serving[e.Node], t.roles[e.Node] = true, e.State
	if e.State == ensemble.Leading {
		with := slices.DeleteFunc(slices.Clone(e.Voters), func(id ensemble.ServerID) bool { return id == e.Node })
		text := fmt.Sprintf("Server %v leads epoch %d", e.Node, e.Epoch)
		if len(with) > 0 {
			text += ", with " + names(with)
		}
		switch {
		case len(t.leads) > 0:
			text += ", while another server still thinks that it leads"
		case t.gone > 0:
			text += ", " + millis(e.At-t.gone) + " after the last leader"
		}
		t.leads[e.Node] = e.Epoch
		t.say(i, "leader", "%s.", text)
		return
	}
	mode := t.plans[e.Node]
	key := fmt.Sprint("serve", e.State, e.Epoch, mode)
	t.gather(i, "serve", key, together, func(who []ensemble.ServerID) string {
		verb := plural(len(who), " follows", " follow")
		if e.State == ensemble.Observing {
			verb = plural(len(who), " observes", " observe")
		}
		text := fmt.Sprintf("%s%s in epoch %d", serversText(who), verb, e.Epoch)
		if mode != "" {
			text += ", synchronized by " + mode
		}
		return text + "."
	})
}

// sumUp counts.
func (b *builder) sumUp() {
	crashes, lostMessages := 0, 0
	delivered := map[ensemble.Zxid]bool{}
	for i := range b.events {
		switch e := &b.events[i]; e.Kind {
		case check.Crash:
			crashes++
		case check.Delivered:
			delivered[e.Zxid] = true
		}
	}
	for _, f := range b.doc.Messages.Fate {
		if f == lost {
			lostMessages++
		}
	}
	txns := max(len(delivered), len(b.history.Txns))
	add := func(name, value string) { b.doc.Totals = append(b.doc.Totals, total{name, value}) }
	add("time", millis(b.end))
	add("servers", strconv.Itoa(len(b.doc.Servers)))
	add("clients", strconv.Itoa(len(b.doc.Clients)))
	add("leaders", strconv.Itoa(len(b.doc.Reigns)))
	add("longest without a leader", millis(b.leaderless()))
	add("crashes", strconv.Itoa(crashes))
	add("transactions", strconv.Itoa(txns))
	add("messages", strconv.Itoa(len(b.messages)))
	add("lost", strconv.Itoa(lostMessages))
	asked, open := 0, 0
	for _, o := range b.history.Ops {
		if o.Code != proto.OpPing {
			asked++
			if o.Returned == 0 {
				open++
			}
		}
	}
	add("requests", strconv.Itoa(asked))
	add("unanswered", strconv.Itoa(open))
	add("events", strconv.Itoa(len(b.events)))
}

// leaderless returns the longest time in which nobody led, that before the first
// leader included.
func (b *builder) leaderless() time.Duration {
	longest, since := int64(0), int64(0)
	for _, r := range b.doc.Reigns {
		longest = max(longest, r.From-since)
		since = max(since, r.To)
	}
	return time.Duration(max(longest, int64(b.end)-since))
}
