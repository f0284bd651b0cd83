package zktest

import (
	"errors"
	"net"
	"sync"
	"time"
)

// backlogMax is how many connections wait to be accepted, as in a kernel.
const backlogMax = 128

// door is a port of a server. It belongs to the ensemble as long as that lives, so
// that nobody else gets the port while the server is dead.
type door struct {
	ln   *net.TCPListener
	done chan struct{} // closed when run has returned

	mu    sync.Mutex
	inlet *inlet // nil: nobody is at home
}

func openDoor() (*door, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &door{ln: ln.(*net.TCPListener), done: make(chan struct{})}
	go d.run()
	return d, nil
}

func (d *door) addr() string { return d.ln.Addr().String() }

func (d *door) port() int { return d.ln.Addr().(*net.TCPAddr).Port }

func (d *door) run() {
	defer close(d.done)
	for {
		tcp, err := d.ln.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of files, perhaps: that passes
			time.Sleep(5 * time.Millisecond)
		default:
			d.deliver(tcp)
		}
	}
}

// deliver hands a connection to the server; without one it is reset.
func (d *door) deliver(tcp *net.TCPConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inlet != nil {
		select {
		case d.inlet.queue <- tcp:
			return
		default:
		}
	}
	hangUp(tcp)
}

// admit lets a server in, whose listener is returned.
func (d *door) admit(f *fabric, p *process, client bool) *inlet {
	in := &inlet{door: d, fabric: f, owner: p, client: client,
		queue: make(chan *net.TCPConn, backlogMax), done: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inlet = in
	return in
}

func (d *door) close() {
	_ = d.ln.Close()
	<-d.done
}

// inlet is a server's listener on a door.
type inlet struct {
	door   *door
	fabric *fabric
	owner  *process
	client bool
	queue  chan *net.TCPConn
	once   sync.Once
	done   chan struct{} // closed with the inlet
}

// Accept implements net.Listener. While the server is paused nothing is accepted.
func (in *inlet) Accept() (net.Conn, error) {
	for {
		select {
		case <-in.done:
			return nil, net.ErrClosed
		case tcp := <-in.queue:
			if in.owner.gate.pass() != nil {
				hangUp(tcp)
				return nil, net.ErrClosed
			}
			c, err := in.fabric.join(in.owner, tcp, 0, in.client)
			if err != nil {
				return nil, net.ErrClosed
			}
			return c, nil
		}
	}
}

// Addr implements net.Listener.
func (in *inlet) Addr() net.Addr { return in.door.ln.Addr() }

// Close implements net.Listener. Connections that nobody has accepted are reset.
func (in *inlet) Close() error {
	in.once.Do(func() {
		in.door.mu.Lock()
		defer in.door.mu.Unlock()
		if in.door.inlet == in {
			in.door.inlet = nil
		}
		close(in.done)
		for {
			select {
			case tcp := <-in.queue:
				hangUp(tcp)
			default:
				return
			}
		}
	})
	return nil
}
