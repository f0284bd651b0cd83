package quorum_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/zab"
)

// counter is a state machine: a number that transactions add to.
type counter struct{ n int64 }

func (c *counter) Apply(txn zab.Txn) any {
	d, _ := strconv.ParseInt(string(txn.Data), 10, 64)
	c.n += d
	return c.n
}

func (c *counter) Snapshot() (zab.Snapshot, error) { return frozen(c.n), nil }

func (c *counter) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err == nil {
		c.n, err = strconv.ParseInt(string(b), 10, 64)
	}
	return err
}

type frozen int64

func (f frozen) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, strconv.FormatInt(int64(f), 10))
	return int64(n), err
}

func (f frozen) Release() {}

// A counter on three servers in one process: five additions, each asked of
// another server, and a read that is not stale.
func Example() {
	ctx, dir := context.Background(), must(os.MkdirTemp("", "counter"))
	defer func() { _ = os.RemoveAll(dir) }()

	var lines []string
	var ports [][2]net.Listener
	for id := 1; id <= 3; id++ {
		p := [2]net.Listener{must(net.Listen("tcp", "127.0.0.1:0")), must(net.Listen("tcp", "127.0.0.1:0"))}
		ports = append(ports, p)
		lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", id,
			p[0].Addr().(*net.TCPAddr).Port, p[1].Addr().(*net.TCPAddr).Port))
	}
	view := must(ensemble.ParseView(strings.Join(lines, "\n")))

	var nodes []*quorum.Node
	var counters [3]counter
	for i := range counters {
		nodes = append(nodes, must(quorum.Start(ctx, quorum.Config{
			Self: ensemble.ServerID(i + 1), View: view, Dir: fmt.Sprintf("%s/%d", dir, i+1), Initialize: true,
			QuorumListener: ports[i][0], ElectionListener: ports[i][1], Logger: quiet,
		}, &counters[i])))
		defer func() { _ = nodes[i].Close() }()
	}
	for i := range 5 {
		node := nodes[i%3]
		must(0, node.Established(ctx))
		fmt.Println(must(node.Propose(ctx, []byte("10"))))
	}
	must(0, nodes[0].Sync(ctx))
	fmt.Println("server 1 has", counters[0].n)
	// Output:
	// 10
	// 20
	// 30
	// 40
	// 50
	// server 1 has 50
}
