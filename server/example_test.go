package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/zab"
)

// solo is a quorum of one server that forgets everything: it commits each
// request in the goroutine that submits it.
type solo struct {
	s    *server.Server
	mu   sync.Mutex
	zxid ensemble.Zxid
}

func (q *solo) Submit(request []byte, done func(any, error)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.zxid++
	origin := zab.Origin{Server: 1, Tag: uint64(q.zxid)}
	done(q.s.Apply(zab.Txn{Zxid: q.zxid, Origin: origin, Data: q.s.Prepare(q.zxid, origin, request)}), nil)
}

func (q *solo) Sync(done func(error))                  { done(nil) }
func (q *solo) Ask(b []byte, done func([]byte, error)) { done(q.s.Answer(1, b), nil) }
func (q *solo) Status() zab.Status                     { return zab.Status{State: ensemble.Leading} }
func (q *solo) View() *ensemble.View {
	v, _ := ensemble.NewView(0, []ensemble.Member{{ID: 1}})
	return v
}

type silent struct{}

func (silent) Printf(string, ...any) {}

func ExampleServer() {
	s := server.New(server.Config{Self: 1, Logger: slog.New(slog.DiscardHandler)})
	s.Attach(&solo{s: s, zxid: ensemble.NewZxid(1, 0)})
	s.RoleChanged(zab.Role{State: ensemble.Leading, Epoch: 1, Leader: 1})

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, ln) }()

	c, _, err := zk.Connect([]string{ln.Addr().String()}, 4*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		panic(err)
	}
	path, err := c.Create("/hello-", []byte("world"), zk.FlagSequence, zk.WorldACL(zk.PermAll))
	fmt.Println(path, err)
	c.Close()
	stop()
	fmt.Println(<-ended)
	// Output:
	// /hello-0000000000 <nil>
	// <nil>
}
