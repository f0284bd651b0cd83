package integration_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// tryWrite creates a node through a session of its own.
func tryWrite(s *cluster.Server, path string) error {
	conn, err := wire.Dial(s.ClientAddr(), 2*time.Second)
	if err != nil {
		return err
	}
	defer conn.Drop()
	return conn.Create(path, nil)
}

// hostileFrames are what is sent to each port, one connection each: lengths
// that lie, frames cut short, random bytes, and a well-formed beginning with
// random bytes behind it.
func hostileFrames(random *rand.Rand, n int) [][]byte {
	length := func(v int32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(v)), rest...)
	}
	frames := [][]byte{
		length(-1), length(0), length(1<<31 - 1), length(-1 << 31), length(1 << 20), length(45, 0, 0, 0),
		length(-1, make([]byte, 64)...), length(0, make([]byte, 64)...), length(1<<31-1, make([]byte, 64)...),
		{0}, {0, 0, 0}, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), []byte("ruo"), []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	}
	for range n {
		b := make([]byte, 1+random.IntN(2000))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		if random.IntN(2) == 0 { // a length that is right, or nearly
			b = append(length(int32(len(b)-random.IntN(2))), b...)
		}
		frames = append(frames, b)
	}
	return frames
}

// connectRequest is a well-formed beginning of a client's session.
func connectRequest() []byte {
	b := binary.BigEndian.AppendUint32(nil, 44)
	b = append(b, make([]byte, 12)...) // version, last zxid
	b = binary.BigEndian.AppendUint32(b, 4000)
	b = append(b, make([]byte, 8)...) // session
	b = binary.BigEndian.AppendUint32(b, 16)
	return append(b, make([]byte, 16)...)
}

// assault sends one frame and waits until the server closes, or until the
// patience is over. Half of the connections also say that nothing more comes.
func assault(addr string, frame []byte, half bool, patience time.Duration) error {
	conn, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(frame); err != nil {
		return nil // it was closed early
	}
	if half {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	_, _ = io.Copy(io.Discard, conn)
	return nil
}

func TestHostile_FramesOnEveryPort(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	l := startLoad(t, "frames", 1, c.Servers...)
	l.WaitAcks(t, 100, servingTimeout)
	leader, err := c.Leader(servingTimeout)
	require.NoError(t, err)
	victim := follower(t, c)
	random := rand.New(rand.NewPCG(*seedFlag, 0))
	t.Logf("seed %d", *seedFlag)
	targets := []struct {
		name   string
		server *cluster.Server
		addr   string
		prefix []byte // a good beginning, for half of the frames
	}{
		{"client port", leader, leader.ClientAddr(), connectRequest()},
		{"client port of a follower", victim, victim.ClientAddr(), connectRequest()},
		{"quorum port", leader, leader.QuorumAddr(), nil},
		{"election port", leader, leader.ElectionAddr(), nil},
		{"election port of a follower", victim, victim.ElectionAddr(), nil},
	}
	for _, target := range targets {
		memory, logged, from := residentMiB(target.server), len(target.server.Log()), time.Since(l.start)
		frames := hostileFrames(random, *hostileFlag)
		var attackers errgroup.Group
		attackers.SetLimit(16)
		for i, frame := range frames {
			if i%2 == 1 {
				frame = append(append([]byte(nil), target.prefix...), frame...)
			}
			attackers.Go(func() error { return assault(target.addr, frame, i%4 < 2, 200*time.Millisecond) })
		}
		require.NoError(t, attackers.Wait(), "%s refuses connections", target.name)
		require.True(t, target.server.Running(), "the server has ended: %s", target.name)
		l.WaitAcks(t, 20, servingTimeout)
		gap := l.Quiet(t, from, 2*time.Second)
		lines := strings.Count(logSince(target.server, logged), "\n")
		grown := residentMiB(target.server) - memory
		t.Logf("%s: %d hostile connections; %d lines logged, %d MiB more memory, longest wait for a write %v",
			target.name, len(frames), lines, grown, gap.Round(time.Millisecond))
		assert.Less(t, grown, 256, "%s: a lying length must not cost memory", target.name)
		if !*zooKeeperFlag {
			assert.LessOrEqual(t, lines, 3*len(frames), "%s: one clear line is enough", target.name)
			assert.NotContains(t, logSince(target.server, logged), "goroutine ", "%s: a panic was logged", target.name)
		}
	}
	still, err := c.Leader(servingTimeout)
	require.NoError(t, err)
	assert.Equal(t, leader.ID, still.ID, "the leader changed")
	l.verify(t, c.Servers...)
	sameHistory(t, c.Servers...)
}

// residentMiB is a process's memory, from /proc; 0 where there is none.
func residentMiB(s *cluster.Server) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Pid()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib >> 10
		}
	}
	return 0
}

