package znode

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// Preparer turns requests into transactions, on the leader: it decides what
// each will do, or with which code it fails, against the state that all
// transactions before it will have made (ZooKeeper's PrepRequestProcessor). The
// transaction is then a fact that every server applies blindly.
//
// It reads its Tree and is not safe for concurrent use; see the package comment
// for the locks. Use NewPreparer to make one.
type Preparer struct {
	overlay
	owners map[int64]ensemble.ServerID
	// Policy says who may do what. It may be set before the first Prepare.
	Policy Policy
	// ExtendedTypes allows nodes with a time to live.
	ExtendedTypes bool
	// NeverUsedMillis is how long a container may wait for its first child; 0 is
	// for ever.
	NeverUsedMillis int64
	// EnforceQuota refuses what goes beyond the hard limits of a quota. It must
	// not change while anything is outstanding.
	EnforceQuota bool
	// Exceeded, if not nil, hears of every request that goes beyond a limit that
	// is enforced.
	Exceeded func(Excess)
}

// NewPreparer returns a Preparer for requests against t, with nothing
// outstanding.
func NewPreparer(t *Tree) *Preparer {
	return &Preparer{overlay: newOverlay(t), owners: map[int64]ensemble.ServerID{}}
}

// Reset forgets everything prepared and not applied, and who owns which
// session: a leadership begins or ends.
func (p *Preparer) Reset() {
	if !mutant.On(mutant.M21) {
		p.overlay = newOverlay(p.tree)
	}
	p.owners = map[int64]ensemble.ServerID{}
}

// Applied drops the records of everything that the tree has applied. Prepare
// does so too; who calls Applied behind each Apply keeps fewer records. It
// panics if a transaction did something else than what was prepared.
func (p *Preparer) Applied() { p.applied(p.tree.zxid) }

// Outstanding returns the number of changes that were prepared and are not
// applied, as far as Applied or Prepare have seen.
func (p *Preparer) Outstanding() int { return len(p.queue) - p.head }

// SessionAlive reports whether the session exists and no closeSession was
// prepared for it: what a heartbeat may touch and a client may reconnect to.
func (p *Preparer) SessionAlive(session int64) bool { return p.alive(session) }

// SetOwner makes server the one from which the session's requests come: it
// reconnected there. Requests still under way from another server fail with
// ErrSessionMoved. It reports false, and does nothing, if the session is not
// alive.
func (p *Preparer) SetOwner(session int64, server ensemble.ServerID) bool {
	if !p.alive(session) {
		return false
	}
	p.owners[session] = server
	return true
}

// Owner returns the server that owns the session, if that is known: since the
// leadership began the session was created, revalidated or made a write.
func (p *Preparer) Owner(session int64) (ensemble.ServerID, bool) {
	server, ok := p.owners[session]
	return server, ok
}

// Prepare returns the transaction that zxid is going to be: req came from the
// server origin, and the leader's clock says nowMillis since 1970. A request
// that fails becomes an ErrorTxn, or a MultiTxn of them. Zxids must ascend, and
// every transaction returned must be applied, in order, until Reset. Buffers of
// the record share req.Body.
func (p *Preparer) Prepare(zxid ensemble.Zxid, nowMillis int64, origin ensemble.ServerID, req *proto.Request) (proto.TxnHeader, proto.Record) {
	if int64(zxid) <= p.zxid || int64(zxid) <= p.tree.zxid {
		panic(fmt.Sprintf("znode: %s is to be prepared after 0x%x, with 0x%x applied",
			zxid, uint64(p.zxid), uint64(p.tree.zxid)))
	}
	p.Applied()
	p.zxid, p.enforce = int64(zxid), p.EnforceQuota
	h := proto.TxnHeader{Session: req.Session, Cxid: req.Cxid, Zxid: int64(zxid), Time: nowMillis}
	rec, err := proto.DecodeRequest(req.Op, req.Body)
	var code proto.ErrCode
	switch {
	case errors.Is(err, proto.ErrUnimplemented):
		code = proto.ErrUnimplemented
	case err != nil:
		code = proto.ErrMarshalling
	default:
		r := request{p, req.Session, req.Local, origin, req.IDs, nowMillis, 0}
		h.Type, rec, code = r.prepare(req.Op, rec)
	}
	if code != proto.OK {
		h.Type, rec = proto.OpError, &proto.ErrorTxn{Err: code}
	}
	return h, rec
}

// request is a request being prepared.
type request struct {
	*Preparer
	session int64
	local   bool // a session that only its server, the origin, knows
	origin  ensemble.ServerID
	ids     []proto.ID
	now     int64 // ms since 1970
	counts  int   // of subtrees that it makes every server count
}

// prepare dispatches what may stand at top level. The type and record count
// only with code OK.
func (r *request) prepare(op proto.OpCode, rec proto.Record) (proto.OpCode, proto.Record, proto.ErrCode) {
	if r.local && proto.CreatesEphemeral(op, rec) {
		return op, nil, proto.ErrEphemeralOnLocalSession
	}
	switch op {
	case proto.OpCreateSession:
		return r.createSession(rec.(*proto.CreateSessionTxn))
	case proto.OpCloseSession:
		return r.closeSession()
	case proto.OpMulti:
		return r.multi(rec.(*proto.MultiRequest))
	case proto.OpSetACL:
		return r.setACL(rec.(*proto.SetACLRequest))
	case proto.OpDeleteContainer:
		return r.deleteContainer(rec.(*proto.PathRequest).Path)
	case proto.OpReconfig:
		return op, nil, proto.ErrReconfigDisabled
	case proto.OpCheck:
		return op, nil, proto.ErrUnimplemented // ZOOKEEPER-2623
	}
	return r.one(op, rec)
}

