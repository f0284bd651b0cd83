package check

import (
	"bytes"
	"slices"

	"github.com/quorate/quorate/server/proto"
)

// compareWrite compares the body of a reply to a write that succeeded.
func (w *witness) compareWrite(op *Op, out *outcome) {
	pathRule := invC6
	if r, ok := createOf(op.Request); ok && sequential(r.Flags) {
		w.count(invT6)
		pathRule = invT6
	}
	switch r := op.Reply.(type) {
	case *proto.PathReply:
		if op.Code == proto.OpCreate {
			w.comparePath(op, r.Path, out.path, pathRule)
			return
		}
	case *proto.Create2Reply:
		if op.Code == proto.OpCreate2 || op.Code == proto.OpCreateContainer || op.Code == proto.OpCreateTTL {
			w.comparePath(op, r.Path, out.path, pathRule)
			w.compareStat(op, out.path, r.Stat, out.stat)
			return
		}
	case *proto.StatReply:
		if op.Code == proto.OpSetData || op.Code == proto.OpSetACL {
			w.compareStat(op, pathOf(op.Request), r.Stat, out.stat)
			return
		}
	case *proto.MultiResponse:
		if op.Code == proto.OpMulti {
			w.compareMulti(op, r.Results, out.results)
			return
		}
	default:
		if op.Code == proto.OpDelete {
			return
		}
	}
	w.fail(invC6, op.where(), "%s was answered with a body of type %T", op.name(), op.Reply)
}

func createOf(req proto.Record) (*proto.CreateRequest, bool) {
	switch r := req.(type) {
	case *proto.CreateRequest:
		return r, true
	case *proto.CreateTTLRequest:
		return &r.CreateRequest, true
	}
	return nil, false
}

func (w *witness) comparePath(op *Op, got, want string, r invariant) {
	if got != want {
		w.fail(r, op.where(), "%s created %q; the name should be %q", op.name(), got, want)
	}
}

func (w *witness) compareStat(op *Op, path string, got, want proto.Stat) {
	w.count(invT4)
	if got.EphemeralOwner != 0 {
		w.count(invS3)
		w.count(invS4)
	}
	if got != want {
		w.fail(invT4, op.where(), "%s at %s: the Stat of %s is %+v and should be %+v", op.name(), op.Zxid, path, got, want)
	}
}

// compareMulti compares the results of a multi or multiRead.
func (w *witness) compareMulti(op *Op, got, want []proto.MultiResult) {
	rule := invT5
	if op.Code == proto.OpMultiRead {
		rule = invC6
	}
	if len(got) != len(want) {
		w.fail(rule, op.where(), "%s has %d results and should have %d", op.name(), len(got), len(want))
		return
	}
	for i := range got {
		g, e := got[i], want[i]
		same := g.Type == e.Type && g.Err == e.Err && g.Path == e.Path && sameData(g.Data, e.Data) && sameNames(g.Children, e.Children)
		switch {
		case !same:
			w.fail(rule, op.where(), "%s at %s: result %d is %+v and should be %+v", op.name(), op.Zxid, i+1, g, e)
		case g.Stat != e.Stat:
			w.fail(invT4, op.where(), "%s at %s: the Stat of result %d is %+v and should be %+v", op.name(), op.Zxid, i+1, g.Stat, e.Stat)
		}
	}
}

// expect checks the code of a reply that has no other content.
func (w *witness) expect(op *Op, want proto.ErrCode, r invariant) bool {
	w.count(r)
	if op.Returned == 0 || op.Err == want {
		return true
	}
	w.fail(r, op.where(), "%s at %s was answered with %v; in this state it is %v", op.name(), op.Zxid, op.Err, want)
	return false
}

// sameData compares data; null is not empty.
func sameData(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// sameNames compares sets of names, in which none may stand twice.
func sameNames(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	if !slices.IsSorted(got) {
		got = slices.Sorted(slices.Values(got))
	}
	if !slices.IsSorted(want) {
		want = slices.Sorted(slices.Values(want))
	}
	return slices.Equal(got, want)
}
