package quorum

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/transport"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// Limits of a link.
const (
	linkBytesMax     = 128 << 20 // queued for a peer; a slower one is cut off and synchronized again
	frameBytesMax    = 96 << 20  // more than any log record
	snapshotPieceMax = 256 << 10
)

// link is the quorum stream to one peer: a queue, a goroutine that sends it and
// one that reads.
type link struct {
	node   *Node
	peer   ensemble.ServerID
	stream *transport.Stream
	term   *term           // of our leadership, if the peer is our learner
	role   context.Context // of the role that it belongs to, which it does not outlive

	mu        sync.Mutex
	queue     []item
	bytes     int
	closed    bool
	reason    error
	wake      chan struct{}
	streaming int           // items that are read from the disk, queued or being sent
	tail      ensemble.Zxid // end of the history that is queued
}

// item is something to send: a packet that is encoded already, or something that
// is read from the disk when its turn comes.
type item struct {
	frame    []byte
	log      *zab.SendLog
	snapshot *zab.SendSnapshot
}

func newLink(n *Node, peer ensemble.ServerID, s *transport.Stream, t *term, role context.Context) *link {
	s.SetWriteTimeout(n.cfg.TickTime * time.Duration(n.cfg.SyncLimitTicks))
	return &link{node: n, peer: peer, stream: s, term: t, role: role, wake: make(chan struct{}, 1)}
}

// push queues an item; it never blocks. A peer that lets too much pile up loses
// the link.
func (l *link) push(it item) {
	l.mu.Lock()
	switch {
	case it.log != nil:
		l.streaming++
		l.tail = it.log.UpTo
	case it.snapshot != nil:
		l.streaming++
		l.tail = it.snapshot.UpTo
	}
	l.queue = append(l.queue, it)
	l.bytes += len(it.frame)
	over := l.bytes > linkBytesMax
	l.mu.Unlock()
	if over {
		l.close(fmt.Errorf("%d MiB wait to be sent", linkBytesMax>>20))
		return
	}
	notify(l.wake)
}

