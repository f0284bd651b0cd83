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
	users    []string // whom it shows to be on each connection, with their passwords
}

// parents have children with few names and with sequence numbers.
var parents = [...]string{"/a", "/b", "/c", "/q", "/k"}

var names = [...]string{"x", "y", "z"}

// oddities are paths that are special, or none; some are fine for one request and
// not for another.
var oddities = [...]string{
	"/", "", "/zookeeper", "/zookeeper/config", "/zookeeper/quota", "/a/", "a", "/a//x", "/a/../b", "/none/x", "/a\x00", "/b/\u0085", "/a/x/y/z",
	"/zookeeper/quota/a", "/zookeeper/quota/a/zookeeper_limits", "/zookeeper/quota/a/zookeeper_stats",
}

func (g *workload) path() string {
	p := parents[g.rng.IntN(len(parents))]
	n := g.rng.IntN(100)
	if n == 0 {
		return oddities[g.rng.IntN(len(oddities))]
	}
	if n < 62 {
		p += "/" + names[g.rng.IntN(len(names))]
	}
	if n < 5 {
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

// lists are ACLs. Whoever has changed his address or proves nothing may be kept
// from reading, but anybody may delete, so that no path is lost for good.
var lists = func() (all [][]proto.ACL) {
	const rest = proto.PermCreate | proto.PermDelete | proto.PermAdmin
	anyone := proto.ID{Scheme: "world", ID: "anyone"}
	list := func(perms int32, scheme, id string) []proto.ACL {
		return []proto.ACL{{Perms: perms, ID: proto.ID{Scheme: scheme, ID: id}}, {Perms: rest, ID: anyone}}
	}
	return [][]proto.ACL{
		{{Perms: proto.PermRead | proto.PermDelete | proto.PermAdmin, ID: anyone}},
		list(proto.PermRead|proto.PermWrite, "ip", "10.0.0.1"),
		list(proto.PermRead, "ip", "10.0.0.2/31"),
		list(proto.PermAll, "ip", "10.1.0.0/16"),
		list(proto.PermRead, "auth", ""),
		list(proto.PermAll, "auth", ""),
		// And some that are none.
		nil, list(proto.PermAll, "world", "me"), list(proto.PermAll, "ip", "10.0.0.1/40"), list(proto.PermAll, "digest", "nobody"), list(proto.PermAll, "nothing", ""),
	}
}()

func (g *workload) acl() []proto.ACL {
	if len(g.users) > 0 && g.rng.IntN(12) == 0 {
		return []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}
	}
	if g.rng.IntN(30) == 0 {
		return lists[g.rng.IntN(len(lists))]
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

func (g *workload) set() *proto.SetDataRequest {
	p := g.path()
	return &proto.SetDataRequest{Path: p, Data: g.data(), Version: g.version(p)}
}
