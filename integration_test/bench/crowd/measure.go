package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// column is what was measured of one kind of servers.
type column struct {
	empty, idle, after   int // MiB resident, the mean of the servers
	calm, beside, during latencies
	connects             latencies
	failed               int
	load                 string // of the machine, when sessions had come and gone
}

// latencies are sorted.
type latencies []time.Duration

func (l latencies) at(percent float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[int(float64(len(l)-1)*percent/100)]
}

// String is p50 / p99 / max.
func (l latencies) String() string {
	ms := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 1, 64) }
	return fmt.Sprintf("%s / %s / %s", ms(l.at(50)), ms(l.at(99)), ms(l.at(100)))
}

func measure(o options, kind cluster.Kind, dir string) (column, error) {
	var col column
	dir = filepath.Join(dir, kind.String())
	if err := os.Mkdir(dir, 0o755); err != nil {
		return col, err
	}
	c, err := cluster.New(cluster.Config{Kind: kind, Binary: o.binary, Dir: dir, Servers: 3, Lines: []string{"tickTime=2000", "maxClientCnxns=0"}})
	if err != nil {
		return col, err
	}
	defer c.Close()
	if err := errors.Join(c.Start(), c.WaitServing(time.Minute)); err != nil {
		return col, fmt.Errorf("%w\n%s", err, c.Logs(2000))
	}
	if err := exercise(c, 100); err != nil {
		return col, err
	}
	col.empty = resident(c)
	crowd, err := openIdle(o.idle, c.ClientAddrs())
	if err != nil {
		return col, fmt.Errorf("%w\n%s", err, c.Logs(2000))
	}
	defer crowd.close()
	time.Sleep(o.calm)
	col.idle = resident(c)
	if err := exercise(c, 20000); err != nil { // Java compiles while it runs
		return col, err
	}
	w, err := startWorker(c.ClientAddrs()[0])
	if err != nil {
		return col, err
	}
	time.Sleep(o.calm)
	col.beside = w.take()
	if err := crowd.alive(); err != nil {
		return col, err
	}
	col.connects, col.failed = storm(o, c.ClientAddrs())
	col.during, col.after, col.load = w.take(), resident(c), loadAverage()
	if err := crowd.alive(); err != nil {
		return col, err
	}
	crowd.leave()
	time.Sleep(3 * time.Second)
	w.take() // what it was while they went
	time.Sleep(o.calm)
	col.calm = w.take()
	return col, w.end()
}

// exercise writes to all servers.
func exercise(c *cluster.Cluster, n int) error {
	for i, addr := range c.ClientAddrs() {
		conn, err := wire.Dial(addr, 30*time.Second)
		if err != nil {
			return err
		}
		path := fmt.Sprintf("/exercise-%d", i)
		if err := conn.Create(path, nil); err != nil && !errors.Is(err, wire.ErrNodeExists) {
			return err
		}
		window := wire.NewWindow(conn, 64)
		for range n {
			window.Set(wire.SetRequest(path, make([]byte, 100)), nil)
		}
		if _, err := window.Wait(); err != nil {
			return err
		}
		conn.Close()
	}
	return nil
}

// resident is the mean of the servers' memory in MiB.
func resident(c *cluster.Cluster) int {
	sum := 0
	for _, s := range c.Servers {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Pid()))
		if err != nil {
			return 0
		}
		for line := range strings.Lines(string(data)) {
			if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
				kib, _ := strconv.Atoi(fields[1])
				sum += kib >> 10
			}
		}
	}
	return sum / len(c.Servers)
}

// worker is a client that writes and reads a node by turns, a hundred times a
// second, and notes how long each takes.
type worker struct {
	conn *wire.Conn
	stop chan struct{}
	done chan struct{}
	once sync.Once

	mu   sync.Mutex
	took latencies
	err  error
}

func startWorker(addr string) (*worker, error) {
	conn, err := wire.Dial(addr, 30*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.Create("/worker", nil); err != nil {
		return nil, err
	}
	w := &worker{conn: conn, stop: make(chan struct{}), done: make(chan struct{})}
	go w.work()
	return w, nil
}

func (w *worker) work() {
	defer close(w.done)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
		start := time.Now()
		var err error
		if i%2 == 0 {
			err = w.conn.Set("/worker", make([]byte, 100))
		} else {
			_, _, err = w.conn.Get("/worker")
		}
		w.mu.Lock()
		w.took = append(w.took, time.Since(start))
		w.err = err
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take returns what was noted since the last call.
func (w *worker) take() latencies {
	w.mu.Lock()
	defer w.mu.Unlock()
	took := w.took
	w.took = nil
	slices.Sort(took)
	return took
}

func (w *worker) end() error {
	w.once.Do(func() { close(w.stop) })
	<-w.done
	w.conn.Drop()
	return w.err
}

func printTable(o options, kinds []cluster.Kind, columns []column) {
	row := func(what string, value func(c column) string) {
		fmt.Printf("| %s |", what)
		for _, c := range columns {
			fmt.Printf(" %s |", value(c))
		}
		fmt.Println()
	}
	fmt.Print("| three servers |")
	for _, kind := range kinds {
		fmt.Printf(" %s |", kind)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("---|", len(kinds)))
	row("memory of a server before, MiB", func(c column) string { return strconv.Itoa(c.empty) })
	row(fmt.Sprintf("added by %d idle sessions on all, MiB (KiB for each session of a server's own)", o.idle), func(c column) string {
		return fmt.Sprintf("%d (%.1f)", c.idle-c.empty, float64(c.idle-c.empty)*1024*3/float64(max(o.idle, 1)))
	})
	row("working client alone, p50 / p99 / max, ms", func(c column) string { return c.calm.String() })
	row("the same beside the idle sessions", func(c column) string { return c.beside.String() })
	row(fmt.Sprintf("the same while %d sessions a second come and go", o.rate), func(c column) string { return c.during.String() })
	row("a new session of these, p50 / p99 / max, ms", func(c column) string { return c.connects.String() })
	row(fmt.Sprintf("sessions opened in %v; failed", o.storm), func(c column) string { return fmt.Sprintf("%d; %d", len(c.connects), c.failed) })
	row("memory of a server after that, MiB", func(c column) string { return strconv.Itoa(c.after) })
	row("load average of the machine then", func(c column) string { return c.load })
}
