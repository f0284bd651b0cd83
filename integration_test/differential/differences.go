package differential

import (
	"slices"
	"strconv"
	"strings"
)

// Difference is a way in which Quorate is meant to differ from ZooKeeper 3.8.0.
type Difference struct {
	ID string
	// What differs, and Why: a bug of 3.8.0 that later versions do not have, or
	// a decision of ours.
	What, Why string
	// Ends says that the states of the two are different from there on, so that
	// the rest of the script says nothing.
	Ends bool
	// Explains reports whether the case is this difference and nothing else. It
	// is nil for what scripts keep away from, and for a Crash.
	Explains func(*Case) bool
	// Crash is what ZooKeeper logs, any of it, when it ends because of it.
	Crash []string
}

// Differences that no script can show at will.
const (
	lostWakeup = "lost-wakeup"
	leaderSync = "leader-sync"
)

// Differences are all that are known.
var Differences = slices.Concat(replyDifferences, multiDifferences, watchDifferences, otherDifferences)

var replyDifferences = []Difference{
	{
		ID:   "multiread-leak",
		What: "a multiRead that cannot be decoded is answered with -5 and nothing else; 3.8.0 sends the results that it has with it",
		Why:  "an error has no body, and clients that check lengths fail",
		Explains: func(k *Case) bool {
			return k.op() == opMultiRead && k.codes(errMarshalling, errMarshalling) &&
				strings.HasSuffix(k.Real.cell("rest"), "ffffffff01ffffffff") && k.Ours.cell("rest") == ""
		},
	},
	{
		ID:   "count-root-alias",
		What: "getAllChildrenNumber of the empty path is that of /; 3.8.0 counts one more, the root itself",
		Why:  "the empty path is another name of the root, and of nothing else",
		Explains: func(k *Case) bool {
			real, _ := strconv.Atoi(k.Real.cell("int"))
			ours, _ := strconv.Atoi(k.Ours.cell("int"))
			return k.op() == opGetAllChildren && k.codes(0, 0) && k.Request.path() == "" && real == ours+1
		},
	},
	{
		ID:   "null-path",
		What: "a request with a null path cannot be decoded and is answered with -5; 3.8.0 says -5, -6 or -8, as far as it comes, and arms watches of it",
		Why:  "a path that is null names nothing",
		Explains: func(k *Case) bool {
			return k.Request != nil && len(k.Request.Body) > 0 && k.Real != nil && k.Ours.code() == errMarshalling &&
				(k.Request.Body[0].Kind == kindNull && k.op() != opSetWatches || k.op() == opMulti && hasNull(k.Request))
		},
	},
	{
		ID:   "acl-null",
		What: "an ACL entry whose scheme or id is null is refused with -114; 3.8.0 says -5",
		Why:  "ZOOKEEPER-1877",
		Explains: func(k *Case) bool {
			if k.Request == nil || !hasNull(k.Request) {
				return false
			}
			return k.codes(errMarshalling, errInvalidACL) ||
				k.op() == opMulti && k.codes(errMarshalling, 0) && slices.Contains(k.Ours.Cells, "code="+strconv.Itoa(errInvalidACL))
		},
	},
	{
		ID:   "negative-count",
		What: "a list of -2 entries cannot be decoded: -5; 3.8.0 takes it for an empty one",
		Why:  "nobody means that",
		Ends: true,
		Explains: func(k *Case) bool {
			negative := func(r Request) bool { return slices.Contains(r.Body, i32(-2)) }
			if k.Request == nil { // an event for a list behind that
				return k.Ours == nil && k.Real != nil && k.Real.Kind == Event && slices.ContainsFunc(k.step().Requests, negative)
			}
			return k.Real != nil && k.Ours.code() == errMarshalling && negative(*k.Request)
		},
	},
	{
		ID:   "undecodable-zxid",
		What: "every write that fails has a zxid of its own; in 3.8.0 some that cannot be decoded, of multi and reconfig, have that of the transaction before",
		Why:  "two transactions with one zxid are one too many",
		Ends: true,
		Explains: func(k *Case) bool {
			return k.Memory.undecodable && onlyZxidBehind(k.Real, k.Ours)
		},
	},
	{
		ID:   "setacl-pipelined",
		What: "an ACL holds for the next request; in 3.8.0 only when the setACL has been applied, so that pipelined requests may still be judged by the old one",
		Why:  "what a request may do is judged by what was before it",
		Ends: true,
		Explains: func(k *Case) bool {
			return k.Real != nil && k.Ours != nil && refused(k.Real) != refused(k.Ours) &&
				k.behind(func(r Request) bool { return r.Op == opSetACL })
		},
	},
	{
		ID:   "setwatches-null",
		What: "a null list in setWatches is an empty one, and a null path in it cannot be decoded; 3.8.0 stops at the one with -5 and arms the other",
		Why:  "null and empty lists mean the same, and nothing has the path null",
		Ends: true,
		Explains: func(k *Case) bool {
			null := func(r Request) bool { return (r.Op == opSetWatches || r.Op == opSetWatches2) && hasNull(&r) }
			if k.Request == nil { // an event for a list behind the null one
				return k.Real == nil && k.Ours != nil && k.Ours.Kind == Event && slices.ContainsFunc(k.step().Requests, null)
			}
			return (k.codes(errMarshalling, 0) || k.codes(0, errMarshalling)) && null(*k.Request)
		},
	},
	{
		ID:   "auth-order",
		What: "scheme auth in an ACL stands for the client's identities in the order in which it proved them, and of what is there twice then one stays; in 3.8.0 in no order, and twice",
		Why:  "the same request is to give the same list, and the same entry again says nothing",
		Explains: func(k *Case) bool {
			return k.op() == opGetACL && k.codes(0, 0) && slices.Equal(sortedACL(k.Real), sortedACL(k.Ours))
		},
	},
	{
		ID:   "wrong-password",
		What: "who comes with a wrong password for a session is refused; 3.8.0 closes the connection of the one who has it besides",
		Why:  "anybody who has seen an ephemeral's owner could disconnect it",
		Ends: true,
		Explains: func(k *Case) bool {
			step := k.step()
			return step.Kind == Open && step.Conn != k.Conn && step.Open.Password != RightPassword && k.RealEnd == "closed" && k.OursEnd == "open"
		},
	},
	{
		ID:   "superseded",
		What: "the connection of a client that has come back by another one is closed, and has been told before what it was to hear; in 3.8.0 it stays now and then, and now and then the last events are lost",
		Why:  "races of 3.8.0: the end of a connection takes the next one of the session out of its table, and what waits to be written is forgotten",
		Explains: func(k *Case) bool {
			step := k.step()
			if step.Kind != Open || step.Conn == k.Conn || k.OursEnd != "closed" {
				return false
			}
			lost := k.RealEnd == "closed" && k.Real == nil && k.Ours != nil && k.Ours.Kind == Event
			return lost || k.RealEnd == "silent" && k.Real == nil && k.Ours == nil
		},
	},
	{
		ID:   "quota-stats",
		What: "the usage in a quota's zookeeper_stats is what the server has counted; 3.8.0 goes on from what stands there, by whomever",
		Why:  "the usage is the server's to write",
		Explains: func(k *Case) bool {
			stats := func(t Token) bool { return strings.HasSuffix(t.S, "/zookeeper_stats") }
			return k.Request != nil && slices.ContainsFunc(k.Request.Body, stats) && k.Real != nil && k.Ours != nil &&
				slices.Equal(butData(k.Real.Cells), butData(k.Ours.Cells))
		},
	},
	{
		ID:   "moved-sync",
		What: "who goes on with a connection after its session has moved to another server may still sync, as it may still read; 3.8.0 closes the connection",
		Why:  "only what changes something needs to be the session's owner; a write closes the connection here, too",
		Explains: func(k *Case) bool {
			return k.Script.moved(k.Conn, k.Step) && k.RealEnd == "closed" && k.Real == nil && k.OursEnd == "open" &&
				(k.Ours == nil || k.Ours.Kind == Probe)
		},
	},
	{
		ID:   "config-mtime",
		What: "the mtime of an ensemble's /zookeeper/config is 0; in 3.8.0 each server has the time at which it last found a leader",
		Why:  "all servers give the same answer",
		Explains: func(k *Case) bool {
			return k.Request != nil && k.Request.path() == "/zookeeper/config" && k.codes(0, 0) &&
				slices.Equal(without("mtime=", k.Real.Cells), without("mtime=", k.Ours.Cells)) && k.Ours.cell("mtime") == "0"
		},
	},
	{
		ID:   "exists-read",
		What: "exists of a node that the client may not read is refused with -102, and arms no watch that could be removed; 3.8.0 does not ask",
		Why:  "ZOOKEEPER-2590, since 3.8.4 and 3.9.2",
		Explains: func(k *Case) bool {
			return (k.op() == opExists && k.codes(0, errNoAuth) || k.removal() && k.codes(0, errNoWatcher)) &&
				k.Memory.hidden(k.Request.path())
		},
	},
}

