package sim

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/server/proto"
)

// step is a kind of request with its weight.
type step struct {
	weight int
	do     func(g *workload, cc *clientConn)
}

var steps = []step{
	{44, func(g *workload, cc *clientConn) { cc.request(g.creation()) }},
	{18, func(g *workload, cc *clientConn) { cc.request(proto.OpDelete, g.conditional()) }},
	{40, func(g *workload, cc *clientConn) { cc.request(proto.OpSetData, g.set()) }},
	{32, func(g *workload, cc *clientConn) { g.read(cc, proto.OpGetData) }},
	{24, func(g *workload, cc *clientConn) { g.read(cc, proto.OpExists) }},
	{12, func(g *workload, cc *clientConn) { g.read(cc, proto.OpGetChildren) }},
	{12, func(g *workload, cc *clientConn) { g.read(cc, proto.OpGetChildren2) }},
	{20, (*workload).multi},
	{12, func(g *workload, cc *clientConn) {
		p := g.path()
		cc.request(proto.OpSync, &proto.PathRequest{Path: p})
		cc.request(proto.OpGetData, &proto.PathWatchRequest{Path: p})
	}},
	{4, func(g *workload, cc *clientConn) { cc.request(proto.OpGetACL, &proto.PathRequest{Path: g.path()}) }},
	{3, func(g *workload, cc *clientConn) {
		p := g.path()
		cc.request(proto.OpSetACL, &proto.SetACLRequest{Path: p, ACL: g.acl(), Version: []int32{-1, -1, 0, 1}[g.rng.IntN(4)]})
	}},
	{4, (*workload).addWatch},
	{4, (*workload).removeWatch},
	{4, (*workload).multiRead},
	{2, func(g *workload, cc *clientConn) {
		prefix := [...]string{"/", "", "/q/", "/a"}[g.rng.IntN(4)]
		cc.request(proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: prefix})
	}},
	{2, func(g *workload, cc *clientConn) {
		cc.request(proto.OpGetAllChildrenNumber, &proto.PathRequest{Path: g.path()})
	}},
	{2, func(g *workload, cc *clientConn) { cc.request(proto.OpWhoAmI, nil) }},
	{2, (*workload).introduce},
	{4, (*workload).quota},
	{1, func(g *workload, cc *clientConn) {
		cc.request(proto.OpReconfig, &proto.ReconfigRequest{ConfigID: -1})
	}},
	{1, (*workload).forbidden},
	{2, (*workload).farewell},
	{2, func(g *workload, cc *clientConn) { // away without a word, for longer than its session may last
		if g.rng.IntN(3) == 0 && !g.c.w.healed {
			g.c.vanish(cc)
		}
	}},
	{4, func(g *workload, cc *clientConn) { // to another server
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

// creation makes a request to create something, with any of the ops that there are
// for it.
func (g *workload) creation() (proto.OpCode, proto.Record) {
	r := g.create()
	switch n := g.rng.IntN(40); {
	case n < 4:
		if r.Flags = proto.FlagContainer; n > 0 {
			r.Path = "/k"
		} else { // the op makes a container, whatever the flags
			r.Flags = proto.FlagPersistent
		}
		return proto.OpCreateContainer, r
	case n < 7:
		if r.Flags = proto.FlagTTL; g.rng.IntN(6) == 0 {
			r.Flags = int32(g.rng.IntN(8))
		}
		return proto.OpCreateTTL, &proto.CreateTTLRequest{CreateRequest: *r, TTLMillis: int64(g.rng.IntN(1500))}
	case n < 8:
		r.Flags = int32(g.rng.IntN(9)) - 1 // those that are none, too
	case n < 23:
		return proto.OpCreate2, r
	}
	return proto.OpCreate, r
}

// quota does what has to do with the quota of a subtree: sets it, in three steps as
// ZooKeeper's command line does, looks at it, changes or removes a part of it.
func (g *workload) quota(cc *clientConn) {
	subtree := [...]string{"/a", "/k", "/a/x"}[g.rng.IntN(3)]
	dir := "/zookeeper/quota" + subtree
	limits, stats := dir+"/zookeeper_limits", dir+"/zookeeper_stats"
	either := [...]string{limits, stats}[g.rng.IntN(2)]
	text := fmt.Appendf(nil, "count=-1,bytes=-1=;byteHardLimit=%d;countHardLimit=%d", []int{-1, 10, 2000}[g.rng.IntN(3)], g.rng.IntN(8)-1)
	switch g.rng.IntN(8) {
	case 0, 1:
		cc.request(proto.OpCreate, &proto.CreateRequest{Path: dir, ACL: proto.OpenACL})
		cc.request(proto.OpCreate, &proto.CreateRequest{Path: limits, Data: text, ACL: proto.OpenACL})
		cc.request(proto.OpCreate2, &proto.CreateRequest{Path: stats, Data: []byte("count=0,bytes=0"), ACL: proto.OpenACL})
	case 2:
		cc.request(proto.OpSetData, &proto.SetDataRequest{Path: limits, Data: text, Version: -1})
	case 3:
		cc.request(proto.OpSetData, &proto.SetDataRequest{Path: stats, Data: g.data(), Version: -1})
	case 4:
		cc.request(proto.OpDelete, &proto.PathVersionRequest{Path: either, Version: -1})
	default:
		cc.request(proto.OpGetData, &proto.PathWatchRequest{Path: stats, Watch: g.rng.IntN(2) == 0})
	}
}

func (g *workload) conditional() *proto.PathVersionRequest {
	p := g.path()
	return &proto.PathVersionRequest{Path: p, Version: g.version(p)}
}

func (g *workload) read(cc *clientConn, code proto.OpCode) {
	cc.request(code, &proto.PathWatchRequest{Path: g.path(), Watch: g.rng.IntN(5) < 2})
}

func (g *workload) multi(cc *clientConn) {
	r := &proto.MultiRequest{}
	n := 1 + g.rng.IntN(4)
	if g.rng.IntN(30) == 0 {
		n = 0
	}
	for range n {
		part := proto.MultiOp{Op: proto.OpCheck}
		switch g.rng.IntN(10) {
		case 0, 1, 2, 3:
			part.Op, part.Request = g.creation()
		case 4, 5:
			part.Op, part.Request = proto.OpSetData, g.set()
		case 6, 7:
			part.Op, part.Request = proto.OpDelete, g.conditional()
		default:
			part.Request = g.conditional()
		}
		r.Ops = append(r.Ops, part)
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
	switch n := g.rng.IntN(40); {
	case n == 0:
		r.Mode = 2 // which is none
	case n < 20:
		r.Mode = proto.AddWatchPersistentRecursive
	}
	cc.request(proto.OpAddWatch, r)
}

// removeWatch removes, or asks for, watches that are there more often than not.
func (g *workload) removeWatch(cc *clientConn) {
	code := proto.OpRemoveWatches
	if g.rng.IntN(3) == 0 {
		code = proto.OpCheckWatches
	}
	path := g.path()
	if known := g.c.watches.paths(); len(known) > 0 && g.rng.IntN(3) > 0 {
		path = known[g.rng.IntN(len(known))]
	}
	cc.request(code, &proto.WatchesRequest{Path: path, Type: g.rng.Int32N(7)}) // 0 and 6 are none
}

// identities are whom clients show to be. Several clients may be the same.
var identities = [...]string{"user0:secret", "user1:secret", "user0:guess"}

// introduce shows somebody's password, from now on on every connection; now and
// then to a server that will not have it.
func (g *workload) introduce(cc *clientConn) {
	switch g.rng.IntN(8) {
	case 0:
		cc.request(proto.OpAuth, &proto.AuthRequest{Scheme: "nobody"}) // ends the connection
	case 1:
		cc.request(proto.OpAuth, &proto.AuthRequest{Scheme: "ip"})
	case 2:
		cc.request(proto.OpSASL, &proto.SASLRequest{Token: []byte("token")})
	default:
		user := identities[g.rng.IntN(len(identities))]
		if !slices.Contains(g.users, user) {
			g.users = append(g.users, user)
		}
		cc.request(proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte(user)})
	}
}

// introduceAgain shows on a new connection what was shown on the last one, as
// ZooKeeper's clients do; but now and then it is forgotten.
func (g *workload) introduceAgain(cc *clientConn) {
	if g.rng.IntN(8) == 0 {
		g.users = nil
	}
	for _, user := range g.users {
		cc.request(proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte(user)})
	}
}

// forbidden sends what no client may send. That ends the connection, so it is rare.
func (g *workload) forbidden(cc *clientConn) {
	switch g.rng.IntN(4) {
	case 0:
		cc.request(proto.OpCheck, g.conditional())
	case 1:
		cc.request(proto.OpDeleteContainer, &proto.PathRequest{Path: g.path()})
	case 2:
		cc.request(proto.OpCreateSession, nil)
	default:
		cc.request(proto.OpCode(999), nil)
	}
}

// farewell ends the session in good order, now and then.
func (g *workload) farewell(cc *clientConn) {
	if g.rng.IntN(4) == 0 {
		cc.request(proto.OpCloseSession, nil)
		cc.ready = false // nothing comes behind it
	}
}
