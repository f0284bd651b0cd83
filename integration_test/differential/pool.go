package differential

import (
	"crypto/sha1"
	"encoding/base64"
	"math/rand/v2"
	"strings"
)

// weighted is something that is chosen so often.
type weighted[T any] struct {
	weight int
	value  T
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func pickWeighted[T any](r *rand.Rand, list []weighted[T]) T {
	sum := 0
	for _, w := range list {
		sum += w.weight
	}
	n := r.IntN(sum)
	for _, w := range list {
		if n -= w.weight; n < 0 {
			return w.value
		}
	}
	panic("differential: weights changed meanwhile")
}

// names are the last parts of the paths of a script: few, so that requests meet.
var names = []string{"a", "b", "c", "a/x", "a/y", "b/x", "a/x/1", "a/x/2", "b/x/1"}

// oddNames are what paths may not have, and a little of what they may.
var oddNames = []string{
	"", "/", "a/", "a//x", "//a", ".", "..", "./a", "a/.", "a/..", "a/../b", "...", "a..b", ".x", "x.",
	"\x00", "a\x00b", "\x01", "\x1f", "\x7f", "\u0080", "\u009f", "\u00a0", "é", "\ud7ff", "\ue000", "\uf8ff", "\uf900",
	"\ufff0", "\ufffd", "\uffff", "\U0001f600", "a b", " ", "A", "中", "none/x", "none/x/y", "a/none/x",
}

// oddPaths are not below any root.
var oddPaths = []string{"", "a", "a/b", "x//", ".", "s", "zookeeper", "*"}

// systemPaths are the nodes of the server itself, and what is near.
var systemPaths = []string{
	"/", "", "/zookeeper", "/zookeeper/", "/zookeeper/quota", "/zookeeper/config", "/zookeeper/x", "/zookeeper/quota/x",
	"/zookeeper/config/x", "/zookeeper//quota", "//", "/.",
}

// path chooses a path.
func (g *generator) path() string {
	root := g.root
	switch n := g.r.IntN(1000); {
	case n < g.oddPaths:
		if g.r.IntN(5) == 0 {
			return pick(g.r, oddPaths...)
		}
		return root + "/" + pick(g.r, oddNames...)
	case n < 2*g.oddPaths:
		if g.whole {
			return pick(g.r, systemPaths...)
		}
		return root + "/" + pick(g.r, oddNames...)
	case n < 2*g.oddPaths+g.quotaPaths:
		return g.quotaPath()
	case n < 950-g.sequences:
		return root + "/" + pick(g.r, names[:g.names]...)
	case n < 970-g.sequences:
		if root == "" {
			return "/" + names[0]
		}
		return root
	case n < 999:
		return root + "/" + pick(g.r, sequential...)
	}
	return root + "/" + strings.Repeat("long", g.r.IntN(500))
}

// sequential are names that sequential nodes are likely to get.
var sequential = []string{"q0000000000", "q0000000001", "q0000000002", "a/0000000000", "a/q0000000000", "a/q0000000001", "b/q0000000000"}

// quotaPath is a path of the nodes that hold quotas of the script's own root.
func (g *generator) quotaPath() string {
	top := "/zookeeper/quota" + g.root
	return top + pick(g.r, "", "/a", "/a/zookeeper_limits", "/a/zookeeper_stats", "/zookeeper_limits", "/zookeeper_stats", "/a/x")
}

// sequentialPath is where a sequential node is asked for.
func (g *generator) sequentialPath() string {
	if g.r.IntN(10) == 0 {
		return g.path()
	}
	return g.root + "/" + pick(g.r, "q", "a/q", "a/", "b/q", "")
}

// data chooses what a node holds.
func (g *generator) data() Token {
	switch n := g.r.IntN(100); {
	case n < 10:
		return null()
	case n < 25:
		return str("")
	case n < 95:
		return str(pick(g.r, "d", "data", "0123456789", "\x00\xff\x80", "count=2,bytes=10", "count=-1,bytes=-1"))
	case n < 99:
		return fill(g.r.IntN(3000))
	}
	if g.r.IntN(10) > 0 {
		return fill(5000)
	}
	return fill(pick(g.r, 100000, 500000, 1048000, 1048575-16, 1048576, 1100000))
}

// users that scripts authenticate as, with password.
var users = []string{"ann:1", "bob:2", "eve:3"}

func digestOf(user string) string {
	name, _, _ := strings.Cut(user, ":")
	sum := sha1.Sum([]byte(user))
	return name + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

// open is the ACL that allows everybody everything.
func open() []Token { return []Token{i32(1), i32(31), str("world"), str("anyone")} }

// acl chooses an ACL.
func (g *generator) acl() []Token {
	if g.r.IntN(100) >= g.acls {
		return open()
	}
	switch g.r.IntN(20) {
	case 0:
		return []Token{i32(0)}
	case 1:
		return []Token{null()}
	case 2:
		return append([]Token{i32(2)}, append(g.aclEntry(), g.badEntry()...)...)
	case 3:
		return append([]Token{i32(1)}, g.badEntry()...)
	}
	n := pick(g.r, 1, 1, 1, 2, 2, 3)
	list := []Token{i32(int32(n))}
	for range n {
		list = append(list, g.aclEntry()...)
	}
	return list
}

func (g *generator) perms() Token {
	if g.r.IntN(2) == 0 {
		return i32(31)
	}
	return i32(pick[int32](g.r, 0, 1, 2, 3, 4, 8, 12, 15, 16, 17, 30, 31, 63, -1))
}

// aclEntry is an entry that is valid, at least for some.
func (g *generator) aclEntry() []Token {
	switch g.r.IntN(8) {
	case 0, 1:
		return []Token{g.perms(), str("world"), str("anyone")}
	case 2, 3:
		return []Token{g.perms(), str("auth"), str(pick(g.r, "", "ann", "x:y"))}
	case 4, 5:
		return []Token{g.perms(), str("digest"), str(digestOf(pick(g.r, users...)))}
	case 6:
		return []Token{g.perms(), str("ip"), str(pick(g.r, "127.0.0.1", "127.0.0.0/8", "10.0.0.1", "0.0.0.0/0"))}
	}
	return []Token{g.perms(), str("digest"), str(pick(g.r, "ann:x", "a:b", ":b", "bob:"+"="))}
}

// badEntry is an entry that is refused, most likely.
func (g *generator) badEntry() []Token {
	text := func(values ...string) Token {
		if g.r.IntN(8) == 0 {
			return null()
		}
		return str(pick(g.r, values...))
	}
	switch g.r.IntN(4) {
	case 0:
		return []Token{g.perms(), str("ip"), text("", "x", "127.0.0.1/33", "127.0.0.1/-1", "127.0.0.1/", "300.1.1.1", "1.2.3",
			"127.0.0.1/8/8", "127.0.0.1/x", "/8", "127.0.0.01", "+127.0.0.1", "127.0.0.1/+8", "127.0.0.1/08")}
	case 1:
		return []Token{g.perms(), str("digest"), text("", "x", ":", "a:", "::", "a:b:c", "a::", ":b", "a:b:", "a:b::")}
	case 2:
		return []Token{g.perms(), str("world"), text("", "x", "Anyone", "anyone ")}
	}
	return []Token{g.perms(), text("super", "foo", "", "World", "DIGEST", "x509", "sasl", "ensemble", "auth "), text("", "anyone", "a:b")}
}
