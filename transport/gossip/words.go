package gossip

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/ensemble"
)

const (
	repeatInterval = time.Minute
	repeatsMax     = 256 // different complaints remembered at once
)

// words turns memberlist's log lines into what a reader can use: one sentence for
// a node that is refused, suspicions for OnSuspect, and the rest for debugging.
// It is memberlist's log writer.
type words struct {
	g  *Gossip
	mu sync.Mutex
	at map[string]time.Time
}

func newWords(g *Gossip) *words { return &words{g: g, at: map[string]time.Time{}} }

// Write takes one line: "[LEVEL] memberlist: text from=host:port\n".
func (w *words) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := ""
	if rest, ok := strings.CutPrefix(text, "["); ok {
		level, text, _ = strings.Cut(rest, "] ")
	}
	text = strings.TrimPrefix(text, "memberlist: ")
	text, from, _ := strings.Cut(text, " from=")
	switch {
	case strings.HasPrefix(text, "Suspect "):
		name, _, _ := strings.Cut(strings.TrimPrefix(text, "Suspect "), " has failed")
		if sid, ok := sidOf(name); ok {
			w.g.suspect(sid)
		}
		w.log(text)
	case from != "" && diagnose(text) != "":
		w.refused(from, diagnose(text))
	case from != "" && strings.HasPrefix(level, "ERR"):
		if strings.Contains(text, "i/o timeout") || strings.Contains(text, "closed network connection") || strings.Contains(text, "connection reset") {
			w.log(text)
			break
		}
		w.warn("nonsense "+host(from), "gossip that is not understood", "peer", from, "err", text)
	case strings.HasPrefix(level, "ERR") && !expected(text):
		w.warn(text, "gossip trouble", "err", text)
	default:
		w.log(text)
	}
	return len(line), nil
}

// expected reports whether an error is what a dead peer causes, which is
// reported otherwise, or what has been put in better words already.
func expected(text string) bool {
	for _, s := range []string{"Push/Pull with", "Failed to send", "Failed fallback", "Conflicting address"} {
		if strings.HasPrefix(text, s) {
			return true
		}
	}
	return false
}

// diagnose finds in memberlist's words the reason why two nodes do not get on;
// empty if it is none of those known.
func diagnose(text string) string {
	const other, none, mine = "it uses another gossip.key", "it uses no gossip.key, and this server does", "it uses a gossip.key, and this server does not"
	remote := strings.Contains(text, "remote error: ")
	switch {
	case strings.Contains(text, "no installed keys could decrypt"):
		return other
	case strings.Contains(text, "encryption is configured but remote state is not encrypted"):
		if remote {
			return mine
		}
		return none
	case strings.Contains(text, "remote state is encrypted and encryption is not configured"):
		if remote {
			return none
		}
		return mine
	case strings.HasPrefix(text, "Decrypt packet failed"):
		return other + ", or none"
	}
	if i := strings.Index(text, "it is of ensemble "); i >= 0 {
		reason, _, _ := strings.Cut(text[i:], "\n")
		return reason
	}
	return ""
}

func (w *words) refused(remote, reason string) {
	if w.warn("refused "+host(remote)+reason, "gossip from "+remote+" refused: "+reason, "sid", w.g.cfg.Self) {
		if hook := w.g.cfg.Trace.Refused; hook != nil {
			w.g.call(func() { hook(remote, reason) })
		}
	}
}

func (w *words) conflict(sid ensemble.ServerID, first, second string) {
	text := "two servers announce the same sid; unless one of them has just moved, they have the same myid"
	if sid == w.g.cfg.Self {
		text = "another server announces the sid of this one; they have the same myid"
	}
	if w.warn("conflict "+second+sid.String(), text, "sid", w.g.cfg.Self, "peer", sid, "believed", first, "other", second) {
		if hook := w.g.cfg.Trace.Conflict; hook != nil {
			w.g.call(func() { hook(sid, second) })
		}
	}
}

func (w *words) log(text string) {
	if l := w.g.cfg.Logger; l.Enabled(context.Background(), slog.LevelDebug) {
		l.Debug("gossip: "+text, "sid", w.g.cfg.Self)
	}
}

// warn logs unless the same key has been logged within the interval, and reports
// whether it did.
func (w *words) warn(key, message string, args ...any) bool {
	now := time.Now()
	w.mu.Lock()
	for k, t := range w.at {
		if now.Sub(t) >= repeatInterval {
			delete(w.at, k)
		}
	}
	if len(w.at) >= repeatsMax {
		key = "" // all the others share one
	}
	_, muffled := w.at[key]
	if !muffled {
		w.at[key] = now
	}
	w.mu.Unlock()
	if !muffled {
		w.g.cfg.Logger.Warn(message, args...)
	}
	return !muffled
}

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return h
}
