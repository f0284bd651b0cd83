package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// workload makes a client's requests: few paths, so that clients meet, and every
// kind of request, valid and not.
type workload struct {
	c        *client
	rng      *rand.Rand
	written  int
	versions [8]int32 // seen last, of the paths that share a place
	authed   bool
}

// parents have children with few names and with sequence numbers.
var parents = [...]string{"/a", "/b", "/c", "/q"}

var names = [...]string{"x", "y", "z"}

func (g *workload) path() string {
	p := parents[g.rng.IntN(len(parents))]
	if g.rng.IntN(10) < 6 {
		p += "/" + names[g.rng.IntN(len(names))]
	}
	return p
}

func place(path string) int {
	n := 0
	for _, b := range []byte(path) {
		n = n*7 + int(b)
	}
	return n & 7
}

// learn takes note of versions, so that conditional writes often succeed.
func (g *workload) learn(op *check.Op) {
	if r, ok := op.Request.(*proto.PathWatchRequest); ok {
		switch reply := op.Reply.(type) {
		case *proto.DataReply:
			g.versions[place(r.Path)] = reply.Stat.Version
		case *proto.StatReply:
			g.versions[place(r.Path)] = reply.Stat.Version
		}
	}
	if r, ok := op.Request.(*proto.SetDataRequest); ok && op.Err == proto.OK {
		g.versions[place(r.Path)] = op.Reply.(*proto.StatReply).Stat.Version
	}
}

func (g *workload) version(path string) int32 {
	switch g.rng.IntN(4) {
	case 0:
		return g.versions[place(path)]
	case 1:
		return g.versions[place(path)] + 1
	}
	return -1
}

func (g *workload) data() []byte {
	g.written++
	if g.rng.IntN(20) == 0 {
		return nil
	}
	data := fmt.Appendf(nil, "%d.%d", g.c.id, g.written)
	if g.rng.IntN(16) == 0 { // more than a sector of a disk
		data = append(data, make([]byte, g.rng.IntN(4000))...)
	}
	return data
}

func (g *workload) acl() []proto.ACL {
	if g.authed && g.rng.IntN(12) == 0 {
		return []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}
	}
	if g.rng.IntN(40) == 0 {
		return []proto.ACL{{Perms: proto.PermRead | proto.PermDelete | proto.PermAdmin, ID: proto.ID{Scheme: "world", ID: "anyone"}}}
	}
	return proto.OpenACL
}

func (g *workload) create() *proto.CreateRequest {
	r := &proto.CreateRequest{Path: g.path(), Data: g.data(), ACL: g.acl()}
	switch n := g.rng.IntN(20); {
	case n < 5:
		r.Flags = proto.FlagEphemeral
	case n < 8:
		r.Path, r.Flags = "/q/s-", proto.FlagSequential
	case n < 11:
		r.Path, r.Flags = "/q/e-", proto.FlagEphemeralSequential
	}
	return r
}

// step is a kind of request with its weight.
type step struct {
	weight int
	do     func(g *workload, cc *clientConn)
}

