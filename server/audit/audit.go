package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/server"
)

// Limits of the queue and of what is written at once.
const (
	queueMax   = 16 << 10         // events
	queueBytes = 16 << 20         // of their texts; a path or an ACL may be long
	batchBytes = 256 << 10        // written at once
	lookEvery  = time.Second      // after the file of that name
	warnEvery  = 10 * time.Second // about events lost
)

// Config says where the log goes.
type Config struct {
	// Path is the file, which is appended to; empty means Writer.
	Path string
	// Writer is where the log goes without a Path; nil means stderr.
	Writer io.Writer
	// User stands for the server where no client acts; default is the user that
	// the process runs as, as in ZooKeeper.
	User string
	// Dropped is told how many events were lost; it may be nil.
	Dropped func(n int)
	// Logger is where trouble is reported; nil means slog.Default().
	Logger *slog.Logger
}

// Log is an audit log. Open makes one; Run writes it.
type Log struct {
	cfg   Config
	queue chan server.AuditEvent
	bytes atomic.Int64 // of the texts in queue
	lost  atomic.Int64 // not yet told of

	// Of the goroutine of Run:
	file   *os.File
	looked time.Time
	warned time.Time
	buf    bytes.Buffer
}

// Open opens the file, so that a wrong path is known at once.
func Open(cfg Config) (*Log, error) {
	if cfg.Writer == nil {
		cfg.Writer = os.Stderr
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.User == "" {
		if u, err := user.Current(); err == nil {
			cfg.User = u.Username
		}
	}
	l := &Log{cfg: cfg, queue: make(chan server.AuditEvent, queueMax)}
	if cfg.Path != "" {
		if err := l.open(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.cfg.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	l.file, l.looked = f, time.Now()
	return nil
}

// Record logs an event. It never waits: when too many wait to be written the event
// is lost, and counted. Any goroutine may call it.
func (l *Log) Record(e server.AuditEvent) {
	n := textBytes(&e)
	if l.bytes.Add(n) > queueBytes {
		l.bytes.Add(-n)
		l.drop(1)
		return
	}
	select {
	case l.queue <- e:
	default:
		l.bytes.Add(-n)
		l.drop(1)
	}
}

// textBytes is what an event weighs in the queue.
func textBytes(e *server.AuditEvent) int64 {
	return int64(len(e.User) + len(e.Znode) + len(e.ACL))
}

func (l *Log) drop(n int) {
	l.lost.Add(int64(n))
	if l.cfg.Dropped != nil {
		l.cfg.Dropped(n)
	}
}

// Run writes events until ctx ends, and then those that are there. It must be
// called once.
func (l *Log) Run(ctx context.Context) {
	for {
		select {
		case e := <-l.queue:
			l.batch(&e)
		case <-ctx.Done():
			l.batch(nil)
			for len(l.queue) > 0 || l.lost.Load() > 0 && l.warned.IsZero() {
				l.batch(nil)
			}
			if l.file != nil {
				_ = l.file.Close()
			}
			return
		}
	}
}

// batch writes an event, if there is one, and what else has come.
func (l *Log) batch(first *server.AuditEvent) {
	l.buf.Reset()
	n := 0
	if first != nil {
		l.take(first)
		n++
	}
more:
	for l.buf.Len() < batchBytes {
		select {
		case e := <-l.queue:
			l.take(&e)
			n++
		default:
			break more
		}
	}
	lost := l.lost.Swap(0)
	if lost > 0 {
		l.line(line{Time: stamp(time.Now()), User: l.cfg.User, Operation: operationDropped, Dropped: lost, Result: server.AuditFailure})
	}
	if l.buf.Len() == 0 {
		return
	}
	err := l.write(l.buf.Bytes())
	if err != nil {
		l.lost.Add(lost) // nobody has read of them
		l.drop(n)
	}
	if err != nil || lost > 0 {
		l.warn(err)
	}
}

// take puts an event that was in the queue into the batch.
func (l *Log) take(e *server.AuditEvent) {
	l.bytes.Add(-textBytes(e))
	l.encode(e)
}

// warn says that the audit log is not whole, now and then.
func (l *Log) warn(err error) {
	if now := time.Now(); now.Sub(l.warned) >= warnEvery {
		l.warned = now
		l.cfg.Logger.Error("the audit log has lost events: the disk is too slow, or full", "path", l.cfg.Path, "err", err)
	}
}

// write appends to the file, after a look whether it is still the one of that
// name.
func (l *Log) write(p []byte) error {
	if l.cfg.Path == "" {
		_, err := l.cfg.Writer.Write(p)
		return err
	}
	if now := time.Now(); l.file == nil || now.Sub(l.looked) >= lookEvery {
		l.looked = now
		if err := l.reopen(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(p)
	if err != nil && n > 0 {
		// Half a line would spoil the next one.
		_, nlErr := l.file.Write([]byte("\n"))
		err = errors.Join(err, nlErr)
	}
	return err
}

// reopen opens the file anew if it has been moved or removed.
func (l *Log) reopen() error {
	if l.file != nil {
		here, err1 := l.file.Stat()
		there, err2 := os.Stat(l.cfg.Path)
		if err1 == nil && err2 == nil && os.SameFile(here, there) {
			return nil
		}
		_ = l.file.Close()
		l.file = nil
	}
	return l.open()
}

// operationDropped is our own: events were lost.
const operationDropped = "auditDropped"

// line is an event as it is written. The order of the keys is ZooKeeper's.
type line struct {
	Time      string `json:"time"`
	Session   string `json:"session,omitempty"`
	User      string `json:"user,omitempty"`
	IP        string `json:"ip,omitempty"`
	Operation string `json:"operation"`
	Znode     string `json:"znode,omitempty"`
	ZnodeType string `json:"znode_type,omitempty"`
	ACL       string `json:"acl,omitempty"`
	Dropped   int64  `json:"dropped,omitempty"`
	Result    string `json:"result"`
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func (l *Log) encode(e *server.AuditEvent) {
	if e.User == "" && e.IP == "" {
		e.User = l.cfg.User
	}
	l.line(line{
		Time: stamp(e.Time), Session: e.Session, User: e.User, IP: e.IP, Operation: e.Operation,
		Znode: e.Znode, ZnodeType: e.ZnodeType, ACL: e.ACL, Result: e.Result,
	})
}

func (l *Log) line(x line) {
	enc := json.NewEncoder(&l.buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(x) // strings and a number into a buffer do not fail
}
