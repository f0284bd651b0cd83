package cli

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/quorate/quorate/internal/zkclient"
)

// inboxMax is how many events may wait to be printed. Beyond it the oldest are
// forgotten, and it is said how many.
const inboxMax = 1 << 16

// inbox has the events that a client has told and nobody has looked at yet. The
// client must not wait for the terminal.
type inbox struct {
	s *Shell

	mu   sync.Mutex
	list []zkclient.Event
	lost int
	more chan struct{} // one slot: there is something
	tap  func(zkclient.Event) bool

	deliver sync.Mutex // one delivers at a time, in order
	news    news       // deliver guards it, and fired
	fired   bool       // an event of a watch has come since the last command began
}

func newInbox(s *Shell) *inbox { return &inbox{s: s, more: make(chan struct{}, 1)} }

// add is the client's OnEvent.
func (b *inbox) add(e zkclient.Event) {
	b.mu.Lock()
	if len(b.list) == inboxMax {
		b.list = b.list[1:]
		b.lost++
	}
	b.list = append(b.list, e)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// setTap gives events to f first, which says whether it has taken them.
func (b *inbox) setTap(f func(zkclient.Event) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tap = f
}

// begin forgets that watches have fired: a command begins, which may arm others.
func (b *inbox) begin() {
	b.drain()
	b.deliver.Lock()
	defer b.deliver.Unlock()
	b.fired = false
}

// drain prints what has come so far, and reports whether a watch has fired since the
// last command began.
func (b *inbox) drain() bool {
	b.deliver.Lock()
	defer b.deliver.Unlock()
	for {
		b.mu.Lock()
		list, lost, tap := b.list, b.lost, b.tap
		b.list, b.lost = nil, 0
		b.mu.Unlock()
		if len(list) == 0 && lost == 0 {
			return b.fired
		}
		if lost > 0 {
			b.s.out.warn("%d events came faster than they could be printed and are lost", lost)
		}
		for _, e := range list {
			b.fired = b.fired || e.Type != 0
			if tap == nil || !tap(e) {
				b.show(e)
			}
		}
	}
}

// show prints one event.
func (b *inbox) show(e zkclient.Event) {
	switch {
	case e.Type != 0 && b.s.watches:
		_ = b.s.out.print(func(w io.Writer) error { return printResult(w, newWatchEvent(e), b.s.opt.JSON) })
	case e.Type == 0 && b.s.live:
		b.news.tell(b.s.out, e, true)
	}
}

// news tells a person of changes of the connection, and not of each attempt.
type news struct{ up, down bool }

// tell prints what is worth it: the first connection only if it is asked for, or was
// waited for.
func (n *news) tell(out *screen, e zkclient.Event, first bool) {
	text := connectionNews(e)
	switch e.State {
	case zkclient.StateConnecting:
		if n.down {
			return
		}
		n.down = true
	case zkclient.StateConnected, zkclient.StateReadOnly:
		quiet := !first && !n.up && !n.down
		if n.up, n.down = true, false; quiet {
			return
		}
	}
	if text != "" {
		out.warn("%s", text)
	}
}

// connectionNews is what a person is told of a change of the connection.
func connectionNews(e zkclient.Event) string {
	switch e.State {
	case zkclient.StateConnected:
		return "connected to " + e.Server
	case zkclient.StateReadOnly:
		return "connected to " + e.Server + ", which has no quorum: read-only"
	case zkclient.StateExpired, zkclient.StateAuthFailed:
		return describe(e.Err)
	case zkclient.StateConnecting:
		return "not connected: " + safe(e.Err.Error())
	}
	return ""
}

// wait prints events until ctx ends, or with once until one of a watch has come.
func (b *inbox) wait(ctx context.Context, once bool) error {
	for !b.drain() || !once {
		if s, _ := b.s.client.State(); s >= zkclient.StateExpired {
			b.s.out.warn("the session is over (%s), and its watches with it", s)
			return errSilent
		}
		select {
		case <-b.more:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// watchEvent is the event of a watch.
type watchEvent struct {
	Event string `json:"event"`
	Path  string `json:"path"`
	Zxid  *zxid  `json:"zxid,omitempty"` // nil: the server does not say
}

func newWatchEvent(e zkclient.Event) watchEvent {
	w := watchEvent{Event: e.Type.String(), Path: e.Path}
	if e.Zxid > 0 {
		z := zxid(e.Zxid)
		w.Zxid = &z
	}
	return w
}

func (w watchEvent) text(out io.Writer) {
	at := ""
	if w.Zxid != nil {
		at = fmt.Sprintf(" (zxid %v)", *w.Zxid)
	}
	_, _ = fmt.Fprintf(out, "WATCHER: %s %s%s\n", w.Event, safe(w.Path), at)
}
