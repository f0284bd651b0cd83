package ensemble

import (
	"errors"
	"fmt"
)

// QuorumSystem decides which sets of voters are quorums. Any two quorums must
// share a voter; nothing that Quorate promises holds without that.
type QuorumSystem interface {
	// HasQuorum reports whether the voters for which acked is true are a quorum.
	HasQuorum(voters []ServerID, acked func(ServerID) bool) bool
}

// Majority is the quorum system of more than half of the voters.
type Majority struct{ Voters int }

// HasQuorum implements QuorumSystem.
func (m Majority) HasQuorum(voters []ServerID, acked func(ServerID) bool) bool {
	n := 0
	for _, v := range voters {
		if acked(v) {
			n++
		}
	}
	return n > m.Voters/2
}

// hierarchical asks for more than half of the weight of more than half of the
// groups. Groups of total weight 0 do not count (ZooKeeper's QuorumHierarchical).
type hierarchical struct {
	group   map[ServerID]int64
	weight  map[ServerID]int64
	total   map[int64]int64 // weight of each group
	nGroups int             // groups of positive weight
}

func newHierarchical(members []Member) (*hierarchical, error) {
	h := &hierarchical{group: map[ServerID]int64{}, weight: map[ServerID]int64{}, total: map[int64]int64{}}
	var faults []error
	for _, m := range members {
		if m.Observer {
			continue
		}
		if m.Group == 0 {
			faults = append(faults, fmt.Errorf("server.%d is in no group; with groups or weights every participant must be in exactly one", m.ID))
		}
		h.group[m.ID] = m.Group
		h.weight[m.ID] = m.Weight
		h.total[m.Group] += m.Weight
	}
	for _, w := range h.total {
		if w > 0 {
			h.nGroups++
		}
	}
	if h.nGroups == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("all weights are 0: no quorum could ever form"))
	}
	return h, errors.Join(faults...)
}

// HasQuorum implements QuorumSystem.
func (h *hierarchical) HasQuorum(voters []ServerID, acked func(ServerID) bool) bool {
	sums := make(map[int64]int64, len(h.total))
	for _, v := range voters {
		if acked(v) {
			sums[h.group[v]] += h.weight[v]
		}
	}
	n := 0
	for g, w := range sums {
		if total := h.total[g]; total > 0 && w > total/2 {
			n++
		}
	}
	return n > h.nGroups/2
}
