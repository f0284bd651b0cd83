package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
	"github.com/quorate/quorate/server/proto"
)

// dribble sends a byte at a time until that fails or the patience is over, and
// returns an error in the second case.
func (c *intruder) dribble(b []byte, every, patience time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	shut := make(chan error, 1)
	go func() { shut <- c.shut(patience) }()
	for _, one := range b {
		select {
		case err := <-shut:
			return err
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			break
		}
		if _, err := c.nc.Write([]byte{one}); err != nil {
			return nil
		}
	}
	return <-shut
}

// Hundreds of clients that send a byte now and then, in the handshake and in the
// midst of a long request, are got rid of and disturb nobody.
func TestHostileClients_SlowLoris(t *testing.T) {
	s := besiege(t, true, "nio.sessionlessCnxnTimeout=1000", "largeRequestThreshold=100000", "largeRequestMaxBytes=150000000")
	var group errgroup.Group
	for range 200 {
		c := stranger(t, s.target.ClientAddr())
		group.Go(func() error { return c.dribble(connectRequest(), 200*time.Millisecond, 6*time.Second) })
	}
	long := asked(1, proto.OpSetData, &proto.SetDataRequest{Path: "/witness", Data: make([]byte, 1_000_000)})
	for range 140 {
		c := stranger(t, s.target.ClientAddr())
		ok, err := c.enter(proto.ConnectRequest{TimeoutMillis: 1000})
		require.NoError(t, err)
		require.True(t, ok)
		group.Go(func() error { return c.dribble(long, 100*time.Millisecond, 10*time.Second) })
	}
	require.NoError(t, group.Wait(), "a client that never comes to an end is kept")
	s.says("no session within the handshake timeout")
	c := insider(t, s.target.ClientAddr()) // the room for large requests is free again
	for range 20 {
		assert.Equal(t, proto.ErrNoNode, c.do(proto.OpSetData, &proto.SetDataRequest{Path: "/none", Data: make([]byte, 1_000_000)}))
	}
	s.outlast(64)
}

// Clients arm watches and never read, while what they watch changes: much, for
// the events are long. What waits for them is bounded, for each and for all.
func TestHostileClients_NeverRead(t *testing.T) {
	s := besiege(t, true)
	const readers = 50
	var lazy []*intruder
	for range readers {
		c := insider(t, s.target.ClientAddr())
		require.NoError(t, c.nc.(*net.TCPConn).SetReadBuffer(64<<10)) // the kernel shall not read for it
		require.Equal(t, proto.OK, c.do(proto.OpAddWatch, &proto.AddWatchRequest{Path: "/", Mode: proto.AddWatchPersistentRecursive}))
		lazy = append(lazy, c)
	}
	writer := insider(t, s.target.ClientAddr())
	name := fmt.Sprintf("/%0400000d", 0)
	for range 20 { // 800 MB of events
		require.Equal(t, proto.OK, writer.do(proto.OpCreate, creating(name, 0)))
		require.Equal(t, proto.OK, writer.do(proto.OpDelete, &proto.PathVersionRequest{Path: name, Version: -1}))
		for _, c := range lazy { // they are not silent
			_, _ = c.nc.Write(asked(proto.XidPing, proto.OpPing, &proto.Empty{}))
		}
	}
	s.says("closed a connection whose client did not read")
	s.outlast(1300)
}

// Clients pipeline reads of a long node and do not take the replies, while others
// write.
func TestHostileClients_SlowReadersUnderWriteLoad(t *testing.T) {
	s := besiege(t, true)
	mustCreate(t, s.target.ClientAddr(), "/long", make([]byte, 500_000))
	l := startLoad(t, "writes", 2, s.c.Servers...)
	l.WaitAcks(t, 100, servingTimeout)
	from := time.Since(l.start)
	var readers []*intruder
	for range 40 {
		c := insider(t, s.target.ClientAddr())
		var b []byte
		for i := range int32(200) { // 100 MB of replies
			b = append(b, asked(i+1, proto.OpGetData, reading("/long", true))...)
		}
		_, err := c.nc.Write(b)
		require.NoError(t, err)
		readers = append(readers, c)
	}
	l.WaitAcks(t, 500, servingTimeout)
	for i := range int32(200) { // one of them reads at last
		h, _ := readers[0].reply()
		require.Equal(t, i+1, h.Xid)
	}
	l.Quiet(t, from, witnessPatience())
	l.Stop()
	s.outlast(600)
}

