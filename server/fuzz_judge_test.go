package server

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func (p *play) path() string {
	return []string{"/", "/a", "/b", "/a/x", "/a/y", "/b/z", "", "/a/", "nope", "/\xff"}[p.byte()%10]
}

func (p *play) paths() []string {
	list := make([]string, p.byte()%4)
	for i := range list {
		list[i] = p.path()
	}
	return list
}

// request returns a request that decodes, and the paths that it may arm.
func (p *play) request() (proto.OpCode, proto.Record, []string) {
	path, watch := p.path(), p.byte()%2 == 0
	var arms []string
	if watch {
		arms = []string{path}
	}
	data := string(make([]byte, p.byte()*12))
	switch p.byte() % 20 {
	case 0, 1:
		return proto.OpCreate2, createOf(path, data, int32(p.byte()%8)), nil
	case 2:
		return proto.OpCreate, createOf(path+"/s-", "", proto.FlagEphemeralSequential), nil
	case 3:
		return proto.OpSetData, setOf(path, data), nil
	case 4:
		return proto.OpDelete, &proto.PathVersionRequest{Path: path, Version: -1}, nil
	case 5:
		return proto.OpGetData, read(path, watch), arms
	case 6:
		return proto.OpExists, read(path, watch), arms
	case 7:
		return []proto.OpCode{proto.OpGetChildren, proto.OpGetChildren2}[p.byte()%2], read(path, watch), arms
	case 8:
		return proto.OpSync, &proto.PathRequest{Path: path}, nil
	case 9:
		return proto.OpPing, &proto.Empty{}, nil
	case 10:
		r := &proto.SetWatchesRequest{RelativeZxid: int64(p.zxid) - int64(p.byte()), Data: p.paths(), Exist: p.paths(), Child: p.paths(),
			Extended: watch, Persistent: p.paths(), PersistentRecursive: p.paths()}
		op := proto.OpSetWatches
		if watch {
			op = proto.OpSetWatches2
		}
		return op, r, watched(r)
	case 11:
		mode := int32(p.byte() % 3)
		if mode == proto.AddWatchPersistentRecursive {
			arms = []string{"*" + path}
		} else {
			arms = []string{path}
		}
		return proto.OpAddWatch, &proto.AddWatchRequest{Path: path, Mode: mode}, arms
	case 12:
		return []proto.OpCode{proto.OpRemoveWatches, proto.OpCheckWatches}[p.byte()%2], &proto.WatchesRequest{Path: path, Type: int32(p.byte() % 7)}, nil
	case 13:
		return proto.OpMulti, p.multi(), nil
	case 14:
		return proto.OpMultiRead, &proto.MultiRequest{Reads: true, Ops: []proto.MultiOp{
			{Op: proto.OpGetData, Request: read(path, watch)}, {Op: proto.OpGetChildren, Request: read(p.path(), watch)}}}, nil
	case 15:
		return proto.OpAuth, &proto.AuthRequest{Scheme: []string{"digest", "ip", "none"}[p.byte()%3], Auth: []byte("u:p")}, nil
	case 16:
		return proto.OpSetACL, &proto.SetACLRequest{Path: path, Version: -1, ACL: []proto.ACL{
			{Perms: int32(p.byte() % 32), ID: proto.ID{Scheme: []string{"world", "auth", "digest"}[p.byte()%3], ID: "anyone"}}}}, nil
	case 17:
		return proto.OpGetACL, &proto.PathRequest{Path: path}, nil
	case 18:
		return []proto.OpCode{proto.OpWhoAmI, proto.OpCloseSession}[p.byte()%2], &proto.Empty{}, nil
	default:
		return proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: path}, nil
	}
}

// watched lists what a setWatches watches.
func watched(r *proto.SetWatchesRequest) []string {
	paths := slices.Concat(r.Data, r.Exist, r.Child)
	if r.Extended {
		paths = append(paths, r.Persistent...)
		for _, path := range r.PersistentRecursive {
			paths = append(paths, "*"+path)
		}
	}
	return paths
}

func (p *play) multi() *proto.MultiRequest {
	m := &proto.MultiRequest{}
	for range p.byte() % 4 {
		switch path := p.path(); p.byte() % 4 {
		case 0:
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCreate2, Request: createOf(path, "m", int32(p.byte()%5))})
		case 1:
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpSetData, Request: setOf(path, "m")})
		case 2:
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpDelete, Request: &proto.PathVersionRequest{Path: path, Version: -1}})
		default:
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCheck, Request: &proto.PathVersionRequest{Path: path, Version: int32(p.byte()%3) - 1}})
		}
	}
	return m
}

// judge looks at every whole frame that has come.
func (p *play) judge(a *actor) {
	if a.word {
		return
	}
	for {
		frame, err := a.frame()
		if err != nil {
			return
		}
		require.False(p.t, a.over, "a frame behind the last: %x", frame)
		switch {
		case !a.open:
			p.judgeWelcome(a, frame)
		default:
			p.judgeFrame(a, frame)
		}
	}
}

