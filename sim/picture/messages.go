package picture

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// The classes of messages, in the order of the legend.
const (
	votes = iota
	discovery
	synchronization
	proposals
	acks
	commits
	forwarded
	pings
	others
	requests // clients' from here on
	replies
	watchEvents
)

func classes() []class {
	return []class{
		{Name: "vote", Title: "Votes", Hint: "election notifications: who should lead"},
		{Name: "discovery", Title: "Discovery", Hint: "a new leader finds an epoch that nobody has seen: FOLLOWERINFO, LEADERINFO, ACKEPOCH"},
		{Name: "sync", Title: "Sync", Hint: "a follower gets the leader's history: DIFF, TRUNC, SNAP, NEWLEADER, UPTODATE"},
		{Name: "proposal", Title: "Proposals", Hint: "the leader asks the others to log transactions"},
		{Name: "ack", Title: "Acks", Hint: "everything up to a zxid is on my disk"},
		{Name: "commit", Title: "Commits", Hint: "everything up to a zxid may be applied: COMMIT, INFORM"},
		{Name: "forward", Title: "Forwarded", Hint: "requests that a follower hands to its leader: REQUEST, SYNC, REVALIDATE"},
		{Name: "ping", Title: "Pings", Hint: "heartbeats of servers and of clients", Off: true},
		{Name: "other", Title: "Other", Hint: "packets that are none of these"},
		{Name: "request", Title: "Requests", Hint: "what clients ask"},
		{Name: "reply", Title: "Replies", Hint: "what they are answered"},
		{Name: "watch", Title: "Watch events", Hint: "a client is told that a node it watches has changed"},
	}
}

var classOf = map[string]int{
	"FOLLOWERINFO": discovery, "OBSERVERINFO": discovery, "LEADERINFO": discovery, "ACKEPOCH": discovery,
	"DIFF": synchronization, "TRUNC": synchronization, "SNAP": synchronization, "SNAPDATA": synchronization,
	"SNAPEND": synchronization, "NEWLEADER": synchronization, "UPTODATE": synchronization,
	"PROPOSAL": proposals, "ACK": acks, "COMMIT": commits, "INFORM": commits,
	"REQUEST": forwarded, "SYNC": forwarded, "REVALIDATE": forwarded, "PING": pings,
}

// classify tells the class of a packet by the first word of what it is.
func classify(text string) int {
	word, rest, _ := strings.Cut(text, " ")
	c, known := classOf[strings.ToUpper(word)]
	if !known {
		return others
	}
	if c == acks {
		// That of the epoch's start answers NEWLEADER.
		if z := mentioned(rest); len(z) > 0 && z[0].Counter() == 0 {
			return synchronization
		}
	}
	return c
}

var zxidPattern = regexp.MustCompile(`\b0x[0-9a-f]{1,16}\b`)

// mentioned returns the first two zxids that a text speaks of.
func mentioned(text string) []ensemble.Zxid {
	if !strings.Contains(text, "0x") {
		return nil
	}
	var list []ensemble.Zxid
	for _, s := range zxidPattern.FindAllString(text, 2) {
		if n, err := strconv.ParseUint(s[2:], 16, 64); err == nil {
			list = append(list, ensemble.Zxid(n))
		}
	}
	return list
}

// message joins a sending with a receipt; either may be missing.
type message struct {
	from, to  ensemble.ServerID
	sent, got int // events, from 1
	class     int
	text      string
}

// join is what tells which receipt belongs to which sending, where the trace
// does not number its messages.
type join struct {
	from, to ensemble.ServerID
	id       uint64
	text     string
}

