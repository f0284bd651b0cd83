package server

import (
	"log/slog"

	"github.com/quorate/quorate/server/znode"
)

// excesses is what one Prepare finds beyond a quota, to be told when no lock is
// held. Only Prepare uses it.
type excesses []znode.Excess

// add remembers an excess. A multi may be beyond a soft limit with every part: the
// first ones say enough.
func (x *excesses) add(e znode.Excess) {
	if e.Hard || len(*x) < complaintsMax {
		*x = append(*x, e)
	}
}

// tellExcesses tells of what the last Prepare found.
func (s *Server) tellExcesses() {
	for _, e := range s.excesses {
		what := "a request goes beyond a quota"
		if e.Hard {
			what = "refused a request that goes beyond a quota"
			if ns, ok := namespace(e.Subtree); ok {
				s.metrics.QuotaExceeded.Get(ns).Inc()
			}
		}
		s.complain(slog.LevelWarn, what, "quota", clip(e.Subtree), "of", e.What, "amount", e.Amount, "limit", e.Limit)
	}
	s.excesses = s.excesses[:0]
}

// newPreparer returns a preparer for requests against t, with the rules of the
// configuration.
func (s *Server) newPreparer(t *znode.Tree) *znode.Preparer {
	p := znode.NewPreparer(t)
	p.Policy = s.cfg.Policy
	p.ExtendedTypes = s.cfg.ExtendedTypes
	p.NeverUsedMillis = s.cfg.ContainerNeverUsedMax.Milliseconds()
	p.EnforceQuota = s.cfg.EnforceQuota
	p.Exceeded = s.excesses.add
	return p
}
