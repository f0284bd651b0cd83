package quorum

import (
	"context"
	"sync"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// Limits of the proposer.
const (
	queueBytesMax       = 32 << 20 // requests that wait to be prepared; links and clients wait then
	batchEntriesMax     = 2_000    // entries of one proposal
	batchBytesMax       = 1 << 20
	outstandingTxnsMax  = 20_000 // proposed and not committed
	outstandingBytesMax = 64 << 20
	requestBytesExtra   = 64 // what a queued request costs besides its data
)

// proposer turns requests into transactions on the leader: one goroutine, so
// that each is prepared knowing all before it, and in batches, so that a log
// write, a packet and an fdatasync serve many.
type proposer struct {
	node *Node

	mu    sync.Mutex
	queue []zab.Entry // Data is the request
	bytes int
	epoch ensemble.Epoch // of the leadership that takes requests; 0 for none
	wake  chan struct{}
	room  signal

	// Of the run goroutine alone:
	next     ensemble.Zxid
	serving  ensemble.Epoch
	inFlight []flight
	flying   int // bytes of inFlight
}

// flight is a proposal that is not committed yet.
type flight struct {
	last  ensemble.Zxid
	bytes int
}

func newProposer(n *Node) *proposer { return &proposer{node: n, wake: make(chan struct{}, 1)} }

// begin lets requests in: this server leads epoch, and has applied its history.
func (p *proposer) begin(epoch ensemble.Epoch) {
	p.mu.Lock()
	p.epoch = epoch
	p.mu.Unlock()
	notify(p.wake)
}

// end drops all requests and takes no more.
func (p *proposer) end() {
	p.mu.Lock()
	p.epoch, p.queue, p.bytes = 0, nil, 0
	p.mu.Unlock()
	p.room.notify()
	p.node.committedSignal.notify()
	notify(p.wake)
}

// add queues a request. It blocks while too many wait.
func (p *proposer) add(ctx context.Context, origin zab.Origin, request []byte) error {
	for {
		room := p.room.wait()
		p.mu.Lock()
		if p.bytes < queueBytesMax {
			p.queue = append(p.queue, zab.Entry{Origin: origin, Data: request})
			p.bytes += len(request) + requestBytesExtra
			p.mu.Unlock()
			notify(p.wake)
			return nil
		}
		p.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take returns the next batch, or nil while there is no leadership to serve.
func (p *proposer) take() (ensemble.Epoch, []zab.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch == 0 {
		return 0, nil
	}
	n, bytes := 0, 0
	for n < len(p.queue) && n < batchEntriesMax && bytes < batchBytesMax {
		bytes += len(p.queue[n].Data)
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
		p.room.notify()
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
		if err := p.waitCommitted(ctx); err != nil {
			return nil //nolint:nilerr // the node is closing
		}
		first := p.next
		entries := p.prepare(batch)
		if err := p.node.post(ctx, nil, zab.Propose{First: first, Entries: entries}); err != nil {
			return nil //nolint:nilerr // the node is closing
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

func (p *proposer) prepare(batch []zab.Entry) []zab.Entry {
	machine, ok := p.node.machine.(zab.Preparer)
	bytes := 0
	for i := range batch {
		if ok {
			batch[i].Data = machine.Prepare(p.next, batch[i].Origin, batch[i].Data)
		}
		bytes += len(batch[i].Data)
		p.next++
	}
	p.inFlight = append(p.inFlight, flight{p.next - 1, bytes})
	p.flying += bytes
	return batch
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