// judgeWelcome looks at a ConnectResponse (spec client-protocol 1.2).
func (p *play) judgeWelcome(a *actor, frame []byte) {
	resp := proto.ConnectResponse{HasReadOnly: len(frame) == 37}
	require.Contains(p.t, []int{36, 37}, len(frame))
	require.NoError(p.t, proto.Unmarshal(frame, &resp))
	require.Equal(p.t, resp.TimeoutMillis > 0, resp.SessionID != 0, "both or none")
	a.open, a.over = true, resp.SessionID == 0
	if !a.over {
		p.sessions = append(p.sessions, resp.SessionID)
		require.Equal(p.t, a.c.session, resp.SessionID)
	}
}

// judgeFrame looks at a reply or an event (spec client-protocol 1.3, 3.4).
func (p *play) judgeFrame(a *actor, frame []byte) {
	var h proto.ReplyHeader
	body, err := proto.UnmarshalHeader(frame, &h)
	require.NoError(p.t, err, "%x", frame)
	if h.Err != proto.OK {
		require.Empty(p.t, body, "an error has its header only")
	}
	if h.Zxid > 0 {
		require.GreaterOrEqual(p.t, h.Zxid, a.zxid, "time goes backwards")
		require.LessOrEqual(p.t, h.Zxid, int64(p.zxid))
		a.zxid = h.Zxid
	}
	a.over = h.Err == proto.ErrUnimplemented && h.Zxid == -1 || h.Err == proto.ErrAuthFailed
	if h.Xid == proto.XidNotification && (!a.wild || len(body) > 0) {
		p.judgeEvent(a, h, body)
		return
	}
	if a.wild {
		return
	}
	require.NotEmpty(p.t, a.asked, "a reply to nothing: %+v", h)
	want := a.asked[0]
	a.asked = a.asked[1:]
	require.Equal(p.t, want.xid, h.Xid, "replies come in the order of the requests")
	a.over = a.over || want.op == proto.OpCloseSession
	if h.Err == proto.OK || want.op == proto.OpExists && h.Err == proto.ErrNoNode {
		a.arm(want.paths)
	}
	if h.Err == proto.OK {
		p.judgeBody(want, body)
	}
}

func (p *play) judgeEvent(a *actor, h proto.ReplyHeader, body []byte) {
	var e proto.WatcherEvent
	require.NoError(p.t, proto.Unmarshal(body, &e))
	require.Equal(p.t, proto.Marshal(&e), body, "nothing behind it")
	require.Equal(p.t, proto.OK, h.Err)
	require.Equal(p.t, proto.StateSyncConnected, e.State)
	require.True(p.t, e.Type >= proto.EventNodeCreated && e.Type <= proto.EventNodeChildrenChanged, "%+v", e)
	require.True(p.t, a.wild || a.hears(rooted(e.Path)), "nobody watches %q", e.Path)
}

// judgeBody checks that the reply is that of the request, byte for byte.
func (p *play) judgeBody(want expected, body []byte) {
	var rec proto.Record
	switch want.op {
	case proto.OpCreate, proto.OpSync:
		rec = &proto.PathReply{}
	case proto.OpCreate2:
		rec = &proto.Create2Reply{}
	case proto.OpExists, proto.OpSetData, proto.OpSetACL:
		rec = &proto.StatReply{}
	case proto.OpGetData:
		rec = &proto.DataReply{}
	case proto.OpGetACL:
		rec = &proto.ACLReply{}
	case proto.OpGetChildren, proto.OpGetEphemerals:
		rec = &proto.StringsReply{}
	case proto.OpGetChildren2:
		rec = &proto.Children2Reply{}
	case proto.OpMulti, proto.OpMultiRead:
		rec = &proto.MultiResponse{}
	case proto.OpAddWatch:
		rec = &proto.IntReply{}
	case proto.OpWhoAmI:
		rec = &proto.WhoAmIReply{}
	default:
		rec = &proto.Empty{}
	}
	require.NoError(p.t, proto.Unmarshal(body, rec), "%s: %x", want.op, body)
	require.Equal(p.t, proto.Marshal(rec), append([]byte(nil), body...), "%s: nothing behind the record", want.op)
	if multi, ok := rec.(*proto.MultiResponse); ok {
		require.Len(p.t, multi.Results, len(want.rec.(*proto.MultiRequest).Ops), "one result for each part")
	}
	if list, ok := want.rec.(*proto.PathRequest); ok && want.op == proto.OpSync {
		require.Equal(p.t, list.Path, rec.(*proto.PathReply).Path)
	}
}

// arm notes of which paths the client may hear from now on.
func (a *actor) arm(paths []string) {
	for _, path := range paths {
		if prefix, recursive := strings.CutPrefix(path, "*"); recursive {
			a.below = append(a.below, rooted(prefix))
		}
		a.watches[rooted(path)] = true
	}
}

// hears reports whether the client has ever armed a watch that could fire there.
func (a *actor) hears(path string) bool {
	return a.watches[path] || slices.ContainsFunc(a.below, func(at string) bool {
		return at == "/" || path == at || strings.HasPrefix(path, at+"/")
	})
}

// rooted gives the root one name.
func rooted(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
