package wire

import (
	"bufio"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDifference_SeesEverything(t *testing.T) {
	tree := func() []Node {
		return []Node{{Path: "/", Stat: Stat{NumChildren: 1}}, {Path: "/a", Data: "x", Stat: Stat{Czxid: 1, Mzxid: 2}}}
	}
	assert.Empty(t, Difference(tree(), tree()))
	for name, change := range map[string]func(n []Node) []Node{
		"missing": func(n []Node) []Node { return n[:1] },
		"added":   func(n []Node) []Node { return append(n, Node{Path: "/b"}) },
		"renamed": func(n []Node) []Node { n[1].Path = "/b"; return n },
		"data":    func(n []Node) []Node { n[1].Data = "y"; return n },
		"mzxid":   func(n []Node) []Node { n[1].Stat.Mzxid++; return n },
		"pzxid":   func(n []Node) []Node { n[1].Stat.Pzxid++; return n },
	} {
		assert.NotEmpty(t, Difference(tree(), change(tree())), name)
		assert.NotEmpty(t, Difference(change(tree()), tree()), name)
	}
}

// server answers the handshake and then what a function says, until that
// returns false.
func server(t *testing.T, answer func(w *bufio.Writer, xid int32) bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
		if _, err := readFrame(in); err != nil {
			return
		}
		var e encoder
		e.int32(0)
		e.int32(4000)
		e.int64(7)
		e.bytes(make([]byte, 16))
		_ = writeFrame(out, e.buf)
		_ = out.Flush()
		for {
			frame, err := readFrame(in)
			if err != nil {
				return
			}
			d := decoder{buf: frame}
			if !answer(out, d.int32()) {
				return
			}
			_ = out.Flush()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return l.Addr().String()
}

func header(xid int32, zxid int64, code int32, body ...byte) []byte {
	var e encoder
	e.int32(xid)
	e.int64(zxid)
	e.int32(code)
	return append(e.buf, body...)
}

func TestConn_CountsErrorsAndLosses(t *testing.T) {
	n := 0
	addr := server(t, func(w *bufio.Writer, xid int32) bool {
		n++
		switch n {
		case 1:
			_ = writeFrame(w, header(xid, 1, 0))
		case 2:
			_ = writeFrame(w, header(xid, 2, int32(ErrNodeExists)))
		default:
			return false // the third gets no answer
		}
		return true
	})
	c, err := Dial(addr, 5*time.Second)
	require.NoError(t, err)
	defer c.Drop()
	assert.Equal(t, 4*time.Second, c.Timeout)
	require.NoError(t, c.Set("/a", nil))
	assert.ErrorIs(t, c.Create("/a", nil), ErrNodeExists)
	assert.ErrorIs(t, c.Delete("/a"), ErrLost)
	assert.ErrorIs(t, c.Delete("/a"), ErrLost, "nothing is sent behind the end")
}

func TestWindow_KeepsOrderAndReportsTheFirstError(t *testing.T) {
	n := 0
	addr := server(t, func(w *bufio.Writer, xid int32) bool {
		code := int32(0)
		if n++; n == 5 || n == 9 {
			code = int32(ErrNoNode)
		}
		_ = writeFrame(w, header(xid, int64(n), code))
		return true
	})
	c, err := Dial(addr, 5*time.Second)
	require.NoError(t, err)
	defer c.Drop()
	w := NewWindow(c, 3)
	var zxids []int64
	for range 20 {
		w.Set(SetRequest("/a", nil), func(r Reply) { zxids = append(zxids, r.Zxid) })
	}
	failed, err := w.Wait()
	assert.Equal(t, 2, failed)
	assert.ErrorIs(t, err, ErrNoNode)
	require.Len(t, zxids, 20)
	for i, z := range zxids {
		assert.Equal(t, int64(i+1), z)
	}
}

func TestConn_AnswerToNothingEndsIt(t *testing.T) {
	addr := server(t, func(w *bufio.Writer, xid int32) bool {
		_ = writeFrame(w, header(xid+1, 1, 0))
		return true
	})
	c, err := Dial(addr, 5*time.Second)
	require.NoError(t, err)
	defer c.Drop()
	err = c.Sync("/")
	assert.ErrorIs(t, err, ErrLost)
	assert.ErrorContains(t, err, "a request")
}

// FuzzReplies decodes what a hostile server might send.
func FuzzReplies(f *testing.F) {
	var e encoder
	e.bytes([]byte("data"))
	f.Add(e.buf)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		data, _, err := decodeGet(body)
		if err == nil && len(data)+4+68 > len(body)+4 {
			t.Fatalf("%d bytes of data out of %d", len(data), len(body))
		}
		if err != nil && errors.Is(err, ErrLost) {
			t.Fatal("a short reply is not a lost connection")
		}
	})
}
