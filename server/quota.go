package server

import (
	"time"

	"github.com/quorate/quorate/server/znode"
)

// quotaLogPeriod is how often requests beyond a quota are logged: a client that
// is at its limit tries again and again.
const quotaLogPeriod = time.Second

// quotaLog gathers what one Prepare finds beyond a quota, to be logged when no
// lock is held. Only Prepare uses it.
type quotaLog struct {
	found   []znode.Excess
	next    time.Duration // log nothing before
	skipped int
}

func (q *quotaLog) add(e znode.Excess) { q.found = append(q.found, e) }

// logQuotas logs what the last Prepare found.
func (s *Server) logQuotas() {
	q := &s.quotaLog
	for _, e := range q.found {
		if ns, ok := namespace(e.Subtree); ok && e.Hard {
			s.metrics.QuotaExceeded.Get(ns).Inc()
		}
		if now := s.now(); now < q.next {
			q.skipped++
			continue
		} else {
			q.next = now + quotaLogPeriod
		}
		what := "a request goes beyond a quota"
		if e.Hard {
			what = "refused a request that goes beyond a quota"
		}
		s.log.Warn(what, "quota", e.Subtree, "of", e.What, "would be", e.Amount, "limit", e.Limit, "not logged since", q.skipped)
		q.skipped = 0
	}
	q.found = q.found[:0]
}

// newPreparer returns a preparer for requests against t, with the rules of the
// configuration.
func (s *Server) newPreparer(t *znode.Tree) *znode.Preparer {
	p := znode.NewPreparer(t)
	p.Policy = s.cfg.Policy
	p.ExtendedTypes = s.cfg.ExtendedTypes
	p.NeverUsedMillis = s.cfg.ContainerNeverUsedMax.Milliseconds()
	p.EnforceQuota = s.cfg.EnforceQuota
	p.Exceeded = s.quotaLog.add
	return p
}