var multiDifferences = []Difference{
	{
		ID:   "multi-create2",
		What: "create2 in a multi is answered with the Stat; 3.8.0 answers as to create",
		Why:  "ZOOKEEPER-4026, since 3.8.3 and 3.9.0",
		Explains: func(k *Case) bool {
			return k.op() == opMulti && k.codes(0, 0) && sameButStats(k.Real.Cells, k.Ours.Cells)
		},
	},
	{
		ID:   "multi-null-acl",
		What: "a create with a null ACL in a multi fails the whole of it with -5; 3.8.0 has a result -114 for that operation",
		Why:  "since 3.8.3 and 3.9.0, by the way of ZOOKEEPER-4026",
		Explains: func(k *Case) bool {
			return k.op() == opMulti && k.codes(0, errMarshalling) && k.Real.cell("result")[:2] == "-1"
		},
	},
}

// statCells is how many cells a Stat has.
const statCells = 11

// sameButStats compares the results of a multi, where the first may have those of
// create for those of create2.
func sameButStats(real, ours []string) bool {
	for len(real) > 0 && len(ours) > 0 {
		if real[0] != "result=1/0/0" || ours[0] != "result=15/0/0" {
			if real[0] != ours[0] {
				return false
			}
			real, ours = real[1:], ours[1:]
			continue
		}
		if len(real) < 2 || len(ours) < 2+statCells || real[1] != ours[1] {
			return false
		}
		real, ours = real[2:], ours[2+statCells:]
	}
	return len(real) == len(ours)
}

