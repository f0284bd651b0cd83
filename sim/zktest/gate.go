package zktest

import (
	"errors"
	"sync"
)

// errKilled is what a killed server's last goroutines get to see.
var errKilled = errors.New("the server has been killed")

// gate is what everything that a server does must pass. While the server is
// paused it is shut; when the server is killed nothing passes any more.
type gate struct {
	mu         sync.Mutex
	shut, dead bool
	busy       int           // operations that are under way
	changed    chan struct{} // closed, and made anew, at each change
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

// pass waits while the gate is shut. The error is errKilled.
func (g *gate) pass() error {
	err := g.enter()
	if err == nil {
		g.leave()
	}
	return err
}

// enter is pass for an operation, at whose end leave must be called.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.shut && !g.dead {
		g.await()
	}
	if g.dead {
		return errKilled
	}
	g.busy++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	if g.shut && g.busy == 0 {
		g.turn() // somebody may wait for that
	}
}

// quiet waits, if the gate is shut, until no operation is under way.
func (g *gate) quiet() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.shut && g.busy > 0 {
		g.await()
	}
}

// await lets g.mu go until something changes.
func (g *gate) await() {
	changed := g.changed
	g.mu.Unlock()
	<-changed
	g.mu.Lock()
}

func (g *gate) setShut(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	g.turn()
}

func (g *gate) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dead = true
	g.turn()
}

func (g *gate) turn() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// state says whether the server is paused, and whether it is dead. A dead one is
// not paused.
func (g *gate) state() (paused, dead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut && !g.dead, g.dead
}