var noise = regexp.MustCompile(`level"?[=:]"?(DEBUG|INFO)`)

// complaint waits for a line of some log, behind its first bytes as in sizes,
// that is at least a warning and has all these words.
func complaint(t *testing.T, sizes map[*cluster.Server]int, words ...string) string {
	t.Helper()
	var found string
	eventually(t, 15*time.Second, fmt.Sprintf("a warning with %q in one of the logs", words), func() error {
		for s, n := range sizes {
			for line := range strings.Lines(logSince(s, n)) {
				if !noise.MatchString(line) && hasAll(line, words) {
					found = fmt.Sprintf("server %d: %s", s.ID, strings.TrimSpace(line))
					return nil
				}
			}
		}
		return errors.New("there is none")
	})
	return found
}

func logSizes(servers ...*cluster.Server) map[*cluster.Server]int {
	sizes := map[*cluster.Server]int{}
	for _, s := range servers {
		sizes[s] = len(s.Log())
	}
	return sizes
}

// impostor makes one more server with a configuration of its own.
func impostor(t *testing.T, c *cluster.Cluster, id int) *cluster.Server {
	t.Helper()
	s, err := c.Stranger(id)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("--- log of impostor %d ---\n%s", id, s.Log())
		}
	})
	return s
}

// Each impostor knows the ensemble's addresses and must not get in.
func TestHostile_Impostors(t *testing.T) {
	onlyQuorate(t)
	c := startCluster(t, cluster.Config{Servers: 3, Lines: []string{"ensemble.name=orders"}})
	l := startLoad(t, "impostors", 1, c.Servers...)
	l.WaitAcks(t, 100, servingTimeout)

	try := func(name string, s *cluster.Server, words []string, lines ...string) {
		require.NoError(t, s.WriteConfig(lines...))
		from, sizes := time.Since(l.start), logSizes(append([]*cluster.Server{s}, c.Servers...)...)
		sizes[s] = 0
		require.NoError(t, s.Start())
		t.Logf("%s: %s", name, complaint(t, sizes, words...))
		mode, err := s.Mode()
		assert.Error(t, err, "%s: it serves as %s", name, mode)
		l.WaitAcks(t, 50, servingTimeout)
		l.Quiet(t, from, 2*time.Second)
		s.Kill()
	}
	members := c.MemberLines()
	withPorts := func(s *cluster.Server) string {
		return fmt.Sprintf("server.%d=127.0.0.1:%d:%d", s.ID, s.QuorumPort, s.ElectionPort)
	}

	unknown := impostor(t, c, 7)
	try("a sid that nobody knows", unknown, []string{"7"}, append(members, withPorts(unknown), "ensemble.name=orders")...)

	twice := impostor(t, c, 2)
	try("a sid used twice", twice, []string{"2"}, members[0], withPorts(twice), members[2], "ensemble.name=orders")

	other := impostor(t, c, 8)
	try("another ensemble", other, []string{"ensemble", "invoices"}, append(members, withPorts(other), "ensemble.name=invoices")...)

	// A member with a wrong ensemble.name is as much a stranger.
	member := follower(t, c)
	member.Kill()
	wrong := impostor(t, c, member.ID)
	wrong.QuorumPort, wrong.ElectionPort = member.QuorumPort, member.ElectionPort
	try("a member's sid and ports, another ensemble", wrong, []string{"ensemble", "invoices"}, append(members, "ensemble.name=invoices")...)
	require.NoError(t, member.Start())
	require.NoError(t, member.WaitServing(servingTimeout))
	l.verify(t, c.Servers...)
	sameHistory(t, c.Servers...)
}