// pushTxns queues proposals. Behind something that is read from the disk they are
// read from there too: they would pile up here while it is sent.
func (l *link) pushTxns(frame []byte, last ensemble.Zxid) {
	l.mu.Lock()
	if l.streaming == 0 {
		l.tail = last
		l.mu.Unlock()
		l.push(item{frame: frame})
		return
	}
	after := l.tail
	l.tail = last
	if n := len(l.queue); n > 0 && l.queue[n-1].log != nil && l.queue[n-1].log.UpTo == after && !l.queue[n-1].log.Inform {
		rest := *l.queue[n-1].log
		rest.UpTo = last
		l.queue[n-1].log = &rest
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.push(item{log: &zab.SendLog{After: after, UpTo: last}})
}

func (l *link) streamed() {
	l.mu.Lock()
	l.streaming--
	l.mu.Unlock()
}

func (l *link) close(reason error) {
	l.mu.Lock()
	if !l.closed {
		l.closed, l.reason = true, reason
	}
	l.queue, l.bytes = nil, 0
	l.mu.Unlock()
	_ = l.stream.Close()
	notify(l.wake)
}

func (l *link) take() ([]item, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := l.queue
	l.queue, l.bytes = nil, 0
	return batch, !l.closed
}

// run sends and reads until the link ends, and reports both ends of its life.
func (l *link) run(ctx context.Context) {
	if l.node.post(ctx, l, zab.LinkUp{Peer: l.peer}) != nil {
		_ = l.stream.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { l.close(ErrClosed) })
	defer stop()
	var sender sync.WaitGroup
	sender.Go(func() {
		if err := l.send(ctx); err != nil {
			l.close(fmt.Errorf("send to server %d: %w", l.peer, err))
		}
	})
	err := l.read(ctx)
	l.close(err)
	sender.Wait()
	l.mu.Lock()
	err = l.reason
	l.mu.Unlock()
	_ = l.node.post(ctx, l, zab.LinkDown{Peer: l.peer, Err: err})
}

func (l *link) send(ctx context.Context) error {
	for {
		batch, open := l.take()
		if !open {
			return nil
		}
		if len(batch) == 0 {
			if err := l.stream.Flush(); err != nil {
				return err
			}
			select {
			case <-l.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		for _, it := range batch {
			var err error
			switch {
			case it.log != nil:
				err = l.sendLog(ctx, it.log.After, it.log.UpTo, it.log.Inform)
				l.streamed()
			case it.snapshot != nil:
				err = l.sendSnapshot(ctx, it.snapshot.UpTo)
				l.streamed()
			default:
				err = l.stream.Write(it.frame)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (l *link) write(p zab.Packet) error {
	frame, err := zab.MarshalPacket(nil, &p)
	if err != nil {
		return err
	}
	return l.stream.Write(frame)
}

// sendLog sends a stretch of the log. Its end may not be in the log yet.
func (l *link) sendLog(ctx context.Context, after, upTo ensemble.Zxid, inform bool) error {
	kind := zab.Proposal
	if inform {
		kind = zab.Inform
	}
	for after < upTo {
		more := l.node.appended.wait()
		txns, err := l.node.store.Read(after, readBytesMax)
		if err != nil {
			return fmt.Errorf("read the log behind %v: %w", after, err)
		}
		n := 0
		for n < len(txns) && txns[n].Zxid <= upTo {
			n++
		}
		if n == 0 && len(txns) > 0 {
			return fmt.Errorf("the log goes on with %v behind %v, and not with %v", txns[0].Zxid, after, upTo)
		}
		if n == 0 {
			if err := l.stream.Flush(); err != nil {
				return err
			}
			select {
			case <-more:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := l.write(zab.Packet{Type: kind, Txns: txns[:n]}); err != nil {
			return err
		}
		after = txns[n-1].Zxid
	}
	return nil
}

// sendSnapshot sends the state as it is now and the log behind it.
func (l *link) sendSnapshot(ctx context.Context, upTo ensemble.Zxid) error {
	// The log behind the captured state must not be purged meanwhile.
	l.node.transfers.Add(1)
	defer l.node.transfers.Add(-1)
	c, err := l.node.applier.capture(ctx)
	if err != nil {
		return fmt.Errorf("capture the state: %w", err)
	}
	defer c.snap.Release()
	if c.at.Zxid == 0 { // the history from its beginning
		if err := l.write(zab.Packet{Type: zab.Diff}); err != nil {
			return err
		}
		return l.sendLog(ctx, 0, upTo, false)
	}
	if err := l.write(zab.Packet{Type: zab.Snap, At: c.at}); err != nil {
		return err
	}
	pieces := bufio.NewWriterSize(pieceWriter{l}, snapshotPieceMax)
	if _, err := c.snap.WriteTo(pieces); err != nil {
		return fmt.Errorf("send the state at %v: %w", c.at.Zxid, err)
	}
	if err := pieces.Flush(); err != nil {
		return err
	}
	if err := l.write(zab.Packet{Type: zab.SnapEnd, At: c.at}); err != nil {
		return err
	}
	return l.sendLog(ctx, c.at.Zxid, upTo, false)
}

// pieceWriter sends what is written to it as SNAPDATA.
type pieceWriter struct{ l *link }

func (w pieceWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), snapshotPieceMax)
		if err := w.l.write(zab.Packet{Type: zab.SnapData, Data: rest[:n]}); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// read hands packets on until the link ends. What need not pass through the
// protocol core goes straight to where it belongs.
func (l *link) read(ctx context.Context) error {
	var incoming incomingSnapshot
	defer incoming.abort()
	for {
		frame, err := l.stream.Read()
		if err != nil {
			return err
		}
		p, err := zab.UnmarshalPacket(frame)
		if err != nil {
			return err
		}
		switch {
		case l.term != nil:
			err = l.fromLearner(ctx, p)
		case p.Type == zab.Revalidate:
			l.node.current().answer(p.ID, p.Data)
		case p.Type == zab.Snap || p.Type == zab.SnapData || p.Type == zab.SnapEnd:
			err = l.receiveSnapshot(ctx, &incoming, p)
		default:
			if err = l.node.syncer.waitRoom(ctx); err == nil {
				err = l.node.post(ctx, l, zab.Received{From: l.peer, Packet: p})
			}
		}
		if err != nil {
			return err
		}
	}
}

// incomingSnapshot is a snapshot on its way to our disk.
type incomingSnapshot struct {
	at zab.Position
	w  *storage.SnapshotWriter
}

func (in *incomingSnapshot) abort() {
	if in.w != nil {
		_ = in.w.Abort()
		in.w = nil
	}
}

// receiveSnapshot writes the pieces of a snapshot to disk and gives the core the
// SNAP when all are there; before, only that there is progress.
func (l *link) receiveSnapshot(ctx context.Context, in *incomingSnapshot, p zab.Packet) error {
	switch {
	case p.Type == zab.Snap && in.w == nil:
		w, err := l.node.store.CreateSnapshot(p.At)
		if err != nil {
			return err
		}
		in.at, in.w = p.At, w
	case p.Type == zab.SnapData && in.w != nil:
		if _, err := in.w.Write(p.Data); err != nil {
			return err
		}
		return l.node.post(ctx, l, zab.Progress{Peer: l.peer})
	case p.Type == zab.SnapEnd && in.w != nil && p.At == in.at:
		l.node.syncer.setIncoming(l.role, in.w)
		in.w = nil
		return l.node.post(ctx, l, zab.Received{From: l.peer, Packet: zab.Packet{Type: zab.Snap, At: in.at}})
	default:
		return fmt.Errorf("%v out of turn", p.Type)
	}
	return nil
}

func (l *link) fromLearner(ctx context.Context, p zab.Packet) error {
	talk, _ := l.node.machine.(zab.Conversation)
	switch p.Type {
	case zab.Request:
		return l.node.proposer.add(l.term, zab.Origin{Server: l.peer, Tag: p.ID}, p.Data)
	case zab.Revalidate:
		if talk == nil {
			return errors.New("a question, and the state machine answers none")
		}
		l.node.proposer.ask(l.term, func() {
			answer := zab.Packet{Type: zab.Revalidate, ID: p.ID, Data: talk.Answer(l.peer, p.Data)}
			frame, err := zab.MarshalPacket(nil, &answer)
			if err != nil {
				l.close(err)
				return
			}
			l.push(item{frame: frame})
		})
		return nil
	case zab.Ping:
		if talk != nil && len(p.Data) > 0 {
			talk.HeartbeatFrom(l.peer, p.Data)
		}
		p.Data = nil
	}
	return l.node.post(ctx, l, zab.Received{From: l.peer, Packet: p})
}