// joinMessages finds the messages. Of equal ones under way together the last
// one sent is taken to be the one that arrives: election messages are repeated
// and lost, and an older one would make all later arrows too long.
func (b *builder) joinMessages() {
	b.byEvent = make([]int, len(b.events))
	open := map[join][]int{}
	var all []message
	owner := make([]int, len(b.events))
	for i := range b.events {
		e := &b.events[i]
		m, sends, ok := messageOf(e)
		if !ok {
			continue
		}
		key := join{id: e.Message}
		if e.Message == 0 {
			key = join{from: m.from, to: m.to, text: m.text}
		}
		waiting := open[key]
		if !sends && len(waiting) > 0 {
			n := waiting[len(waiting)-1]
			open[key] = waiting[:len(waiting)-1]
			all[n].got = i + 1
			owner[i] = n + 1
			continue
		}
		if sends {
			m.sent = i + 1
			open[key] = append(waiting, len(all))
		} else {
			m.got = i + 1
		}
		all = append(all, m)
		owner[i] = len(all)
	}
	b.sortOut(all, owner)
}

// messageOf reads a message out of the event that sends or receives it.
func messageOf(e *check.Event) (m message, sends, ok bool) {
	switch e.Kind {
	case check.VoteSend, check.VoteRecv:
		m.class, m.text = votes, ballotText(e)
	case check.MessageSend, check.MessageRecv:
		m.class, m.text = classify(e.Text), e.Text
	default:
		return m, false, false
	}
	sends = e.Kind == check.VoteSend || e.Kind == check.MessageSend
	if fromClient(e) {
		m.to = e.Node
		return m, sends, true
	}
	m.from, m.to = e.Node, e.Peer
	if !sends {
		m.from, m.to = e.Peer, e.Node
	}
	return m, sends, true
}

// fromClient reports whether an event is the sending or receipt of a client's
// bytes: the server that they go to is the Node of both, the client the Mode.
func fromClient(e *check.Event) bool {
	return e.Peer == 0 && strings.HasPrefix(e.Mode, "client ")
}

func ballotText(e *check.Event) string {
	text := fmt.Sprintf("%v, round %d", e.State, e.Round)
	if e.Vote != nil {
		whom := e.Vote.Leader.String()
		if e.Vote.Leader < 0 {
			whom = "nobody"
		}
		text = fmt.Sprintf("vote for %s (epoch %d, %v), round %d, %v", whom, e.Vote.Epoch, e.Vote.Zxid, e.Round, e.State)
	}
	if e.Unsure {
		text += ", unsure"
	}
	return text
}

// sortOut keeps the messages between servers; a client's bytes only tell when its
// requests came.
func (b *builder) sortOut(all []message, owner []int) {
	place := make([]int, len(all))
	for n, m := range all {
		if m.from > 0 && m.to > 0 {
			b.messages = append(b.messages, m)
			place[n] = len(b.messages)
		} else {
			b.reached(m)
		}
	}
	for i, n := range owner {
		if n > 0 {
			b.byEvent[i] = place[n-1]
		}
	}
}

// patience is how long before the end of the run a message may have been sent
// that has not arrived and need not be lost.
const patience = 50 * time.Millisecond

func (b *builder) fillMessages() {
	c := &b.doc.Messages
	b.doc.Classes = classes()
	for _, m := range b.messages {
		c.From = append(c.From, b.servers[m.from])
		c.To = append(c.To, b.servers[m.to])
		c.Sent = append(c.Sent, m.sent)
		c.Got = append(c.Got, m.got)
		c.Class = append(c.Class, m.class)
		c.Text = append(c.Text, b.text(m.text))
		low, high := 0, 0
		if z := mentioned(m.text); len(z) > 0 && slices.Contains([]int{synchronization, proposals, acks, commits}, m.class) {
			low, high = b.zxids[z[0]], b.zxids[z[len(z)-1]]
		}
		c.Low, c.High = append(c.Low, low), append(c.High, high)
		fate := arrived
		switch {
		case m.sent == 0:
			fate = sourceless
		case m.got == 0 && b.end-b.events[m.sent-1].At < patience:
			fate = underway
		case m.got == 0:
			fate = lost
		}
		c.Fate = append(c.Fate, fate)
		b.doc.Classes[m.class].Count++
	}
}
