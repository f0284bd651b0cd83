package server

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/server/lf"
)

// socket is the Wire of a connection that was accepted. It has one permanent
// goroutine, which reads. Another exists while there is output, and writes it.
// The workers of the pool call Conn.Serve.
type socket struct {
	nc    net.Conn
	c     *Conn
	work  *lf.Session
	room  chan struct{} // one slot: the reader may look again
	tasks *sync.WaitGroup
	holds atomic.Int32 // what is under way: reading, writing, not being closed
}

// attach starts nothing.
func attach(c *Conn, nc net.Conn, pool *lf.Pool, tasks *sync.WaitGroup) *socket {
	k := &socket{nc: nc, c: c, work: pool.Join(c), room: make(chan struct{}, 1), tasks: tasks}
	k.holds.Store(2)
	tasks.Add(1)
	return k
}

// Ready implements Wire.
func (k *socket) Ready() { k.work.Ready() }

// Room implements Wire.
func (k *socket) Room() { signalOne(k.room) }

// Flush implements Wire.
func (k *socket) Flush() {
	if k.hold() {
		go k.write()
	}
}

// Close implements Wire. It makes reads and writes under way fail.
func (k *socket) Close() {
	_ = k.nc.Close()
	signalOne(k.room)
	k.release()
}

// hold says that something more is under way, unless nothing is any more: then
// Run may have returned already.
func (k *socket) hold() bool {
	for n := k.holds.Load(); n > 0; n = k.holds.Load() {
		if k.holds.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (k *socket) release() {
	if k.holds.Add(-1) == 0 {
		k.tasks.Done()
	}
}

// read takes in the stream until it ends. Once the connection is closing it only
// reads on, so that the client sees a FIN and not a reset.
func (k *socket) read() {
	defer k.release()
	if nc, ok := k.nc.(*secureConn); ok {
		k.shake(nc)
	}
	for {
		for k.c.crowded() {
			<-k.room
		}
		n, err := k.nc.Read(k.c.in.space())
		switch {
		case n > 0:
			k.c.received(n)
		case errors.Is(err, io.EOF):
			k.c.End(nil)
			return
		case err == nil:
			k.c.End(io.ErrNoProgress)
			return
		default:
			k.c.End(err)
			return
		}
	}
}

// write writes the output until there is none, in as few writes as possible.
func (k *socket) write() {
	defer k.release()
	for {
		runtime.Gosched() // whoever made output may be about to make more
		batch, end := k.c.Output()
		var err error
		switch {
		case len(batch) > 0:
			_, err = k.nc.Write(batch)
		case end:
			err = closeWrite(k.nc)
		default:
			return
		}
		if err != nil {
			k.c.Abort("write: " + err.Error())
			return
		}
	}
}

// closeWrite sends the FIN.
func closeWrite(nc net.Conn) error {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// remoteOf returns the other end's address; the zero one if it has none in IP.
func remoteOf(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// signalOne fills a one-slot channel.
func signalOne(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
