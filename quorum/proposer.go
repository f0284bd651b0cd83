package quorum

import (
	"context"
	"fmt"
	"sync"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// Limits of the proposer.
const (
	queueBytesMax       = 512 << 20 // more waits only if servers ignore their credit
	batchEntriesMax     = 2_000     // entries of one proposal
	batchBytesMax       = 1 << 20
	txnBytesMax         = 4 * RequestBytesMax // less than a log record and a frame can hold
	outstandingTxnsMax  = 20_000              // proposed and not committed
	outstandingBytesMax = 64 << 20
	requestBytesExtra   = 64 // what a queued request costs besides its data
)

// term is one leadership of this server. Requests belong to one, so that none
// is executed in a later one.
type term struct{ _ byte }

// proposer turns requests into transactions on the leader: one goroutine, so
// that each is prepared knowing all before it, and in batches, so that a log
// write, a packet and an fdatasync serve many.
type proposer struct {
	node *Node

	mu    sync.Mutex
	term  *term
	epoch ensemble.Epoch // of the term once it is established and applied; 0 before
	queue []wish
	bytes int
	wake  chan struct{}

	// Of the run goroutine alone:
	next     ensemble.Zxid
	serving  ensemble.Epoch
	inFlight []flight
	flying   int // bytes of inFlight
}

// wish is a request, or a question that is answered when all requests that came
// before it have been prepared.
type wish struct {
	entry    zab.Entry // Data is the request
	question func()    // nil for a request
}

// flight is a proposal that is not committed yet.
type flight struct {
	last  ensemble.Zxid
	bytes int
}

func newProposer(n *Node) *proposer { return &proposer{node: n, wake: make(chan struct{}, 1)} }

// open begins a term: requests are queued from now on. Followers may know before
// we do that we are established.
func (p *proposer) open(t *term) {
	p.mu.Lock()
	p.term, p.epoch, p.queue, p.bytes = t, 0, nil, 0
	p.mu.Unlock()
}

// begin lets the requests of a term be prepared: it is established as epoch, and
// this server has applied its history.
func (p *proposer) begin(t *term, epoch ensemble.Epoch) {
	p.mu.Lock()
	if p.term == t {
		p.epoch = epoch
	}
	p.mu.Unlock()
	notify(p.wake)
}

// end drops all requests and takes no more.
func (p *proposer) end() {
	p.open(nil)
	p.node.committedSignal.notify()
	notify(p.wake)
}

// add queues a request of a term, or forgets it if that is over. It never blocks.
func (p *proposer) add(t *term, origin zab.Origin, request []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case t == nil || p.term != t:
		return nil
	case len(request) > RequestBytesMax:
		return fmt.Errorf("a request of %d bytes from server %d: %w", len(request), origin.Server, ErrTooLarge)
	case p.bytes > queueBytesMax:
		return fmt.Errorf("%d MiB of requests wait: server %d asks for too much at once", p.bytes>>20, origin.Server)
	}
	p.queue = append(p.queue, wish{entry: zab.Entry{Origin: origin, Data: request}})
	p.bytes += len(request) + requestBytesExtra
	notify(p.wake)
	return nil
}

// ask has a question answered in its turn, by the goroutine that prepares: who
// moves a session to another server must not overtake what the server before, or
// the same one on an earlier connection, has asked for. If the term ends before,
// nobody answers.
func (p *proposer) ask(t *term, question func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t == nil || p.term != t {
		return
	}
	p.queue = append(p.queue, wish{question: question})
	p.bytes += requestBytesExtra
	notify(p.wake)
}

// take returns the next batch, or nil while there is no leadership to serve.
func (p *proposer) take() (ensemble.Epoch, []wish) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch == 0 {
		return 0, nil
	}
	n, bytes := 0, 0
	for n < len(p.queue) && n < batchEntriesMax && bytes < batchBytesMax {
		bytes += len(p.queue[n].entry.Data)
		n++
	}
	batch := p.queue[:n:n]
	p.queue = p.queue[n:]
	p.bytes -= bytes + n*requestBytesExtra
	if len(p.queue) == 0 {
		p.queue = nil
	}
	return p.epoch, batch
}

func (p *proposer) run(ctx context.Context) error {
	for {
		epoch, batch := p.take()
		if epoch != p.serving {
			p.start(epoch)
		}
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-p.wake:
			}
			continue
		}
		for len(batch) > 0 {
			if ask := batch[0].question; ask != nil {
				ask()
				batch = batch[1:]
				continue
			}
			if p.waitCommitted(ctx) != nil || p.node.syncer.waitRoom(ctx) != nil {
				return nil // the node is closing
			}
			first := p.next
			entries, err := p.prepare(batch)
			if err != nil {
				return err
			}
			if p.node.post(ctx, nil, zab.Propose{First: first, Entries: entries}) != nil {
				return nil
			}
			batch = batch[len(entries):]
		}
	}
}

// start forgets the leadership before.
func (p *proposer) start(epoch ensemble.Epoch) {
	p.serving, p.next = epoch, ensemble.NewZxid(epoch, 1)
	p.inFlight, p.flying = nil, 0
	if m, ok := p.node.machine.(zab.Preparer); ok {
		m.ResetPrepared()
	}
}

// prepare makes transactions of the first requests, until they are enough for one
// proposal or a question is to be answered.
func (p *proposer) prepare(batch []wish) ([]zab.Entry, error) {
	machine, ok := p.node.machine.(zab.Preparer)
	entries := make([]zab.Entry, 0, len(batch))
	bytes := 0
	for _, w := range batch {
		if w.question != nil || len(entries) > 0 && bytes >= batchBytesMax {
			break
		}
		e := w.entry
		if ok {
			e.Data = machine.Prepare(p.next, e.Origin, e.Data)
		}
		size := len(e.Data)
		if size > txnBytesMax {
			return nil, fmt.Errorf("the state machine made a transaction of %d bytes of a request; %d are the limit", size, txnBytesMax)
		}
		bytes += size
		p.next++
		entries = append(entries, e)
	}
	p.inFlight = append(p.inFlight, flight{p.next - 1, bytes})
	p.flying += bytes
	return entries, nil
}

// waitCommitted blocks while too much is proposed and not committed, or until
// the leadership ends.
func (p *proposer) waitCommitted(ctx context.Context) error {
	for {
		moved := p.node.committedSignal.wait()
		committed := ensemble.Zxid(p.node.committed.Load())
		n := 0
		for n < len(p.inFlight) && p.inFlight[n].last <= committed {
			p.flying -= p.inFlight[n].bytes
			n++
		}
		p.inFlight = p.inFlight[n:]
		if len(p.inFlight) == 0 || p.flying < outstandingBytesMax && p.next-max(committed, ensemble.NewZxid(p.serving, 0)) < outstandingTxnsMax {
			return nil
		}
		p.mu.Lock()
		over := p.epoch != p.serving
		p.mu.Unlock()
		if over {
			return nil
		}
		select {
		case <-moved: // also when a leadership ends
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
