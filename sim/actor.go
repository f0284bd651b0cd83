package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// replySpan is how long a script waits for an answer.
const replySpan = 10 * time.Second

// actor is a client that a script plays.
type actor struct {
	s       *stage
	c       *client
	last    *check.Op // the last request
	notices int       // of the history, that have been looked at
}

// client carries out client K …. A request waits for its answer, unless its name
// has a ~ before it; got waits for the answer then. With a ? before it, it is made
// only if the client has a session.
func (s *stage) client(words []string) error {
	k, err := strconv.Atoi(words[0])
	if err != nil || k < 1 || k > 200 {
		return fmt.Errorf("%q: want the number of a client, 1 to 200", words[0])
	}
	a := s.actors[k]
	if a == nil {
		c := newClient(s.w, 50+k)
		c.quiet, c.manual, c.timeout = true, true, 4000
		a = &actor{s: s, c: c}
		s.actors[k] = a
	}
	what, later := strings.CutPrefix(words[1], "~")
	what, perhaps := strings.CutPrefix(what, "?")
	rest := words[2:]
	switch what {
	case "connect":
		return a.connect(rest)
	case "leave":
		if a.c.conn == nil {
			return errors.New("it is not connected")
		}
		a.c.conn.close(true)
		return nil
	case "got":
		return a.got(rest)
	case "waits":
		if a.last == nil || a.last.Returned != 0 || !a.c.connected(a.last) {
			return errors.New("it does not wait for an answer")
		}
		return nil
	case "notice":
		return a.notice(rest)
	case "silent":
		if n := a.nextNotice(); n != nil {
			return fmt.Errorf("it got %v %s", n.Type, n.Path)
		}
		return nil
	}
	code, body, err := parseRequest(what, rest)
	if err != nil {
		return err
	}
	switch ready := a.c.conn != nil && a.c.conn.ready; {
	case !ready && perhaps:
		return nil
	case !ready:
		return errors.New("it has no session at the moment")
	}
	a.c.conn.request(code, body)
	a.last = s.w.history.Ops[len(s.w.history.Ops)-1]
	if !later {
		a.answered()
	}
	return nil
}

// answered waits for the answer to the last request, or for the end of its
// connection.
func (a *actor) answered() {
	a.s.wait(replySpan, func() bool { return a.last.Returned != 0 || !a.c.connected(a.last) })
}

// connected reports whether the connection of a request is still there.
func (c *client) connected(op *check.Op) bool { return c.conn != nil && c.conn.record.Conn == op.Conn }

// wait lets time pass until something holds.
func (s *stage) wait(span time.Duration, holds func() bool) bool {
	for limit := s.w.now + span; !holds(); {
		at, ok := s.w.queue.next()
		if !ok || at > limit {
			s.w.run(limit)
			return holds()
		}
		s.w.run(at)
	}
	return true
}

const connectUsage = "want: connect N [timeout 2s] [within 5s] [fails]"

// connect: connect N [timeout 2s] [within 5s] [fails]. It tries again and again,
// at that server.
func (a *actor) connect(words []string) error {
	if len(words) == 0 {
		return errors.New(connectUsage)
	}
	id, err := a.s.server(words[0])
	if err != nil {
		return err
	}
	span, fails := replySpan, false
	for words = words[1:]; len(words) > 0 && err == nil; {
		var d time.Duration
		switch {
		case words[0] == "fails" && len(words) == 1:
			fails, words = true, nil
			continue
		case len(words) == 1:
			return errors.New(connectUsage)
		}
		d, err = time.ParseDuration(words[1])
		switch words[0] {
		case "timeout":
			a.c.timeout = int32(d.Milliseconds())
		case "within":
			span = d
		default:
			return errors.New(connectUsage)
		}
		words = words[2:]
	}
	if err != nil {
		return err
	}
	if a.c.conn != nil {
		a.c.conn.close(true)
	}
	a.c.only, a.c.manual = id, false
	a.c.connect()
	ready := a.s.wait(span, func() bool { return a.c.conn != nil && a.c.conn.ready })
	a.c.manual = true
	switch {
	case ready && fails:
		return fmt.Errorf("it got session 0x%x", uint64(a.c.session))
	case !ready && !fails:
		return errors.New("it got no session")
	}
	return nil
}

// flags of a create.
var flags = map[string]int32{"ephemeral": proto.FlagEphemeral, "sequential": proto.FlagSequential, "container": proto.FlagContainer}