var steps = []step{
	{22, func(g *workload, cc *clientConn) {
		code := proto.OpCreate
		if g.rng.IntN(2) == 0 {
			code = proto.OpCreate2
		}
		cc.request(code, g.create())
	}},
	{9, func(g *workload, cc *clientConn) {
		p := g.path()
		cc.request(proto.OpDelete, &proto.PathVersionRequest{Path: p, Version: g.version(p)})
	}},
	{20, func(g *workload, cc *clientConn) { cc.request(proto.OpSetData, g.set()) }},
	{16, func(g *workload, cc *clientConn) { g.read(cc, proto.OpGetData) }},
	{12, func(g *workload, cc *clientConn) { g.read(cc, proto.OpExists) }},
	{6, func(g *workload, cc *clientConn) { g.read(cc, proto.OpGetChildren) }},
	{6, func(g *workload, cc *clientConn) { g.read(cc, proto.OpGetChildren2) }},
	{10, (*workload).multi},
	{6, func(g *workload, cc *clientConn) {
		p := g.path()
		cc.request(proto.OpSync, &proto.PathRequest{Path: p})
		cc.request(proto.OpGetData, &proto.PathWatchRequest{Path: p})
	}},
	{2, func(g *workload, cc *clientConn) { cc.request(proto.OpGetACL, &proto.PathRequest{Path: g.path()}) }},
	{1, func(g *workload, cc *clientConn) {
		cc.request(proto.OpSetACL, &proto.SetACLRequest{Path: g.path(), ACL: g.acl(), Version: -1})
	}},
	{2, (*workload).addWatch},
	{2, (*workload).removeWatch},
	{2, (*workload).multiRead},
	{1, func(g *workload, cc *clientConn) {
		cc.request(proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: "/"})
	}},
	{1, func(g *workload, cc *clientConn) {
		cc.request(proto.OpGetAllChildrenNumber, &proto.PathRequest{Path: g.path()})
	}},
	{1, func(g *workload, cc *clientConn) { cc.request(proto.OpWhoAmI, nil) }},
	{1, func(g *workload, cc *clientConn) {
		g.authed = true
		cc.request(proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: fmt.Appendf(nil, "user%d:secret", g.c.id%2)})
	}},
	{1, (*workload).farewell},
	{1, func(g *workload, cc *clientConn) { // away without a word, for longer than its session may last
		if g.rng.IntN(3) == 0 && !g.c.w.healed {
			g.c.vanish(cc)
		}
	}},
	{2, func(g *workload, cc *clientConn) { // to another server
		if g.rng.IntN(2) == 0 {
			cc.close(true)
		}
	}},
}

var stepsWeight = func() int {
	sum := 0
	for _, s := range steps {
		sum += s.weight
	}
	return sum
}()

// next makes a request.
func (g *workload) next(cc *clientConn) {
	n := g.rng.IntN(stepsWeight)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			s.do(g, cc)
			return
		}
	}
}

func (g *workload) set() *proto.SetDataRequest {
	p := g.path()
	return &proto.SetDataRequest{Path: p, Data: g.data(), Version: g.version(p)}
}

func (g *workload) read(cc *clientConn, code proto.OpCode) {
	cc.request(code, &proto.PathWatchRequest{Path: g.path(), Watch: g.rng.IntN(5) < 2})
}

func (g *workload) multi(cc *clientConn) {
	r := &proto.MultiRequest{}
	for range 1 + g.rng.IntN(4) {
		p := g.path()
		switch g.rng.IntN(5) {
		case 0, 1:
			r.Ops = append(r.Ops, proto.MultiOp{Op: proto.OpCreate, Request: g.create()})
		case 2:
			r.Ops = append(r.Ops, proto.MultiOp{Op: proto.OpSetData, Request: g.set()})
		case 3:
			r.Ops = append(r.Ops, proto.MultiOp{Op: proto.OpDelete, Request: &proto.PathVersionRequest{Path: p, Version: g.version(p)}})
		default:
			r.Ops = append(r.Ops, proto.MultiOp{Op: proto.OpCheck, Request: &proto.PathVersionRequest{Path: p, Version: g.version(p)}})
		}
	}
	cc.request(proto.OpMulti, r)
}

func (g *workload) multiRead(cc *clientConn) {
	r := &proto.MultiRequest{Reads: true}
	for range 1 + g.rng.IntN(3) {
		code := proto.OpGetData
		if g.rng.IntN(2) == 0 {
			code = proto.OpGetChildren
		}
		r.Ops = append(r.Ops, proto.MultiOp{Op: code, Request: &proto.PathWatchRequest{Path: g.path()}})
	}
	cc.request(proto.OpMultiRead, r)
}

func (g *workload) addWatch(cc *clientConn) {
	r := &proto.AddWatchRequest{Path: g.path(), Mode: proto.AddWatchPersistent}
	if g.rng.IntN(2) == 0 {
		r.Mode = proto.AddWatchPersistentRecursive
	}
	cc.request(proto.OpAddWatch, r)
}

func (g *workload) removeWatch(cc *clientConn) {
	code := proto.OpRemoveWatches
	if g.rng.IntN(3) == 0 {
		code = proto.OpCheckWatches
	}
	cc.request(code, &proto.WatchesRequest{Path: g.path(), Type: 1 + g.rng.Int32N(5)})
}

// farewell ends the session in good order, now and then.
func (g *workload) farewell(cc *clientConn) {
	if g.rng.IntN(4) == 0 {
		g.authed = false
		cc.request(proto.OpCloseSession, nil)
		cc.ready = false // nothing comes behind it
	}
}
