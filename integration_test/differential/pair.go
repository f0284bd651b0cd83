package differential

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// PairConfig says which servers to start.
type PairConfig struct {
	Dir     string // where all files go
	Binary  string // the quorate binary
	Servers int    // of each kind; 1 stands alone
	TTL     bool   // extendedTypesEnabled
	// Reaping is how often containers and TTL nodes are looked for; 0 is never.
	Reaping time.Duration
}

// Pair is an ensemble of ZooKeeper's and one of Quorate's, with the same
// configuration.
type Pair struct {
	Real, Ours *Side
}

// Side is one of the two.
type Side struct {
	Cluster *cluster.Cluster
	Player  Player
	admin   *wire.Conn
	wakers  []*wire.Conn // one for each server
}

// The super user of both sides, whose password is secret.
const (
	superUser   = "super:secret"
	superDigest = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
)

// startTimeout is ample for a start on a busy machine.
const startTimeout = 60 * time.Second

// StartPair starts both and waits until they serve.
func StartPair(cfg PairConfig) (*Pair, error) {
	p := &Pair{}
	var err error
	if p.Real, err = startSide(cfg, cluster.ZooKeeper); err != nil {
		return nil, err
	}
	if p.Ours, err = startSide(cfg, cluster.Quorate); err != nil {
		p.Close()
		return nil, err
	}
	for _, s := range []*Side{p.Real, p.Ours} {
		if err := s.ready(); err != nil {
			err = fmt.Errorf("%w\n%s", err, s.Cluster.Logs(2000))
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

func startSide(cfg PairConfig, kind cluster.Kind) (*Side, error) {
	dir := filepath.Join(cfg.Dir, kind.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	reaping := fmt.Sprintf("znode.container.checkIntervalMs=%d", cmp.Or(cfg.Reaping, time.Hour).Milliseconds())
	lines := []string{
		"tickTime=1000", fmt.Sprintf("minSessionTimeout=%d", timeoutMin), fmt.Sprintf("maxSessionTimeout=%d", timeoutMax),
		"DigestAuthenticationProvider.superDigest=" + superDigest, reaping,
	}
	if kind == cluster.ZooKeeper {
		lines = append(lines, "forceSync=no", "preAllocSize=1024")
	}
	if cfg.TTL {
		lines = append(lines, "extendedTypesEnabled=true")
	}
	c, err := cluster.New(cluster.Config{
		Kind: kind, Binary: cfg.Binary, Dir: dir, Servers: cfg.Servers, Lines: lines,
		JavaFlags: []string{"-Xmx400m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
			"-D" + reaping},
	})
	if err != nil {
		return nil, err
	}
	return &Side{Cluster: c}, c.Start()
}

// ready waits until the side serves, and connects the super user.
func (s *Side) ready() error {
	if err := s.Cluster.WaitServing(startTimeout); err != nil {
		return err
	}
	s.Player.Addrs = s.Cluster.ClientAddrs()
	var err error
	if s.admin, err = wire.Dial(s.Player.Addrs[0], timeoutMax*time.Millisecond); err != nil {
		return err
	}
	auth := Request{Body: []Token{i32(0), str("digest"), str(superUser)}}
	if _, err = s.call(opAuth, &auth); err != nil || s.Cluster.Config.Kind != cluster.ZooKeeper || len(s.Player.Addrs) == 1 {
		return err
	}
	s.Player.Lags = true
	for _, addr := range s.Player.Addrs {
		c, err := wire.Dial(addr, timeoutMax*time.Millisecond)
		if err != nil {
			return err
		}
		s.wakers = append(s.wakers, c)
	}
	return nil
}

// wakePeriod is how long a server of ZooKeeper may sleep over a request.
const wakePeriod = 100 * time.Millisecond

// keepAwake has every server of ZooKeeper answer something now and then, until
// stop is called: see lostWakeup. Ours must do without.
func (s *Side) keepAwake() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range s.wakers {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(wakePeriod):
					_, _, _ = c.Get("/")
				}
			}
		})
	}
	return func() {
		close(done)
		wg.Wait()
	}
}

// call sends a request as the super user.
func (s *Side) call(op int32, r *Request) (wire.Reply, error) {
	reply := make(chan wire.Reply, 1)
	s.admin.Send(op, r.frame(0)[requestHeaderBytes:], false, func(r wire.Reply) { reply <- r })
	r0 := <-reply
	return r0, r0.Err
}

// zxid is where the side is now.
func (s *Side) zxid() (int64, error) {
	r, err := s.call(opExists, &Request{Body: []Token{str("/"), boolean(false)}})
	return r.Zxid, err
}

// clean deletes what a script has left.
func (s *Side) clean(roots []string) error {
	for _, root := range roots {
		nodes, err := s.admin.Dump(root)
		if err != nil {
			return err
		}
		slices.Reverse(nodes)
		for _, n := range nodes {
			if err := s.admin.Delete(n.Path); err != nil && err != wire.ErrNoNode {
				return fmt.Errorf("delete %s: %w", n.Path, err)
			}
		}
	}
	return nil
}

// Close ends the servers.
func (s *Side) Close() {
	if s == nil {
		return
	}
	if s.admin != nil {
		s.admin.Drop()
	}
	for _, c := range s.wakers {
		c.Drop()
	}
	s.Cluster.Close()
}

// Close ends all servers.
func (p *Pair) Close() {
	p.Real.Close()
	p.Ours.Close()
}

// Play plays a script on both sides at once and compares.
func (p *Pair) Play(s *Script) (*Outcome, error) {
	var wg sync.WaitGroup
	var seen [2][]Observation
	var canons [2]*Canon
	var errs [2]error
	for i, side := range []*Side{p.Real, p.Ours} {
		wg.Go(func() {
			defer side.keepAwake()()
			base, err := side.zxid()
			if err == nil {
				seen[i], canons[i], err = side.Player.Play(s, base)
			}
			if err == nil {
				err = side.clean(s.Roots)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	var o *Outcome
	if errs == [2]error{} {
		o = Compare(s, seen[0], seen[1], canons[0], canons[1])
	}
	for i, err := range errs {
		// A server that is about to end may have answered to the last.
		if err != nil || o != nil && o.Case != nil {
			err = errors.Join(err, []*Side{p.Real, p.Ours}[i].dead())
		}
		if err != nil {
			return nil, fmt.Errorf("play %s on %s: %w", s.Name, []string{"ZooKeeper", "Quorate"}[i], err)
		}
	}
	return o, nil
}

// DeadError says that a server has ended.
type DeadError struct {
	Kind cluster.Kind
	Log  string // its end
}

func (e *DeadError) Error() string { return e.Kind.String() + " has ended" }

// dead returns a DeadError if a server of the side does not run any more, or says
// that it is about to end.
func (s *Side) dead() error {
	for _, server := range s.Cluster.Servers {
		log := server.Log()
		log = log[max(0, len(log)-20000):]
		if !server.Running() || strings.Contains(log, "Severe unrecoverable error") {
			return &DeadError{s.Cluster.Config.Kind, log}
		}
	}
	return nil
}