var watchDifferences = []Difference{
	{
		ID:   "event-zxid",
		What: "the header of a watch event has the zxid of the change; 3.8.0 says -1",
		Why:  "ZOOKEEPER-4655, since 3.9.0",
		Explains: func(k *Case) bool {
			return k.Real != nil && k.Ours != nil && k.Ours.Kind == Event && sameEvent(k.Real, k.Ours) &&
				k.Real.cell("zxid") == "-1"
		},
	},
	{
		ID:   "event-acl",
		What: "an event is told to those only who may read the node; 3.8.0 tells everybody",
		Why:  "ZOOKEEPER-4799, CVE-2024-23944, since 3.8.4 and 3.9.2",
		Explains: func(k *Case) bool {
			return k.Real != nil && k.Ours == nil && k.Real.Kind == Event && k.Memory.hidden(k.Real.eventPath())
		},
	},
	{
		ID:   "watch-types",
		What: "checkWatches and removeWatches know the types 4, persistent, and 5, recursive; 3.8.0 answers -5",
		Why:  "ZOOKEEPER-4472, since 3.9.0",
		Explains: func(k *Case) bool {
			return k.removal() && k.Real.code() == errMarshalling && (k.Request.Body[1] == i32(4) || k.Request.Body[1] == i32(5)) &&
				(k.Ours.code() == 0 || k.Ours.code() == errNoWatcher)
		},
	},
	{
		ID:   "check-watches",
		What: "checkWatches asks for the client's own watch at exactly that path; 3.8.0 is content with anybody's, and with a recursive one above",
		Why:  "a client that is told 0 takes its watch for removed",
		Explains: func(k *Case) bool {
			return k.op() == opCheckWatches && k.codes(0, errNoWatcher) &&
				(k.Memory.anybody(k.Request.path()) || k.Memory.below(k.Conn, k.Request.path()))
		},
	},
	{
		ID:   "watch-odd-path",
		What: "checkWatches of a path without a slash in front is answered as any other, 0 or -121; 3.8.0, once there are recursive watches, says -5",
		Why:  "there is such a watch or not",
		Explains: func(k *Case) bool {
			return k.op() == opCheckWatches && (k.codes(errMarshalling, errNoWatcher) || k.codes(errMarshalling, 0)) &&
				!strings.HasPrefix(k.Request.path(), "/")
		},
	},
	{
		ID:   "watch-root-alias",
		What: "a watch of the empty path is one of /; in 3.8.0 it hears of nothing, and checkWatches may not find it",
		Why:  "the empty path is another name of the root",
		Explains: func(k *Case) bool {
			if k.removal() && k.codes(errNoWatcher, 0) {
				return k.Memory.alias && k.Request.path() == ""
			}
			return k.Real == nil && k.Ours != nil && k.Ours.Kind == Event && k.Memory.alias &&
				(k.Ours.eventPath() == "/" || k.Memory.below(k.Conn, k.Ours.eventPath()))
		},
	},
	{
		ID:   "event-cesu8",
		What: "characters beyond U+FFFF come back as they were sent; 3.8.0 sends their surrogates, three bytes each",
		Why:  "that is no UTF-8; such characters are in no path that there is",
		Explains: func(k *Case) bool {
			one := func(f *Frame) bool {
				return f != nil && (strings.Contains(f.cell("path"), `\xed\xa0\xbd\xed\xb8`) || strings.Contains(f.cell("path"), `\U0001f6`))
			}
			return k.Real.kindOr(Event) == Event && k.Ours.kindOr(Event) == Event && (one(k.Real) || one(k.Ours)) ||
				k.op() == opSync && one(k.Real) && one(k.Ours)
		},
	},
	{
		ID:   "watch-modes-removed",
		What: "one-shot, persistent and recursive watches of one path are apart: removing or asking for one kind does not find the others",
		Why:  "ZOOKEEPER-4466, 4471, 4475, since 3.9.0",
		Explains: func(k *Case) bool {
			codes := k.removal() && (k.codes(0, errNoWatcher) || k.codes(errNoWatcher, 0))
			return codes && k.Memory.watched[k.Conn][k.Request.path()]&(persistent|recursive) != 0
		},
	},
	{
		ID:   "watch-modes",
		What: "one-shot, persistent and recursive watches of one path all stay; in 3.8.0 the last one takes the place of the others",
		Why:  "ZOOKEEPER-4466, since 3.9.0",
		Explains: func(k *Case) bool {
			if (k.Real == nil) == (k.Ours == nil) {
				return false
			}
			f := k.Real
			if f == nil {
				f = k.Ours
			}
			return f.Kind == Event && k.Memory.mixed(k.Conn, f.eventPath(), true)
		},
	},
}

