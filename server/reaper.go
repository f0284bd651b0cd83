package server

import (
	"time"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
)

// Limits of the reaper.
const (
	reapLook      = 1000  // nodes looked at without letting go of the state
	reapLookMax   = 50000 // and in one turn of housekeeping
	reapFoundMax  = 10000 // found and not proposed yet, from which on it looks no further
	reapSubmitMax = 1000  // proposed and not applied
)

// reaper deletes the containers and the nodes with a time to live that nobody
// needs any more (spec client-protocol 2.4, 2.5). It belongs to one leadership:
// the leader alone proposes their deletion, as deleteContainer transactions.
//
// A check looks at all of them, in portions, and what it finds is proposed at a
// steady rate. Nothing is proposed again before it is known what became of it.
type reaper struct {
	next   time.Duration // when the next check begins
	look   int           // where the check under way goes on; 0 is none
	found  []string      // to be proposed
	last   time.Duration // of the last turn
	credit time.Duration // time in which nothing was proposed

	underway map[string]struct{} // guarded by trackMu
}

// newReaper makes the reaper of a leadership. Its first check comes after one
// interval, as ZooKeeper's.
func (s *Server) newReaper() *reaper {
	now := s.now()
	return &reaper{next: now + s.cfg.ContainerCheckInterval, last: now, underway: map[string]struct{}{}}
}

// reap is one turn of the reaper, on the leader, by who calls Housekeep.
func (s *Server) reap(now time.Duration) {
	s.trackMu.Lock()
	r := s.reaper
	s.trackMu.Unlock()
	if r == nil {
		return
	}
	rule := znode.Reap{NowMillis: s.cfg.Time().UnixMilli(), NeverUsedMillis: s.cfg.ContainerNeverUsedMax.Milliseconds()}
	price := max(time.Minute/time.Duration(s.cfg.ContainersPerMinuteMax), 1)
	r.earn(now, price)
	s.lookForDue(r, rule, now)
	n := 0
	for ; n < len(r.found) && r.credit >= price; n++ {
		proposed, full := s.proposeReaping(r, rule, r.found[n])
		if full {
			break
		}
		if proposed {
			r.credit -= price
		}
	}
	clear(r.found[:n])
	if r.found = r.found[n:]; len(r.found) == 0 {
		r.found = nil
	}
}

// earn counts the time since the last turn, of which each deletion costs price.
// What is not used is lost, so that there is never a burst: while there was
// nothing to do, but for one deletion.
func (r *reaper) earn(now, price time.Duration) {
	most := price
	if len(r.found) > 0 {
		most = max(time.Second, price)
	}
	r.credit = min(r.credit+now-r.last, most)
	r.last = now
}

// lookForDue begins a check if it is time and the last one is done with, and
// goes on with the one under way.
func (s *Server) lookForDue(r *reaper, rule znode.Reap, now time.Duration) {
	if r.look == 0 {
		if now < r.next || len(r.found) > 0 {
			return
		}
		r.next = now + s.cfg.ContainerCheckInterval
		s.state.RLock()
		r.look = s.tree.MortalCount()
		s.state.RUnlock()
	}
	for looked := 0; r.look > 0 && looked < reapLookMax && len(r.found) < reapFoundMax; looked += reapLook {
		s.state.RLock()
		r.look, r.found = s.tree.Due(rule, r.look, reapLook, r.found)
		s.state.RUnlock()
	}
}

// proposeReaping proposes the deletion of a node, unless it is not due any more
// or its deletion is under way. full says that too many are under way.
func (s *Server) proposeReaping(r *reaper, rule znode.Reap, path string) (proposed, full bool) {
	s.state.RLock()
	due := s.tree.IsDue(rule, path)
	s.state.RUnlock()
	s.trackMu.Lock()
	_, again := r.underway[path]
	full = len(r.underway) >= reapSubmitMax
	if due && !again && !full {
		r.underway[path] = struct{}{}
	}
	s.trackMu.Unlock()
	if !due || again || full {
		return false, due && !again && full
	}
	body := proto.Marshal(&proto.PathRequest{Path: path})
	req := appendRequest(0, 0, proto.OpDeleteContainer, false, encodeIDs(nil), body)
	s.log.Debug("proposing to delete a node that nobody needs any more", "path", path)
	s.quorum.Submit(req, func(any, error) {
		// What was lost on the way is found by the next check.
		s.trackMu.Lock()
		delete(r.underway, path)
		s.trackMu.Unlock()
	})
	return true, false
}
