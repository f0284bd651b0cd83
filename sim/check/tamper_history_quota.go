package check

import (
	"slices"

	"github.com/quorate/quorate/server/proto"
)

var quotaTamperings = []tampering{
	{"the stats of a quota are off by one", invT10, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
			_, stats, ok := quotaOf(pathOf(op.Request))
			r, read := op.Reply.(*proto.DataReply)
			return ok && stats && read && isStats(r.Data)
		})
		if ok {
			r := op.Reply.(*proto.DataReply)
			other := slices.Clone(r.Data)
			other[len(other)-1] ^= 1
			op.Reply = &proto.DataReply{Data: other, Stat: r.Stat}
		}
		return ok
	}},
	{"a hard limit does not hold", invT10, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(i int, t *Txn) bool {
			op := x.opOfTxn(i)
			return op != nil && t.Err == proto.ErrQuotaExceeded && op.Code != proto.OpMulti
		})
		if ok {
			op := x.opOfTxn(i)
			x.h.Txns[i].Op, x.h.Txns[i].Err = op.Code, proto.OK
			op.Err, op.Reply = proto.OK, &proto.PathReply{}
		}
		return ok
	}},
	{"a quota refuses what it has room for", invT10, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(i int, t *Txn) bool {
			op := x.opOfTxn(i)
			return op != nil && t.Err == proto.OK && t.Op == proto.OpSetData
		})
		if ok {
			op := x.opOfTxn(i)
			x.h.Txns[i].Op, x.h.Txns[i].Err = proto.OpError, proto.ErrQuotaExceeded
			op.Err, op.Reply = proto.ErrQuotaExceeded, nil
		}
		return ok
	}},
}
