package picture

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/sim/check"
)

// fact is what an event says beyond its columns. The names are those of the
// trace, but zxids and servers are places in the tables.
type fact struct {
	State    string   `json:"state,omitempty"`
	Epoch    int64    `json:"epoch,omitempty"`
	Accepted int64    `json:"accepted,omitempty"`
	Current  int64    `json:"current,omitempty"`
	Unsure   bool     `json:"unsure,omitempty"`
	To       int      `json:"to,omitempty"`
	Snap     int      `json:"snap,omitempty"`
	Chain    string   `json:"chain,omitempty"`
	Log      *logFact `json:"log,omitempty"`
	Round    int64    `json:"round,omitempty"`
	Vote     *ballot  `json:"vote,omitempty"`
	Voters   []int    `json:"voters,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Digest2  string   `json:"digest2,omitempty"`
	Session  string   `json:"session,omitempty"`
	Timeout  int64    `json:"timeout,omitempty"`
	Mode     string   `json:"mode,omitempty"`
	Text     string   `json:"text,omitempty"`
}

type logFact struct {
	Count int    `json:"n"`
	First int    `json:"first"`
	Last  int    `json:"last"`
	Chain string `json:"chain"`
}

type ballot struct {
	Leader int   `json:"leader"`
	Zxid   int   `json:"zxid"`
	Epoch  int64 `json:"epoch"`
}

// stated are the kinds whose State counts even when it is LOOKING, the zero one.
var stated = []check.Kind{check.RoleChange, check.VoteSend, check.VoteRecv, check.Decide, check.Established}

func (b *builder) fact(e *check.Event) (int, error) {
	f := fact{
		Epoch: int64(e.Epoch), Accepted: int64(e.Accepted), Current: int64(e.Current), Unsure: e.Unsure,
		To: b.zxids[e.To], Snap: b.zxids[e.Snap], Chain: hex(e.Chain), Round: e.Round,
		Digest: hex(e.Digest), Digest2: hex(e.Digest2), Session: hex(uint64(e.Session)),
		Timeout: int64(e.Timeout), Mode: e.Mode, Text: e.Text,
	}
	if slices.Contains(stated, e.Kind) {
		f.State = e.State.String()
	}
	if n := len(e.Log); n > 0 {
		f.Log = &logFact{n, b.zxids[e.Log[0].Zxid], b.zxids[e.Log[n-1].Zxid], hex(e.Log[n-1].Chain)}
	}
	if e.Vote != nil {
		f.Vote = &ballot{b.servers[e.Vote.Leader], b.zxids[e.Vote.Zxid], int64(e.Vote.Epoch)}
	}
	for _, v := range e.Voters {
		f.Voters = append(f.Voters, b.servers[v])
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return 0, fmt.Errorf("picture: event %d: %w", e.Seq, err)
	}
	if len(raw) == len("{}") {
		return 0, nil
	}
	n, known := b.facts[string(raw)]
	if !known {
		b.doc.Facts = append(b.doc.Facts, raw)
		n = len(b.doc.Facts)
		b.facts[string(raw)] = n
	}
	return n, nil
}

// hex prints a number, and 0 as nothing.
func hex(n uint64) string {
	if n == 0 {
		return ""
	}
	return "0x" + strconv.FormatUint(n, 16)
}

// millis prints a span for people: 0.31 s, 3.2 ms, 45 µs.
func millis(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d >= 100*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
	case d >= time.Millisecond:
		return strconv.FormatFloat(math.Round(d.Seconds()*1e4)/10, 'f', -1, 64) + " ms"
	}
	return strconv.FormatInt(d.Microseconds(), 10) + " µs"
}
