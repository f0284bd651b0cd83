package zkclient

import (
	"bufio"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// fake is a server that answers as the test says.
type fake struct {
	addr  string
	mu    sync.Mutex
	conns int
}

// newFake serves each connection with serve, after its handshake. It ends with the test.
func newFake(t *testing.T, timeout time.Duration, serve func(number int, in *bufio.Reader, out net.Conn)) *fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &fake{addr: l.Addr().String()}
	var running sync.WaitGroup
	ended := make(chan struct{})
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns++
			n := f.conns
			f.mu.Unlock()
			running.Go(func() {
				gone := make(chan struct{})
				running.Go(func() {
					select {
					case <-ended:
					case <-gone:
					}
					_ = conn.Close()
				})
				defer close(gone)
				in := bufio.NewReader(conn)
				if _, err := readFrame(in, 1<<20); err != nil {
					return
				}
				_, _ = conn.Write(proto.AppendFrame(nil, &proto.ConnectResponse{
					TimeoutMillis: int32(timeout.Milliseconds()), SessionID: 7, HasReadOnly: true}))
				serve(n, in, conn)
			})
		}
	})
	t.Cleanup(func() { close(ended); _ = l.Close(); running.Wait() })
	return f
}

func (f *fake) accepted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns
}

// nextRequest reads a request other than a ping.
func nextRequest(in io.Reader) (proto.RequestHeader, []byte, error) {
	for {
		frame, err := readFrame(in, 16<<20)
		if err != nil {
			return proto.RequestHeader{}, nil, err
		}
		var h proto.RequestHeader
		body, err := proto.UnmarshalHeader(frame, &h)
		if err != nil || h.Op != proto.OpPing {
			return h, body, err
		}
	}
}
