package ensemble

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// View is an ensemble's membership with its quorum system. It is immutable.
type View struct {
	version int64
	members []Member // by id
	index   map[ServerID]int
	voters  []ServerID
	system  QuorumSystem
}

// NewView makes a view of members, whose order does not matter. The quorum
// system is hierarchical if any member has a group, and majority otherwise;
// then weights mean nothing and become 1. All faults are reported, joined.
func NewView(version int64, members []Member) (*View, error) {
	v := &View{version: version, members: slices.Clone(members), index: map[ServerID]int{}}
	slices.SortFunc(v.members, func(a, b Member) int { return int(a.ID - b.ID) })
	var faults []error
	hierarchical := false
	seen := map[string]ServerID{}
	for i, m := range v.members {
		if _, dup := v.index[m.ID]; dup {
			faults = append(faults, fmt.Errorf("server.%d is defined twice", m.ID))
		}
		v.index[m.ID] = i
		if !m.Observer {
			v.voters = append(v.voters, m.ID)
		}
		if m.Group != 0 {
			hierarchical = true
		}
		if m.Weight < 0 {
			faults = append(faults, fmt.Errorf("weight.%d=%d: a weight must not be negative", m.ID, m.Weight))
		}
		for _, a := range m.Addrs {
			for _, ep := range []string{a.Quorum(), a.Election()} {
				if other, dup := seen[ep]; dup {
					faults = append(faults, fmt.Errorf("server.%d and server.%d both use %s", other, m.ID, ep))
				}
				seen[ep] = m.ID
			}
		}
	}
	if len(v.voters) == 0 {
		faults = append(faults, errors.New("the ensemble has no participant; at least one server must not be an observer"))
	}
	if !hierarchical {
		for i := range v.members {
			v.members[i].Weight = 1
		}
	}
	if hierarchical {
		h, err := newHierarchical(v.members)
		if err != nil {
			faults = append(faults, err)
		}
		v.system = h
	} else {
		v.system = Majority{Voters: len(v.voters)}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return v, nil
}

// WithQuorum returns the same membership with another quorum system, for
// experiments: String and ParseView know nothing of it.
func (v *View) WithQuorum(system QuorumSystem) *View {
	other := *v
	other.system = system
	return &other
}

// Version returns the configuration version: the zxid of the reconfiguration
// that made it, or 0 for one read from a file.
func (v *View) Version() int64 { return v.version }

// Members returns all members by ascending id. The caller must not change it.
func (v *View) Members() []Member { return v.members }

// Voters returns the ids of the participants, ascending. The caller must not change it.
func (v *View) Voters() []ServerID { return v.voters }

// Member returns the member with that id.
func (v *View) Member(id ServerID) (Member, bool) {
	i, ok := v.index[id]
	if !ok {
		return Member{}, false
	}
	return v.members[i], true
}

// IsVoter reports whether id is a participant of this view.
func (v *View) IsVoter(id ServerID) bool {
	i, ok := v.index[id]
	return ok && !v.members[i].Observer
}

// Weight returns the weight of a voter, and 0 for anybody else.
func (v *View) Weight(id ServerID) int64 {
	if !v.IsVoter(id) {
		return 0
	}
	return v.members[v.index[id]].Weight
}

// HasQuorum reports whether the voters for which acked is true are a quorum.
// Observers and strangers are never asked.
func (v *View) HasQuorum(acked func(ServerID) bool) bool {
	return v.system.HasQuorum(v.voters, acked)
}

// String prints the view as ZooKeeper stores it: one server.N= line per member,
// groups and weights where they exist, and a last line version=<hex> without
// newline.
func (v *View) String() string {
	var b strings.Builder
	for _, m := range v.members {
		fmt.Fprintf(&b, "server.%d=%s\n", m.ID, m)
	}
	groups := map[int64][]string{}
	for _, m := range v.members {
		if m.Group != 0 {
			groups[m.Group] = append(groups[m.Group], m.ID.String())
		}
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&b, "group.%d=%s\n", g, strings.Join(groups[g], ":"))
	}
	if len(groups) > 0 {
		for _, m := range v.members {
			if !m.Observer {
				fmt.Fprintf(&b, "weight.%d=%d\n", m.ID, m.Weight)
			}
		}
	}
	fmt.Fprintf(&b, "version=%x", v.version)
	return b.String()
}

