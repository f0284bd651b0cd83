package znode

import (
	"fmt"
	"math"
	"strings"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// prediction is what the usage of a subtree will be once everything prepared is
// applied, and whether its quota will be in force. Like a change it is never
// changed, only replaced.
type prediction struct {
	usage
	inForce bool
}

// used returns what the usage of a subtree will be.
func (o *overlay) used(subtree string) prediction {
	if p := o.usage[subtree]; p != nil {
		return *p
	}
	if q := o.tree.quotas.find(subtree); q.inForce() {
		return prediction{q.usage, true}
	}
	return prediction{}
}

// quotasOver calls visit for the quotas in force that the path is subject to,
// from the outermost on, until it returns false.
func (o *overlay) quotasOver(path string, visit func(subtree string, u usage) bool) {
	if o.tree.quotas.size == 0 && len(o.usage) == 0 || path == RootPath {
		return
	}
	for at := 0; at < len(path); {
		end := len(path)
		if next := strings.IndexByte(path[at+1:], '/'); next >= 0 {
			end = at + 1 + next
		}
		if p := o.used(path[:end]); p.inForce && !visit(path[:end], p.usage) {
			return
		}
		at = end
	}
}

// account records what a change of a node means for usage.
func (o *overlay) account(path string, old, now *change) {
	if subtree, _, ok := quotaNode(path); ok {
		if old.exists != now.exists {
			o.quotaChanged(subtree)
		}
		return
	}
	count, bytes := difference(old, now)
	if count == 0 && bytes == 0 {
		return
	}
	o.quotasOver(path, func(subtree string, u usage) bool {
		o.putUsage(subtree, prediction{u.plus(count, bytes), true})
		return true
	})
}

func difference(old, now *change) (count, bytes int64) {
	if old.exists {
		count, bytes = -1, -int64(old.size)
	}
	if now.exists {
		count, bytes = count+1, bytes+int64(now.size)
	}
	return count, bytes
}

// quotaChanged records that a limits or stats node of the subtree will come or
// go. That is rare, so a quota that comes into force is counted from scratch.
func (o *overlay) quotaChanged(subtree string) {
	inForce := o.get(limitsPath(subtree)).exists && o.get(statsPath(subtree)).exists
	if inForce == o.used(subtree).inForce {
		return
	}
	p := prediction{inForce: inForce}
	if inForce {
		p.usage = measure(o.tree.find(subtree))
		for path, now := range o.nodes {
			if below(path, subtree) {
				old := changeOf(o.tree.find(path))
				p.usage = p.plus(difference(&old, now))
			}
		}
	}
	o.putUsage(subtree, p)
}

func (o *overlay) putUsage(subtree string, p prediction) {
	subtree = strings.Clone(subtree)
	o.queue = append(o.queue, pending{zxid: o.zxid, subtree: subtree, used: &p, usedOnce: o.usage[subtree]})
	o.usage[subtree] = &p
}

func (o *overlay) setUsage(subtree string, p *prediction) {
	if p == nil {
		delete(o.usage, subtree)
	} else {
		o.usage[subtree] = p
	}
}

// dropUsage drops a prediction that the tree has caught up with. The last one
// for a subtree must have come true.
func (o *overlay) dropUsage(p *pending) {
	if o.usage[p.subtree] == p.used {
		delete(o.usage, p.subtree)
		if is := o.used(p.subtree); is != *p.used {
			panic(fmt.Sprintf("znode: transaction 0x%x (epoch %d) made the usage of %q %+v, and it was prepared to become %+v",
				uint64(p.zxid), p.zxid>>32, p.subtree, is, *p.used))
		}
	}
	*p = pending{}
}

// Excess says that a request goes, or would go, beyond a limit of a quota.
type Excess struct {
	Subtree string
	What    string // "count" or "bytes"
	Amount  int64  // what there would be
	Limit   int64
	Hard    bool // the request was refused
}

// checkQuota says whether a node may be added, or its data grow or shrink, under
// all quotas that it is subject to. What does not change is not checked, and
// what shrinks is, as in ZooKeeper.
func (r *request) checkQuota(path string, count, bytes int) proto.ErrCode {
	if !r.EnforceQuota {
		return proto.OK
	}
	code := proto.OK
	r.quotasOver(path, func(subtree string, u usage) bool {
		if q := r.tree.quotas.find(subtree); q.inForce() && mutant.On(mutant.M41) {
			u = q.usage
		}
		u = u.plus(int64(count), int64(bytes))
		l := parseLimits(r.get(limitsPath(subtree)).data)
		if count != 0 && r.exceeds(subtree, "count", u.count, l.count, l.countHard) ||
			bytes != 0 && r.exceeds(subtree, "bytes", u.bytes, l.bytes, l.bytesHard) {
			code = proto.ErrQuotaExceeded
		}
		return code == proto.OK
	})
	return code
}

// countsMax is how many nodes of quotas a multi may create. Each can make every
// server count a subtree, while everything else waits.
const countsMax = 32

// mayCount reports whether the request may create the node at path, if that is of
// a quota.
func (r *request) mayCount(path string) bool {
	if _, _, ok := quotaNode(path); !ok {
		return true
	}
	r.counts++
	return r.counts <= countsMax
}

// exceeds tells of an amount that is beyond its limit, and reports whether the
// limit is a hard one.
func (r *request) exceeds(subtree, what string, amount, soft, hard int64) bool {
	limit := soft
	if hard >= 0 {
		limit = hard
	}
	if limit < 0 {
		limit = math.MaxInt64
	}
	if amount <= limit {
		return false
	}
	if r.Exceeded != nil {
		r.Exceeded(Excess{subtree, what, amount, limit, hard >= 0})
	}
	return hard >= 0
}

// quotaText is the part of a node's data that prepared requests are checked
// against: the limits of quotas.
func quotaText(path string, data []byte) string {
	if _, name, ok := quotaNode(path); ok && name == limitsName {
		return string(data)
	}
	return ""
}
