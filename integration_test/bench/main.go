// Command bench measures pipelined writes on three servers of ours and on three
// of Apache ZooKeeper's, in one run on one machine, and prints both throughputs
// and their ratio:
//
//	go run ./integration_test/bench
//
// The load is the same raw client for both: some connections, spread over the
// servers, each with a number of setData requests in flight on a node of its
// own. Absolute figures wander from machine to machine and hour to hour; the
// ratio of one run holds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// options are the command line.
type options struct {
	requests, warmUp, connections, outstanding, bytes, rounds int
	binary, dir                                               string
	alone                                                     bool
}

func main() {
	var o options
	flag.IntVar(&o.requests, "requests", 100000, "setData requests in each round, over all connections")
	flag.IntVar(&o.warmUp, "warm-up", 200000, "requests before the first round, not counted: Java compiles while it runs")
	flag.IntVar(&o.connections, "connections", 16, "connections, spread over the servers")
	flag.IntVar(&o.outstanding, "outstanding", 64, "requests in flight on each connection")
	flag.IntVar(&o.bytes, "bytes", 100, "size of the data")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; the median counts")
	flag.StringVar(&o.binary, "binary", "", "the quorate binary; empty builds one")
	flag.StringVar(&o.dir, "dir", "", "where the servers keep their data; empty is a temporary directory")
	flag.BoolVar(&o.alone, "alone", false, "measure Quorate only")
	flag.Parse()
	if flag.NArg() > 0 || o.requests < 1 || o.connections < 1 || o.outstanding < 1 || o.rounds < 1 || o.bytes < 0 || o.warmUp < 0 {
		fmt.Fprintln(os.Stderr, "bench takes flags only, and their numbers are positive; see -h")
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	dir, err := os.MkdirTemp(o.dir, "quorate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.binary == "" {
		o.binary = filepath.Join(dir, "quorate")
		out, err := exec.Command("go", "build", "-o", o.binary, "github.com/quorate/quorate/cmd/quorate").CombinedOutput()
		if err != nil {
			return fmt.Errorf("build the quorate command: %w\n%s", err, out)
		}
	}
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	fmt.Printf("%d setData of %d bytes, %d connections x %d outstanding, 3 servers, %d rounds\n",
		o.requests, o.bytes, o.connections, o.outstanding, o.rounds)
	ours, err := measure(o, cluster.Quorate, dir)
	if err != nil {
		return err
	}
	if o.alone {
		return nil
	}
	if err := cluster.ZooKeeperInstalled(); err != nil {
		fmt.Printf("no comparison: %v\n", err)
		return nil
	}
	theirs, err := measure(o, cluster.ZooKeeper, dir)
	if err != nil {
		return err
	}
	fmt.Printf("ratio      %.2f (Quorate to ZooKeeper)\n", ours/theirs)
	return nil
}

// measure runs all rounds on a fresh cluster and returns the median throughput.
func measure(o options, kind cluster.Kind, dir string) (float64, error) {
	dir = filepath.Join(dir, kind.String())
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	c, err := cluster.New(cluster.Config{Kind: kind, Binary: o.binary, Dir: dir, Servers: 3, Lines: []string{"tickTime=2000"}})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := errors.Join(c.Start(), c.WaitServing(time.Minute)); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", kind, err, c.Logs(2000))
	}
	conns, err := connect(c, o.connections)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, conn := range conns {
			conn.Drop()
		}
	}()
	if _, _, err := round(o, conns, o.warmUp); err != nil {
		return 0, fmt.Errorf("%s, warm-up: %w", kind, err)
	}
	var rates []float64
	for n := range o.rounds {
		rate, latencies, err := round(o, conns, o.requests)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", kind, err)
		}
		fmt.Printf("%-10s round %d: %8.0f/s   latency p50 %v, p99 %v, max %v\n", kind, n+1, rate,
			at(latencies, 50), at(latencies, 99), at(latencies, 100))
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	median := rates[len(rates)/2]
	fmt.Printf("%-10s median : %8.0f/s\n", kind, median)
	return median, nil
}

// connect opens the sessions and makes a node for each.
func connect(c *cluster.Cluster, n int) ([]*wire.Conn, error) {
	addrs := c.ClientAddrs()
	var conns []*wire.Conn
	for i := range n {
		conn, err := wire.Dial(addrs[i%len(addrs)], 30*time.Second)
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
		if err := conn.Create(node(i), nil); err != nil {
			return nil, fmt.Errorf("create %s: %w", node(i), err)
		}
	}
	return conns, nil
}

func node(i int) string { return fmt.Sprintf("/bench-%d", i) }

// round sends requests over all connections at once and returns how many
// succeeded per second and how long each took, ascending. One error is a failure.
func round(o options, conns []*wire.Conn, requests int) (float64, []time.Duration, error) {
	took := make([][]time.Duration, len(conns))
	var group errgroup.Group
	started := time.Now()
	for i, conn := range conns {
		share := requests / len(conns)
		if i < requests%len(conns) {
			share++
		}
		took[i] = make([]time.Duration, share)
		group.Go(func() error {
			body := wire.SetRequest(node(i), make([]byte, o.bytes))
			window := wire.NewWindow(conn, o.outstanding)
			for n := range share {
				sent := time.Now()
				window.Set(body, func(wire.Reply) { took[i][n] = time.Since(sent) })
			}
			if n, err := window.Wait(); err != nil {
				return fmt.Errorf("%d of %d requests failed, first: %w", n, share, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, nil, err
	}
	rate := float64(requests) / time.Since(started).Seconds()
	return rate, slices.Sorted(slices.Values(slices.Concat(took...))), nil
}

// at returns a percentile of sorted latencies.
func at(latencies []time.Duration, percent int) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	return latencies[(len(latencies)-1)*percent/100].Round(10 * time.Microsecond)
}
