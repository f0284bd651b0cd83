package check

import (
	"fmt"

	"github.com/quorate/quorate/server/proto"
)

// validate says what is wrong with a History as a record, whatever the servers
// did: who made it has a fault.
func (h *History) validate() error {
	for i := 1; i < len(h.Txns); i++ {
		if h.Txns[i].Zxid <= h.Txns[i-1].Zxid {
			return fmt.Errorf("transaction %s is listed behind %s", h.Txns[i].Zxid, h.Txns[i-1].Zxid)
		}
	}
	conns := make(map[int]*Conn, len(h.Conns))
	for i, c := range h.Conns {
		switch {
		case c == nil:
			return fmt.Errorf("connection %d of the list is missing", i+1)
		case conns[c.Conn] != nil:
			return fmt.Errorf("connection number %d is given twice", c.Conn)
		case i > 0 && c.Opened < h.Conns[i-1].Opened:
			return fmt.Errorf("connection %d is listed behind one that was opened later", c.Conn)
		case c.Answered != 0 && c.Answered < c.Opened, c.Closed != 0 && c.Closed < c.Opened:
			return fmt.Errorf("connection %d was answered or closed before it was opened", c.Conn)
		}
		conns[c.Conn] = c
	}
	if err := h.validateOps(conns); err != nil {
		return err
	}
	for i, n := range h.Events {
		switch {
		case n == nil:
			return fmt.Errorf("event %d of the list is missing", i+1)
		case conns[n.Conn] == nil:
			return fmt.Errorf("the event for %q came on connection %d, which is not listed", n.Path, n.Conn)
		case i > 0 && n.Order < h.Events[i-1].Order:
			return fmt.Errorf("the event for %q (order %d) is listed behind a later one", n.Path, n.Order)
		}
	}
	return nil
}

func (h *History) validateOps(conns map[int]*Conn) error {
	for i, op := range h.Ops {
		if op == nil {
			return fmt.Errorf("request %d of the list is missing", i+1)
		}
		c := conns[op.Conn]
		switch {
		case c == nil:
			return fmt.Errorf("%s: its connection is not listed", op.name())
		case i > 0 && op.Sent < h.Ops[i-1].Sent:
			return fmt.Errorf("%s (order %d) is listed behind a later one", op.name(), op.Sent)
		case op.Returned != 0 && op.Returned < op.Sent:
			return fmt.Errorf("%s was answered before it was sent", op.name())
		case op.Returned != 0 && c.Session == 0:
			return fmt.Errorf("%s was answered on a connection that has no session", op.name())
		case c.Session != 0 && op.Session != 0 && op.Session != c.Session:
			return fmt.Errorf("%s: the session of its connection is 0x%x", op.name(), uint64(c.Session))
		case !requestFits(op.Code, op.Request):
			return fmt.Errorf("%s has a request of type %T", op.name(), op.Request)
		}
	}
	return nil
}

// requestFits reports whether a request's record is of the type that its op has,
// the parts of a multi included.
func requestFits(code proto.OpCode, req proto.Record) bool {
	var ok bool
	switch code {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer:
		_, ok = req.(*proto.CreateRequest)
	case proto.OpCreateTTL:
		_, ok = req.(*proto.CreateTTLRequest)
	case proto.OpDelete, proto.OpCheck:
		_, ok = req.(*proto.PathVersionRequest)
	case proto.OpSetData:
		_, ok = req.(*proto.SetDataRequest)
	case proto.OpSetACL:
		_, ok = req.(*proto.SetACLRequest)
	case proto.OpExists, proto.OpGetData, proto.OpGetChildren, proto.OpGetChildren2:
		_, ok = req.(*proto.PathWatchRequest)
	case proto.OpGetACL, proto.OpSync, proto.OpGetAllChildrenNumber:
		_, ok = req.(*proto.PathRequest)
	case proto.OpGetEphemerals:
		_, ok = req.(*proto.GetEphemeralsRequest)
	case proto.OpSetWatches, proto.OpSetWatches2:
		_, ok = req.(*proto.SetWatchesRequest)
	case proto.OpAddWatch:
		_, ok = req.(*proto.AddWatchRequest)
	case proto.OpCheckWatches, proto.OpRemoveWatches:
		_, ok = req.(*proto.WatchesRequest)
	case proto.OpSASL:
		_, ok = req.(*proto.SASLRequest)
	case proto.OpAuth:
		_, ok = req.(*proto.AuthRequest)
	case proto.OpMulti, proto.OpMultiRead:
		m, isMulti := req.(*proto.MultiRequest)
		if ok = isMulti; ok {
			for _, part := range m.Ops {
				ok = ok && part.Op != proto.OpMulti && part.Op != proto.OpMultiRead && requestFits(part.Op, part.Request)
			}
		}
	default:
		return true
	}
	return ok
}

// pathOf returns the path that a request names, if it names one.
func pathOf(req proto.Record) string {
	switch r := req.(type) {
	case *proto.PathRequest:
		return r.Path
	case *proto.PathWatchRequest:
		return r.Path
	case *proto.PathVersionRequest:
		return r.Path
	case *proto.CreateRequest:
		return r.Path
	case *proto.CreateTTLRequest:
		return r.Path
	case *proto.SetDataRequest:
		return r.Path
	case *proto.SetACLRequest:
		return r.Path
	case *proto.AddWatchRequest:
		return r.Path
	case *proto.WatchesRequest:
		return r.Path
	}
	return ""
}