// Ten thousand requests are sent before a reply is read: all are answered, in
// order, and what waits meanwhile is bounded.
func TestHostileClients_PipelineWithoutReading(t *testing.T) {
	s := besiege(t, true)
	const n = 10_000
	data := make([]byte, 2000)
	var clients []*intruder
	var senders sync.WaitGroup
	for range 4 {
		c := insider(t, s.target.ClientAddr())
		clients = append(clients, c)
		senders.Go(func() {
			for i := range int32(n) {
				op, rec := proto.OpGetData, proto.Record(reading("/witness", false))
				if i/100%2 == 0 {
					op, rec = proto.OpSetData, &proto.SetDataRequest{Path: "/", Data: data, Version: -1}
				}
				if _, err := c.nc.Write(asked(i+1, op, rec)); err != nil {
					t.Errorf("request %d: %v", i+1, err)
					return
				}
			}
		})
	}
	time.Sleep(time.Second) // unread meanwhile
	for _, c := range clients {
		for i := range int32(n) {
			h, _ := c.reply()
			require.Equal(t, i+1, h.Xid)
			require.Equal(t, proto.OK, h.Err)
		}
	}
	senders.Wait()
	s.outlast(300)
}

// Four-letter words and admin commands are answered, or refused in a sentence,
// whatever the servers are going through: sessions that end, a leader that is
// killed, elections.
func TestHostileClients_WordsAtAllTimes(t *testing.T) {
	onlyQuorate(t)
	c := startOperated(t, cluster.Quorate, 3)
	stop := make(chan struct{})
	var group errgroup.Group
	words := []string{"dump", "cons", "stat", "mntr", "srvr", "wchs", "wchc", "wchp", "crst", "srst", "dgst", "conf", "envi", "memb", "isro", "ruok", "dirs"}
	commands := []string{"commands/dump", "commands/connections", "commands/monitor", "commands/leader", "commands/zabstate", "commands/watches",
		"commands/stats", "commands/hash", "commands/voting_view", "commands/observers", "commands/is_read_only", "commands/last_snapshot",
		"commands/configuration", "commands/connection_stat_reset", "commands/stat_reset", "commands", "metrics"}
	answered, told := make([]int, len(c.Servers)), make([]int, len(c.Servers))
	for i, server := range c.Servers {
		addr := server.ClientAddr()
		group.Go(func() error {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return nil
				default:
				}
				word := words[n%len(words)]
				text, err := askWord(addr, word)
				if err != nil {
					return fmt.Errorf("%s: %w", word, err)
				}
				if text != "" {
					answered[i]++
				}
			}
		})
		admin := fmt.Sprintf("http://127.0.0.1:%d/", c.admin[server.ID])
		group.Go(func() error {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return nil
				default:
				}
				command := commands[n%len(commands)]
				text, err := askAdmin(admin + command)
				if err != nil {
					return fmt.Errorf("%s: %w", command, err)
				}
				if text != "" {
					told[i]++
				}
			}
		})
		group.Go(func() error { // sessions that come and go, with what is theirs
			for n := 0; ; n++ {
				select {
				case <-stop:
					return nil
				default:
				}
				conn, err := wire.Dial(addr, 2*time.Second)
				if err != nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				_ = conn.CreateEphemeral(fmt.Sprintf("/e-%d-%d", i, n), nil)
				if n%2 == 0 {
					conn.Close()
				} else {
					conn.Drop()
				}
			}
		})
	}
	for range 2 {
		leader, err := c.Leader(servingTimeout)
		require.NoError(t, err)
		leader.Kill()
		_, err = c.Leader(servingTimeout)
		require.NoError(t, err)
		require.NoError(t, leader.Start())
		require.NoError(t, leader.WaitServing(servingTimeout))
	}
	close(stop)
	require.NoError(t, group.Wait())
	t.Logf("answered: %v words, %v commands", answered, told)
	for i := range c.Servers {
		assert.Greater(t, answered[i], 10)
		assert.Greater(t, told[i], 10)
	}
}

// askAdmin asks for one page, as askWord does.
func askAdmin(url string) (string, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url)
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
		return "", err
	}
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return "", nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil: // it is being killed
		return "", nil
	case resp.StatusCode != http.StatusOK || len(text) == 0:
		return "", fmt.Errorf("status %s: %q", resp.Status, text)
	case strings.Contains(url, "/commands/") && !json.Valid(text):
		return "", fmt.Errorf("no JSON: %.200q", text)
	}
	return string(text), nil
}

// askWord asks one word. That nobody listens, or that the process is being killed,
// is no error; to hang is one.
func askWord(addr, word string) (string, error) {
	c, err := knock(nil, "127.0.0.1", addr)
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return "", nil
	}
	defer c.nc.Close()
	_ = c.nc.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c.nc, word); err != nil {
		return "", nil
	}
	text, err := io.ReadAll(c.in)
	if late := interface{ Timeout() bool }(nil); errors.As(err, &late) && late.Timeout() {
		return "", fmt.Errorf("no answer in 5 s, only %q", text)
	}
	if err == nil && word == "ruok" && string(text) != "imok" {
		return "", fmt.Errorf("answers %q", text)
	}
	return strings.TrimSpace(string(text)), nil
}
