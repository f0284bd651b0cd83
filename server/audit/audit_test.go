package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server"
)

func event(znode string) server.AuditEvent {
	return server.AuditEvent{Time: time.UnixMilli(1_700_000_000_123), Session: "0x1", User: "10.0.0.1,bob", IP: "10.0.0.1", Operation: server.AuditCreate,
		Znode: znode, ZnodeType: "persistent", Result: server.AuditSuccess}
}

// start runs a log until the returned function is called.
func start(t *testing.T, cfg Config) (l *Log, stop func()) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	l, err := Open(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { l.Run(ctx); close(over) }()
	return l, func() { cancel(); <-over }
}

func TestLog_Lines(t *testing.T) {
	var out bytes.Buffer
	l, stop := start(t, Config{Writer: &out, User: "root"})
	l.Record(event("/a\n\"<b>\xff"))
	l.Record(server.AuditEvent{Time: time.UnixMilli(0), Operation: server.AuditServerStop, Result: server.AuditInvoked})
	l.Record(server.AuditEvent{Time: time.UnixMilli(0), Session: "0x2", Operation: server.AuditEphemeral, Znode: "/e", Result: server.AuditSuccess})
	stop()
	assert.Equal(t, `{"time":"2023-11-14T22:13:20.123Z","session":"0x1","user":"10.0.0.1,bob","ip":"10.0.0.1","operation":"create",`+
		`"znode":"/a\n\"<b>\ufffd","znode_type":"persistent","result":"success"}
{"time":"1970-01-01T00:00:00.000Z","user":"root","operation":"serverStop","result":"invoked"}
{"time":"1970-01-01T00:00:00.000Z","session":"0x2","user":"root","operation":"ephemeralZNodeDeletionOnSessionCloseOrExpire","znode":"/e","result":"success"}
`, out.String())
}

func TestLog_EverythingIsWrittenAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	l, stop := start(t, Config{Path: path})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				l.Record(event("/a"))
			}
		})
	}
	wg.Wait()
	stop()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 4000, bytes.Count(b, []byte("\n")))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// blocked is a disk that does not come back until it is let go, and may fail.
type blocked struct {
	gate chan struct{}
	fail bool
	buf  bytes.Buffer
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.gate
	if b.fail {
		b.fail = false
		return 0, errors.New("disk full")
	}
	return b.buf.Write(p)
}

// Record never waits, and what is lost is said.
func TestLog_DropsAreCountedAndTold(t *testing.T) {
	for _, fail := range []bool{false, true} {
		out := &blocked{gate: make(chan struct{}), fail: fail}
		dropped := 0
		l, stop := start(t, Config{Writer: out, Dropped: func(n int) { dropped += n }})
		for range queueMax + batchBytes/100 + 1000 {
			l.Record(event("/a"))
		}
		close(out.gate)
		stop()
		lines, told := 0, int64(0)
		for text := range strings.Lines(out.buf.String()) {
			var x line
			require.NoError(t, json.Unmarshal([]byte(text), &x))
			if x.Operation == operationDropped {
				told += x.Dropped
				assert.Equal(t, server.AuditFailure, x.Result)
				continue
			}
			lines++
		}
		assert.Positive(t, told)
		assert.EqualValues(t, dropped, told, "fail=%v", fail)
		assert.Equal(t, queueMax+batchBytes/100+1000, lines+dropped, "each is written or counted")
	}
}

// logrotate moves the file away; the next line begins a new one.
func TestLog_ReopensWhatWasMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	synctest.Test(t, func(t *testing.T) {
		l, stop := start(t, Config{Path: path})
		l.Record(event("/1"))
		synctest.Wait()
		require.NoError(t, os.Rename(path, path+".1"))
		l.Record(event("/2")) // within the second in which nobody looks
		time.Sleep(2 * lookEvery)
		l.Record(event("/3"))
		synctest.Wait()
		require.NoError(t, os.Remove(path))
		time.Sleep(2 * lookEvery)
		l.Record(event("/4"))
		stop()
	})
	old, err := os.ReadFile(path + ".1")
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(old), "\n"))
	now, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(now), `"/4"`)
}

func TestOpen_WrongPath(t *testing.T) {
	_, err := Open(Config{Path: filepath.Join(t.TempDir(), "no", "such")})
	require.ErrorContains(t, err, "open the audit log")
}

func BenchmarkRecord(b *testing.B) {
	l, err := Open(Config{Writer: io.Discard})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go l.Run(ctx)
	for b.Loop() {
		l.Record(event("/a"))
	}
}