// without leaves out the cells of one name.
func without(name string, cells []string) []string {
	return slices.DeleteFunc(slices.Clone(cells), func(c string) bool { return strings.HasPrefix(c, name) })
}

// butData leaves out the cells that depend on a node's data.
func butData(cells []string) []string { return without("data=", without("length=", cells)) }

// behind reports whether such a request stands before the case's own in its batch.
func (k *Case) behind(such func(Request) bool) bool {
	requests := k.step().Requests
	i := slices.IndexFunc(requests, such)
	j := slices.IndexFunc(requests, func(r Request) bool { return k.Request != nil && r.String() == k.Request.String() })
	return i >= 0 && j > i
}

// refused reports whether the client was told that it may not.
func refused(f *Frame) bool {
	return f.code() == errNoAuth || slices.Contains(f.Cells, "code="+strconv.Itoa(errNoAuth))
}

// onlyZxidBehind reports whether two replies differ only in that the first has
// the zxid before.
func onlyZxidBehind(real, ours *Frame) bool {
	if real == nil || ours == nil || len(real.Cells) != len(ours.Cells) || len(real.Cells) < 2 {
		return false
	}
	a, err1 := strconv.ParseInt(real.cell("zxid"), 10, 64)
	b, err2 := strconv.ParseInt(ours.cell("zxid"), 10, 64)
	return err1 == nil && err2 == nil && a+1 == b
}

// sortedACL are the cells of a reply to getACL with the list's entries in order.
func sortedACL(f *Frame) []string {
	cells := slices.Clone(f.Cells)
	for i, c := range cells {
		if strings.HasPrefix(c, "acl=[") {
			entries := strings.Fields(strings.Trim(c[len("acl="):], "[]"))
			slices.Sort(entries)
			cells[i] = strings.Join(slices.Compact(entries), " ")
		}
	}
	return cells
}

// hasNull reports whether anything in the request is null.
func hasNull(r *Request) bool {
	return slices.ContainsFunc(r.Body, func(t Token) bool { return t.Kind == kindNull })
}

