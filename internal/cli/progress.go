package cli

import (
	"sync"
	"sync/atomic"
	"time"
)

// How often work that takes long says how far it is.
const progressTime = 2 * time.Second

// progress tells a person on standard error how far a command is.
type progress struct {
	nodes atomic.Int64
	end   chan struct{}
	once  sync.Once
	over  sync.WaitGroup
}

// newProgress begins to tell. The caller stops it.
func (s *Shell) newProgress(what string) *progress {
	p := &progress{end: make(chan struct{})}
	p.over.Go(func() {
		tick := time.NewTicker(progressTime)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.out.warn("%s: %d nodes so far", what, p.nodes.Load())
			case <-p.end:
				return
			}
		}
	})
	return p
}

func (p *progress) add(n int) { p.nodes.Add(int64(n)) }

func (p *progress) stop() {
	p.once.Do(func() { close(p.end) })
	p.over.Wait()
}
