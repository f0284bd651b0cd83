package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/server/proto"
)

// happening is a line of watch.
type happening struct {
	Time  time.Time `json:"time"`
	Event string    `json:"event"` // or Missed
	Path  string    `json:"path,omitempty"`
	Zxid  *zxid     `json:"zxid,omitempty"`
	From  *zxid     `json:"from,omitempty"` // Missed: events above this zxid
	To    *zxid     `json:"to,omitempty"`   // and up to this one
}

// isoMillis is the layout of the times of watch.
const isoMillis = "2006-01-02T15:04:05.000Z07:00"

func (h happening) text(w io.Writer) {
	at := h.Time.Format(isoMillis)
	switch {
	case h.Event == eventMissed && h.From != nil:
		_, _ = fmt.Fprintf(w, "%s # events with zxids above %v and up to %v may have been missed\n", at, *h.From, *h.To)
	case h.Event == eventMissed:
		_, _ = fmt.Fprintf(w, "%s # events may have been missed: the session is a new one\n", at)
	default:
		z := "-"
		if h.Zxid != nil {
			z = h.Zxid.String()
		}
		_, _ = fmt.Fprintf(w, "%s %s %s %s\n", at, z, h.Event, safe(h.Path))
	}
}

const eventMissed = "Missed"

// follower prints what happens in a subtree.
type follower struct {
	s      *Shell
	root   string
	left   int64 // events to go; negative: no end
	ended  chan struct{}
	expiry chan struct{} // one slot: the session has ended
	err    error
	news   news
}

func runWatch(ctx context.Context, s *Shell, a *args) (result, error) {
	n, err := a.number("n", 1, 64)
	if err != nil || n < 1 {
		return nil, errors.Join(err, a.positive("n", n))
	}
	f := &follower{s: s, root: a.params[0], left: n, ended: make(chan struct{}), expiry: make(chan struct{}, 1)}
	if a.has("f") && !a.has("n") {
		f.left = -1
	}
	kept := slices.Contains(s.client.Watches(), zkclient.Watch{Path: f.root, Kind: "recursive"})
	// Whoever prints events otherwise prints them through the follower.
	s.inbox.setTap(f.take)
	defer s.inbox.setTap(nil)
	if err := s.client.AddWatch(ctx, f.root, true); err != nil {
		return nil, err
	}
	s.out.warn("watching %s, Ctrl-C ends it", safe(f.root))
	err = f.wait(ctx)
	if s.live && !kept {
		f.disarm()
	}
	return nil, err
}

func (a *args) positive(name string, n int64) error {
	if n < 1 {
		return a.wrong("-%s %d: want a positive number", name, n)
	}
	return nil
}

// wait prints until enough was printed, or ctx ends.
func (f *follower) wait(ctx context.Context) error {
	for {
		f.s.inbox.drain()
		select {
		case <-f.ended:
			return f.err
		case <-f.expiry:
			if err := f.renew(ctx); err != nil {
				return err
			}
		case <-f.s.inbox.more:
		case <-ctx.Done():
			return nil
		}
	}
}

// take is given each event, in order.
func (f *follower) take(e zkclient.Event) bool {
	select {
	case <-f.ended:
		return false
	default:
	}
	switch {
	case e.Type != 0 && below(f.root, e.Path):
		h := happening{Time: time.Now(), Event: e.Type.String(), Path: e.Path}
		if e.Zxid > 0 {
			h.Zxid = pointer(zxid(e.Zxid))
		}
		f.print(h)
		if f.left--; f.left == 0 {
			f.end(nil)
		}
	case e.Type != 0:
		return false
	case e.State == zkclient.StateExpired:
		f.s.out.warn("the session has expired")
		select {
		case f.expiry <- struct{}{}:
		default:
		}
	case e.State == zkclient.StateAuthFailed:
		f.end(e.Err)
	default:
		f.tell(e)
	}
	return true
}

// tell says what becomes of the connection.
func (f *follower) tell(e zkclient.Event) {
	f.news.tell(f.s.out, e, false)
	if e.Missed {
		f.print(happening{Time: time.Now(), Event: eventMissed, From: pointer(zxid(e.LastZxid)), To: pointer(zxid(e.Zxid))})
	}
}

func (f *follower) print(h happening) {
	err := f.s.out.print(func(w io.Writer) error { return printResult(w, h, f.s.opt.JSON) })
	if err != nil { // a reader that has gone: head, less
		f.end(err)
	}
}

// end ends the following, once. Events come one at a time.
func (f *follower) end(err error) {
	select {
	case <-f.ended:
	default:
		f.err = err
		close(f.ended)
	}
}

// renew opens another session when the old one has expired.
func (f *follower) renew(ctx context.Context) error {
	if err := f.s.connect(ctx, f.s.opt.Servers); err != nil {
		return err
	}
	for {
		err := f.s.client.AddWatch(ctx, f.root, true)
		switch {
		case err == nil:
			f.print(happening{Time: time.Now(), Event: eventMissed})
			return nil
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, zkclient.ErrNoConnection):
			return err
		}
	}
}

// disarm takes the watch away. Servers before 3.9 know only a way that takes other
// watches of the node, too.
func (f *follower) disarm() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := f.s.client.RemoveWatches(ctx, f.root, proto.WatcherPersistentRecursive, false)
	if code := zkclient.Code(err); code == proto.ErrMarshalling || code == proto.ErrBadArguments {
		_ = f.s.client.RemoveWatches(ctx, f.root, proto.WatcherAny, true)
	}
}

func pointer[T any](v T) *T { return &v }