// one prepares what may stand at top level and in a multi, and check.
func (r *request) one(op proto.OpCode, rec proto.Record) (proto.OpCode, proto.Record, proto.ErrCode) {
	switch req := rec.(type) {
	case *proto.CreateRequest:
		return r.create(op, req, 0)
	case *proto.CreateTTLRequest:
		return r.create(op, &req.CreateRequest, req.TTLMillis)
	case *proto.SetDataRequest:
		return r.setData(req)
	case *proto.PathVersionRequest:
		if op == proto.OpCheck {
			return r.check(req)
		}
		return r.delete(req)
	}
	return op, nil, proto.ErrUnimplemented
}

// checkSession says whether the session may write, from where it does. A local
// session is its server's own business.
func (r *request) checkSession() proto.ErrCode {
	if r.local {
		return proto.OK
	}
	if !r.alive(r.session) {
		return proto.ErrSessionExpired
	}
	switch owner, known := r.owners[r.session]; {
	case !known:
		r.owners[r.session] = r.origin
	case owner != r.origin:
		return proto.ErrSessionMoved
	}
	return proto.OK
}

func (r *request) allowed(c *change, perm int32) bool {
	return r.Policy.Check(c.acl, perm, r.ids)
}

// createSession makes the session known. An id that is in use is refused with
// ErrBadArguments: its server must take another.
func (r *request) createSession(req *proto.CreateSessionTxn) (proto.OpCode, proto.Record, proto.ErrCode) {
	_, outstanding := r.sessions[r.session]
	if _, exists := r.tree.sessions[r.session]; exists || outstanding || r.session == 0 || sessionOwner(r.session) == 0 {
		return 0, nil, proto.ErrBadArguments
	}
	r.putSession(r.session, true)
	r.owners[r.session] = r.origin
	return proto.OpCreateSession, req, proto.OK
}

// closeSession ends the session from wherever it is asked, and lists the nodes
// that go with it: its ephemerals as they will be. From now on its writes are
// refused (ZOOKEEPER-1208). Closing one that is closed does nothing.
func (r *request) closeSession() (proto.OpCode, proto.Record, proto.ErrCode) {
	if r.alive(r.session) {
		r.putSession(r.session, false)
	}
	delete(r.owners, r.session)
	candidates := slices.Collect(maps.Keys(r.tree.ephemerals[r.session]))
	if !mutant.On(mutant.M28) {
		candidates = append(candidates, r.created[r.session]...)
	}
	slices.Sort(candidates)
	paths, bytes := []string{}, 0
	for _, path := range slices.Compact(candidates) {
		if c := r.get(path); c.exists && c.owner == r.session {
			paths = append(paths, path)
			bytes += len(path)
			r.remove(path)
		}
	}
	if bytes > closeListBytesMax {
		return proto.OpCloseSession, &proto.CloseSessionTxn{Unlisted: true}, proto.OK
	}
	return proto.OpCloseSession, &proto.CloseSessionTxn{Paths: paths}, proto.OK
}

// closeListBytesMax limits the paths that a closeSession lists. One that would
// have more lists none, and every server deletes what the session has, which is
// the same where history is: else a session could make a transaction that
// nobody can store (ZOOKEEPER-4306).
const closeListBytesMax = 1 << 20

// remove records that the node at path will be gone.
func (r *request) remove(path string) {
	parentPath, _, _ := split(path)
	parent := r.get(parentPath)
	parent.children--
	r.put(parentPath, parent)
	r.put(path, change{})
}

// multi prepares each part on top of those before it. If one fails what they
// recorded is taken back, and the transaction has a code for each: 0 before the
// one that failed, and RuntimeInconsistency behind it.
func (r *request) multi(req *proto.MultiRequest) (proto.OpCode, proto.Record, proto.ErrCode) {
	out := &proto.MultiTxn{Txns: make([]proto.SubTxn, len(req.Ops))}
	mark, lists := r.mark(), 0
	for i, op := range req.Ops {
		kind, rec, code := r.one(op.Op, op.Request)
		if lists += aclBytes(rec); lists > multiACLBytesMax && code == proto.OK {
			code = proto.ErrInvalidACL
		}
		if code == proto.OK {
			out.Txns[i] = proto.SubTxn{Type: kind, Record: rec}
			continue
		}
		first := 0
		if mutant.On(mutant.M20) {
			first = i
		} else {
			r.undo(mark)
		}
		for j := first; j < len(out.Txns); j++ {
			e := &proto.ErrorTxn{}
			switch {
			case j == i:
				e.Err = code
			case j > i:
				e.Err = proto.ErrRuntimeInconsistency
			}
			out.Txns[j] = proto.SubTxn{Type: proto.OpError, Record: e}
		}
		break
	}
	return proto.OpMulti, out, proto.OK
}