// A server whose disk is full says so and stops; the others go on, and with
// room again it comes back.
func TestHostile_FullDisk(t *testing.T) {
	onlyQuorate(t)
	c := newCluster(t, cluster.Config{Servers: 3, Lines: []string{"preAllocSize=1024"}})
	victim := c.Server(2)
	mountSmall(t, victim.DataDir(), 24)
	require.NoError(t, os.WriteFile(filepath.Join(victim.DataDir(), "myid"), []byte("2\n"), 0o644))
	require.NoError(t, c.Start())
	require.NoError(t, c.WaitServing(servingTimeout))
	l := startLoad(t, "disk", 1, c.Server(1), c.Server(3))
	l.WaitAcks(t, 100, servingTimeout)

	filler := filepath.Join(victim.DataDir(), "filler")
	_ = os.WriteFile(filler, make([]byte, 32<<20), 0o644) // as much as there is room for
	from, logged := time.Since(l.start), len(victim.Log())
	conn := dial(t, c.Server(1).ClientAddr())
	require.NoError(t, existing(conn.Create("/big", nil)))
	payload := make([]byte, 256<<10)
	for i := 0; i < 100 && victim.Running(); i++ {
		if err := conn.Create(fmt.Sprintf("/big/%d", i), payload); errors.Is(err, wire.ErrLost) {
			conn = dial(t, c.Server(3).ClientAddr()) // it led, or its server followed it
		}
	}
	t.Logf("full disk: %s", sentence(t, victim, logged, "no space left"))
	code, err := victim.WaitExit(15 * time.Second)
	require.NoError(t, err, "a server that cannot write must end")
	assert.NotEqual(t, 0, code)
	l.WaitAcks(t, 100, servingTimeout)
	l.Quiet(t, from, 3*time.Second)

	require.NoError(t, os.Remove(filler))
	for i := range 100 { // so that a snapshot fits
		_ = conn.Delete(fmt.Sprintf("/big/%d", i))
	}
	require.NoError(t, victim.Start())
	require.NoError(t, victim.WaitServing(servingTimeout))
	l.verify(t, c.Servers...)
	sameHistory(t, c.Servers...)
}

// runCommand runs the command to its end and returns what it printed and its exit code.
func runCommand(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(quorateBinary, args...)
	timer := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestHostile_ConfigurationWithTypos(t *testing.T) {
	onlyQuorate(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "zoo.cfg")
	text := "dataDri=" + dir + "\nclientPort=21x\nserver.1=127.0.0.1:2888:3888\nsecureClientPort=2281\nforceSync=no\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	out, code := runCommand(t, "server", path)
	t.Logf("exit code %d:\n%s", code, out)
	assert.Greater(t, code, 0)
	for _, want := range []string{
		path + `:1: unknown key "dataDri"; did you mean dataDir?`, path + ":2: clientPort=21x",
		path + ":4: secureClientPort: ssl.keyStore.location is missing", path + ":5: forceSync=no is refused", "dataDir is missing",
	} {
		assert.Contains(t, out, want)
	}
	for _, args := range [][]string{{"server"}, {"server", path, path}, {"serve"}, {"status", "--nonsense"}, {"local", "--servers", "many"}} {
		out, code := runCommand(t, args...)
		assert.Equal(t, 2, code, "quorate %v: %s", args, out)
		assert.NotEmpty(t, out, "quorate %v", args)
		assert.NotContains(t, out, "goroutine ", "quorate %v", args)
	}
	out, code = runCommand(t, "server", filepath.Join(dir, "none.cfg"))
	assert.Greater(t, code, 0)
	assert.Contains(t, out, "none.cfg: the configuration file does not exist")
}

// A port in use is named in one line, and the rest of the quorum goes on.
func TestHostile_PortInUse(t *testing.T) {
	onlyQuorate(t)
	c := startCluster(t, cluster.Config{Servers: 3})
	l := startLoad(t, "ports", 1, c.Servers...)
	l.WaitAcks(t, 50, servingTimeout)
	victim := follower(t, c)
	for name, port := range map[string]int{"client": victim.ClientPort, "election": victim.ElectionPort} {
		victim.Kill()
		squatter, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		require.NoError(t, err)
		from, logged := time.Since(l.start), len(victim.Log())
		require.NoError(t, victim.Start())
		t.Logf("%s port in use: %s", name, sentence(t, victim, logged, strconv.Itoa(port), "in use"))
		code, err := victim.WaitExit(10 * time.Second)
		require.NoError(t, err, "a server without its %s port must end", name)
		assert.NotEqual(t, 0, code)
		l.WaitAcks(t, 50, servingTimeout)
		l.Quiet(t, from, 2*time.Second)
		require.NoError(t, squatter.Close())
	}
	require.NoError(t, victim.Start())
	require.NoError(t, victim.WaitServing(servingTimeout))
	l.verify(t, c.Servers...)
}