// otherDifferences are the widest one, those that no reply shows, and those that
// scripts keep away from.
var otherDifferences = []Difference{
	{
		ID:   "undecodable-multi",
		What: "a multi that cannot be decoded changes nothing; in 3.8.0 pipelined requests may be judged as if its first operations had been done",
		Why:  "what has failed is not there",
		Ends: true,
		Explains: func(k *Case) bool {
			switch k.op() {
			case opCreate, opCreate2, opCreateContainer, opCreateTTL, opDelete, opSetData, opSetACL, opMulti:
				return k.Memory.undecodableIn == k.Step && k.Real != nil && k.Ours != nil &&
					k.behind(func(r Request) bool { return r.Op == opMulti })
			}
			return false
		},
	},
	{
		ID:    "crash-quota",
		What:  "a change below a quota whose limits or usage are null or no numbers is made; it ends 3.8.0's process",
		Why:   "no request may end a server",
		Crash: []string{`Cannot read the array length because "bytes" is null`, "org.apache.zookeeper.StatsTrack.<init>"},
	},
	{
		ID:    "crash-quota-root",
		What:  "a zookeeper_limits right below /zookeeper/quota is a node as any other, for the root can have no quota; it ends 3.8.0's process",
		Why:   "no request may end a server",
		Crash: []string{"org.apache.zookeeper.common.PathTrie.addPath"},
	},
	{
		ID:    "crash-ttl",
		What:  "createTTL with a negative time and flags without one is refused with -8; it ends 3.8.0's process",
		Why:   "no request may end a server",
		Crash: []string{"ttl must be positive and cannot be larger than"},
	},
	{
		ID:   "null-watch",
		What: "a watch of a null path is refused with -5; 3.8.0 arms it, and can then not close the connection",
		Why:  "nothing has the path null",
	},
	{
		ID:   lostWakeup,
		What: "a request is answered when it is done; a server of an ensemble of 3.8.0 now and then answers only when the next one comes, from whomever",
		Why:  "its CommitProcessor looks for work, and then waits for a call that came in between; the histories have somebody ask every 100 ms",
	},
	{
		ID:   leaderSync,
		What: "behind a sync a client sees what anybody was told before; the leader of 3.8.0 may answer one before it has applied what a follower's client knows",
		Why:  "that is what sync is for; the histories repeat it there",
	},
	{
		ID:   "reconfig-undecodable",
		What: "a reconfig that cannot be decoded is answered with -5; an ensemble of 3.8.0 answers neither it nor what the server's other clients write behind it",
		Why:  "no request may stop a server",
	},
	{
		ID:   "check-alone",
		What: "check outside a multi is refused with -6, and the connection closed; 3.8.0 answers nothing, then or later",
		Why:  "ZOOKEEPER-2623, since 3.8.5 and 3.9.3",
	},
	{
		ID:   "internal-ops",
		What: "deleteContainer and createSession are refused with -6, and the connection closed; 3.8.0 executes them for any client",
		Why:  "deleteContainer asks for no permission, and a session made so has the id that the client likes",
	},
	{
		ID:   "multi-container-flags",
		What: "createContainer in a multi makes a container whatever its flags; in 3.8.0 the flags decide",
		Why:  "ZOOKEEPER-4026, since 3.8.3 and 3.9.0",
	},
	{
		ID:   "container-ephemeral-flags",
		What: "createContainer makes a container whatever its flags; with those of an ephemeral, 3.8.0 takes it for one as long as it is pipelined, and so a closeSession behind it deletes it",
		Why:  "what follows sees what was done",
	},
	{
		ID:   "long-setwatches",
		What: "setWatches may be 16 times as long as jute.maxbuffer",
		Why:  "ZOOKEEPER-706: the C client sends all its watches in one request",
	},
	{
		ID:   "out-of-turn",
		What: "replies come in the order of the requests, and all before the connection is closed; 3.8.0 answers auth, sasl and unknown ops out of turn, and forgets what is under way when it closes a connection",
		Why:  "clients match replies by their order",
	},
	{
		ID:   "ip6-acl",
		What: "an ACL with scheme ip may name an IPv6 address, with the number of bits that count behind it or without; 3.8.0 refuses it with -114",
		Why:  "ZOOKEEPER-4240, since 3.9.4",
	},
	{
		ID:   "strange-utf8",
		What: "a path that is not UTF-8 comes back from sync as it was sent, and delete refuses it with -8; 3.8.0 replaces what it cannot read by U+FFFD, and delete says -101",
		Why:  "a path with U+FFFD in it would be another one than was asked for, and none that may be",
	},
}

// removal reports whether the case is a reply of both to checkWatches or
// removeWatches.
func (k *Case) removal() bool {
	return (k.op() == opCheckWatches || k.op() == opRemoveWatches) && k.Real != nil && k.Ours != nil && len(k.Request.Body) >= 2
}

// eventPath is the path of an event, whole, where the cell may be shortened.
func (f *Frame) eventPath() string {
	r := reader{buf: f.Raw}
	r.take(4 + 8 + 4 + 4 + 4) // the header, type and state
	return string(r.take(int(r.int())))
}