// ParseView parses what String prints. Blank lines and lines that start with
// '#' are skipped; any other line that is not understood is an error that names
// its number.
func ParseView(text string) (*View, error) {
	var lines Lines
	version := int64(0)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			return nil, fmt.Errorf("line %d: %q: want key=value", i+1, line)
		}
		if key == "version" {
			n, err := strconv.ParseInt(value, 16, 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: version %q is not a hexadecimal number", i+1, value)
			}
			version = n
			continue
		}
		known, err := lines.Add(key, value)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if !known {
			return nil, fmt.Errorf("line %d: unknown key %q: want server.N, group.N, weight.N or version", i+1, key)
		}
	}
	return lines.View(version)
}

// Lines collects the membership lines of a configuration file, in any order.
// The zero value is ready to use.
type Lines struct {
	members []Member
	groups  map[ServerID]int64
	weights map[ServerID]int64
}

// Add takes one key and its value and reports whether the key is one of
// server.N, group.N and weight.N.
func (l *Lines) Add(key, value string) (known bool, err error) {
	kind, number, ok := strings.Cut(key, ".")
	if !ok || (kind != "server" && kind != "group" && kind != "weight") {
		return false, nil
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return true, fmt.Errorf("%s=%s: %q is not a number; want %s.N with N a server id", key, value, number, kind)
	}
	if l.groups == nil {
		l.groups, l.weights = map[ServerID]int64{}, map[ServerID]int64{}
	}
	switch kind {
	case "server":
		m, err := ParseMember(ServerID(n), value)
		if err != nil {
			return true, err
		}
		l.members = append(l.members, m)
	case "group":
		if n <= 0 {
			return true, fmt.Errorf("%s=%s: group numbers start at 1", key, value)
		}
		for _, s := range strings.Split(value, ":") {
			id, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			if err != nil {
				return true, fmt.Errorf("%s=%s: %q is not a server id", key, value, s)
			}
			if g, dup := l.groups[ServerID(id)]; dup {
				return true, fmt.Errorf("%s=%s: server %d is already in group %d", key, value, id, g)
			}
			l.groups[ServerID(id)] = n
		}
	case "weight":
		w, err := strconv.ParseInt(value, 10, 64)
		if err != nil || w < 0 {
			return true, fmt.Errorf("%s=%s: a weight is a number, 0 or more", key, value)
		}
		l.weights[ServerID(n)] = w
	}
	return true, nil
}

// Empty reports whether no server line has been added.
func (l *Lines) Empty() bool { return len(l.members) == 0 }

// View makes the view that the lines describe.
func (l *Lines) View(version int64) (*View, error) {
	members := slices.Clone(l.members)
	var faults []error
	ids := map[ServerID]bool{}
	for i := range members {
		m := &members[i]
		ids[m.ID] = true
		m.Group = l.groups[m.ID]
		if w, ok := l.weights[m.ID]; ok {
			m.Weight = w
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.groups)) {
		if !ids[id] {
			faults = append(faults, fmt.Errorf("group.%d names server %d, which has no server.%d line", l.groups[id], id, id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.weights)) {
		if !ids[id] {
			faults = append(faults, fmt.Errorf("weight.%d: there is no server.%d line", id, id))
		}
	}
	if len(l.weights) > 0 && len(l.groups) == 0 {
		faults = append(faults, errors.New("weight.N lines need group.N lines: every participant must be in exactly one group"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return NewView(version, members)
}