// parseRequest reads a request of a script: its name, a path, and what else
// there is: data, @N for N bytes of it, flags of a create, vN for a version, watch.
func parseRequest(what string, words []string) (proto.OpCode, proto.Record, error) {
	path, data, version, watch, flag := "/", []byte(nil), int32(-1), false, int32(0)
	for i, word := range words {
		n, err := strconv.Atoi(word[1:])
		switch f, ok := flags[word]; {
		case i == 0 && what != "multi":
			path = word
		case ok:
			flag |= f
		case word == "watch":
			watch = true
		case word[0] == 'v' && err == nil:
			version = int32(n)
		case word[0] == '@' && err == nil && n >= 0 && n <= 1<<20:
			data = bytes.Repeat([]byte("x"), n)
		default:
			data = []byte(word)
		}
	}
	switch what {
	case "create":
		if flag == proto.FlagContainer {
			return proto.OpCreateContainer, &proto.CreateRequest{Path: path, Data: data, ACL: proto.OpenACL, Flags: flag}, nil
		}
		return proto.OpCreate, &proto.CreateRequest{Path: path, Data: data, ACL: proto.OpenACL, Flags: flag}, nil
	case "set":
		return proto.OpSetData, &proto.SetDataRequest{Path: path, Data: data, Version: version}, nil
	case "delete":
		return proto.OpDelete, &proto.PathVersionRequest{Path: path, Version: version}, nil
	case "check":
		return proto.OpCheck, &proto.PathVersionRequest{Path: path, Version: version}, nil
	case "get":
		return proto.OpGetData, &proto.PathWatchRequest{Path: path, Watch: watch}, nil
	case "exists":
		return proto.OpExists, &proto.PathWatchRequest{Path: path, Watch: watch}, nil
	case "ls":
		return proto.OpGetChildren, &proto.PathWatchRequest{Path: path, Watch: watch}, nil
	case "sync":
		return proto.OpSync, &proto.PathRequest{Path: path}, nil
	case "watch":
		return proto.OpAddWatch, &proto.AddWatchRequest{Path: path, Mode: proto.AddWatchPersistentRecursive}, nil
	case "close":
		return proto.OpCloseSession, nil, nil
	case "multi":
		return parseMulti(words)
	}
	return 0, nil, fmt.Errorf("%q: want connect, leave, close, create, set, delete, check, get, exists, ls, sync, watch, multi, got, waits, notice or silent", what)
}

// parseMulti reads operations with semicolons between them.
func parseMulti(words []string) (proto.OpCode, proto.Record, error) {
	r := &proto.MultiRequest{}
	for _, part := range strings.Split(strings.Join(words, " "), ";") {
		op := strings.Fields(part)
		if len(op) == 0 {
			continue
		}
		code, body, err := parseRequest(op[0], op[1:])
		if err != nil {
			return 0, nil, err
		}
		r.Ops = append(r.Ops, proto.MultiOp{Op: code, Request: body})
	}
	return proto.OpMulti, r, nil
}

// got: got ok | lost | NAME OF ERROR | = DATA | PATH | [CHILD CHILD …], children
// ascending. It waits for the answer.
func (a *actor) got(words []string) error {
	if a.last == nil || len(words) == 0 {
		return errors.New("want: got ok, lost, an error such as no node, = DATA, or a path, behind a request")
	}
	a.answered()
	is := outcome(a.last)
	want := strings.Join(words, " ")
	if is != want && !(want == "ok" && a.last.Returned != 0 && a.last.Err == proto.OK) {
		return fmt.Errorf("it got %q", is)
	}
	return nil
}

// outcome is what came of a request, in words.
func outcome(op *check.Op) string {
	switch {
	case op.Returned == 0:
		return "lost"
	case op.Err != proto.OK:
		name, _, _ := strings.Cut(op.Err.Error(), " (")
		return name
	}
	switch r := op.Reply.(type) {
	case *proto.DataReply:
		return "= " + string(r.Data)
	case *proto.PathReply:
		return r.Path
	case *proto.StringsReply:
		return "[" + strings.Join(slices.Sorted(slices.Values(r.Strings)), " ") + "]"
	}
	return "ok"
}

func (a *actor) nextNotice() *check.Notice {
	events := a.s.w.history.Events
	for ; a.notices < len(events); a.notices++ {
		if n := events[a.notices]; n.Client == a.c.id {
			a.notices++
			return n
		}
	}
	return nil
}

// notice: notice TYPE PATH, the next watch event.
func (a *actor) notice(words []string) error {
	if len(words) != 2 {
		return errors.New("want: notice NodeCreated|NodeDeleted|NodeDataChanged|NodeChildrenChanged PATH")
	}
	var n *check.Notice
	a.s.wait(replySpan, func() bool { n = a.nextNotice(); return n != nil })
	if n == nil {
		return errors.New("it got nothing")
	}
	if n.Type.String() != words[0] || n.Path != words[1] {
		return fmt.Errorf("it got %v %s", n.Type, n.Path)
	}
	return nil
}
