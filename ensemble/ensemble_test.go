package ensemble

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestZxid_PacksOrdersAndPrints(t *testing.T) {
	z := NewZxid(5, 3)
	assert.Equal(t, "0x500000003", z.String())
	assert.Equal(t, Epoch(5), z.Epoch())
	assert.Equal(t, uint32(3), z.Counter())
	assert.Less(t, NewZxid(4, MaxCounter), NewZxid(5, 0))
	assert.Equal(t, "0xffffffffffffffff", NoZxid.String())
	assert.Equal(t, NewZxid(MaxEpoch, MaxCounter).Epoch(), MaxEpoch)
}

func TestZxid_NextStopsAtTheEndOfTheEpoch(t *testing.T) {
	next, ok := NewZxid(1, 7).Next()
	assert.True(t, ok)
	assert.Equal(t, NewZxid(1, 8), next)
	last := NewZxid(1, MaxCounter)
	next, ok = last.Next()
	assert.False(t, ok)
	assert.Equal(t, last, next)
}

func TestZxid_Follows(t *testing.T) {
	for _, c := range []struct {
		z, prev Zxid
		want    bool
	}{
		{NewZxid(1, 1), 0, true},
		{NewZxid(0, 1), 0, true},
		{NewZxid(1, 2), NewZxid(1, 1), true},
		{NewZxid(1, 3), NewZxid(1, 1), false},
		{NewZxid(1, 1), NewZxid(1, 1), false},
		{NewZxid(3, 1), NewZxid(1, 9), true},
		{NewZxid(3, 2), NewZxid(1, 9), false},
		{NewZxid(1, 1), NewZxid(2, 1), false},
		{NewZxid(2, 0), NewZxid(1, MaxCounter), false},
	} {
		assert.Equal(t, c.want, c.z.Follows(c.prev), "%v behind %v", c.z, c.prev)
	}
}

func TestState_PrintsZooKeepersWords(t *testing.T) {
	assert.Equal(t, "LOOKING FOLLOWING LEADING OBSERVING State(9)",
		fmt.Sprint(Looking, " ", Following, " ", Leading, " ", Observing, " ", State(9)))
}

func TestParseMember_PrintsAsZooKeeperDoes(t *testing.T) {
	for in, want := range map[string]string{
		"zk1:2888:3888":                           "zk1:2888:3888:participant",
		"zk1:2888:3888:observer":                  "zk1:2888:3888:observer",
		"zk1:2888:3888:PARTICIPANT;2181":          "zk1:2888:3888:participant;0.0.0.0:2181",
		"zk1:2888:3888;10.0.0.1:2181":             "zk1:2888:3888:participant;10.0.0.1:2181",
		"[::1]:2888:3888;[::1]:2181":              "[::1]:2888:3888:participant;[::1]:2181",
		"a:1:2|b:3:4:observer":                    "a:1:2|b:3:4:observer",
		" zk1.example.com:2888:3888:participant ": "zk1.example.com:2888:3888:participant",
	} {
		m, err := ParseMember(1, in)
		require.NoError(t, err, in)
		assert.Equal(t, want, m.String(), in)
		again, err := ParseMember(1, m.String())
		require.NoError(t, err)
		assert.Equal(t, m, again)
	}
}

func TestParseMember_ErrorsNameThePart(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "empty host",
		"zk1":                 "want host:quorumPort:electionPort",
		"zk1:2888":            "want host:quorumPort:electionPort",
		"zk1:0:3888":          "quorum port",
		"zk1:2888:70000":      "election port",
		"zk1:2888:x":          `"x" is not a port`,
		"zk1:2888:2888":       "must differ",
		"zk1:2888:3888:boss":  `role "boss"`,
		"zk1:2888:3888;":      "client address",
		"zk1:2888:3888;a:b":   "client port",
		"zk1:2888:3888;a:1:2": "want [host:]port",
		"[::1:2888:3888":      "IPv6",
		"[zk]:2888:3888":      "IPv6",
		"[::1]2888:3888":      "behind ']'",
	} {
		_, err := ParseMember(4, in)
		require.Error(t, err, in)
		assert.ErrorContains(t, err, want, in)
		assert.ErrorContains(t, err, "server.4=", in)
	}
	_, err := ParseMember(-1, "a:1:2")
	assert.ErrorContains(t, err, "negative")
}

const hierarchicalText = `server.1=a:1:2:participant
server.2=b:1:2:participant
server.3=c:1:2:participant
server.4=d:1:2:observer
group.1=1:2
group.2=3
weight.1=1
weight.2=1
weight.3=0
version=500000003`

func TestView_PrintsWhatItParses(t *testing.T) {
	for _, text := range []string{
		"server.1=a:1:2:participant;0.0.0.0:2181\nversion=0",
		"server.1=a:1:2:participant\nserver.2=b:1:2:observer\nversion=100000000",
		hierarchicalText,
	} {
		v, err := ParseView(text)
		require.NoError(t, err)
		assert.Equal(t, text, v.String())
	}
}

func TestView_KnowsItsMembers(t *testing.T) {
	v, err := ParseView(hierarchicalText)
	require.NoError(t, err)
	assert.Equal(t, []ServerID{1, 2, 3}, v.Voters())
	assert.True(t, v.IsVoter(3))
	assert.False(t, v.IsVoter(4))
	assert.False(t, v.IsVoter(9))
	assert.Equal(t, int64(1), v.Weight(1))
	assert.Equal(t, int64(0), v.Weight(3))
	assert.Equal(t, int64(0), v.Weight(4), "an observer")
	assert.Equal(t, int64(0), v.Weight(9), "a stranger")
	assert.Equal(t, int64(0x500000003), v.Version())
	_, ok := v.Member(9)
	assert.False(t, ok)
}

func TestParseView_ErrorsSayWhatAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		"server.1=a:1:2\nserver.1=b:1:2":            "server.1 is defined twice",
		"server.1=a:1:2:observer":                   "no participant",
		"server.1=a:1:2\nserver.2=a:1:3":            "both use a:1",
		"server.x=a:1:2":                            `line 1: server.x=a:1:2: "x" is not a number`,
		"server.1=a:1:2\nboss=1":                    `line 2: unknown key "boss"`,
		"server.1=a:1:2\nhello":                     "want key=value",
		"server.1=a:1:2\nversion=xyz":               "hexadecimal",
		"server.1=a:1:2\ngroup.1=1:2":               "no server.2 line",
		"server.1=a:1:2\ngroup.1=1\ngroup.2=1":      "already in group 1",
		"server.1=a:1:2\ngroup.0=1":                 "start at 1",
		"server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1": "server.2 is in no group",
		"server.1=a:1:2\nweight.1=2":                "need group.N lines",
		"server.1=a:1:2\ngroup.1=1\nweight.1=-1":    "0 or more",
		"server.1=a:1:2\ngroup.1=1\nweight.1=0":     "no quorum could ever form",
		"server.1=a:1:2\ngroup.1=1\nweight.7=1":     "there is no server.7 line",
		"server.1=a:1:2\ngroup.1=one":               "not a server id",
	} {
		_, err := ParseView(text)
		require.Error(t, err, text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestMajority_IsMoreThanHalf(t *testing.T) {
	for n := 1; n <= 7; n++ {
		var lines []string
		for i := 1; i <= n; i++ {
			lines = append(lines, fmt.Sprintf("server.%d=h%d:1:2", i, i))
		}
		v, err := ParseView(strings.Join(lines, "\n"))
		require.NoError(t, err)
		for k := 0; k <= n; k++ {
			assert.Equal(t, 2*k > n, v.HasQuorum(func(id ServerID) bool { return int(id) <= k }), "%d of %d", k, n)
		}
	}
}

// A dumb second opinion: groups and weights counted the long way. And what all
// of ZAB stands on: two quorums share a voter.
func TestHierarchical_AgreesWithCountingAndIntersects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "servers")
		var members []Member
		for i := 1; i <= n; i++ {
			members = append(members, Member{
				ID:     ServerID(i),
				Group:  rapid.Int64Range(1, 3).Draw(t, "group"),
				Weight: rapid.Int64Range(0, 3).Draw(t, "weight"),
			})
		}
		v, err := NewView(0, members)
		if err != nil {
			assert.ErrorContains(t, err, "weights are 0")
			return
		}
		quorum := func(set int) bool {
			return v.HasQuorum(func(id ServerID) bool { return set&(1<<id) != 0 })
		}
		obvious := func(set int) bool {
			groups, won := 0, 0
			for g := int64(1); g <= 3; g++ {
				total, have := int64(0), int64(0)
				for _, m := range members {
					if m.Group == g {
						total += m.Weight
						if set&(1<<m.ID) != 0 {
							have += m.Weight
						}
					}
				}
				if total > 0 {
					groups++
				}
				if 2*have > total {
					won++
				}
			}
			return 2*won > groups
		}
		a, b := rapid.IntRange(0, 2<<n).Draw(t, "set"), rapid.IntRange(0, 2<<n).Draw(t, "other set")
		require.Equal(t, obvious(a), quorum(a))
		if quorum(a) && quorum(b) {
			require.NotZero(t, a&b, "two quorums that share nobody")
		}
	})
}

func TestView_ThreeGroupsOfThreeNeedTwoInEachOfTwo(t *testing.T) {
	var members []Member
	for i := range 9 {
		members = append(members, Member{ID: ServerID(i + 1), Group: int64(i/3 + 1), Weight: 1})
	}
	v, err := NewView(0, members)
	require.NoError(t, err)
	has := func(ids ...ServerID) bool {
		return v.HasQuorum(func(id ServerID) bool {
			for _, x := range ids {
				if x == id {
					return true
				}
			}
			return false
		})
	}
	assert.True(t, has(1, 2, 4, 5))
	assert.False(t, has(1, 2, 3, 4, 7))
	assert.False(t, has())
}

func FuzzParseView(f *testing.F) {
	f.Add(hierarchicalText)
	f.Add("server.1=[::1]:1:2|b:3:4:observer;2181\n#x\n\nversion=-1")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseView(text)
		if err != nil {
			return
		}
		again, err := ParseView(v.String())
		require.NoError(t, err, "%q prints %q", text, v.String())
		require.Equal(t, v.String(), again.String())
	})
}

func Example() {
	view, err := ParseView("server.1=zk1:2888:3888\nserver.2=zk2:2888:3888\nserver.3=zk3:2888:3888\nserver.4=zk4:2888:3888:observer")
	if err != nil {
		panic(err)
	}
	fmt.Println(view.Voters(), view.HasQuorum(func(id ServerID) bool { return id == 1 || id == 4 }))
	fmt.Println(NewZxid(5, 3))
	// Output:
	// [1 2 3] false
	// 0x500000003
}

// anyTwo is the quorum system of two voters, however many there are.
type anyTwo struct{}

func (anyTwo) HasQuorum(voters []ServerID, acked func(ServerID) bool) bool {
	n := 0
	for _, v := range voters {
		if acked(v) {
			n++
		}
	}
	return n >= 2
}

func TestView_WithQuorumReplacesTheSystemAndNothingElse(t *testing.T) {
	var members []Member
	for id := ServerID(1); id <= 5; id++ {
		members = append(members, Member{ID: id})
	}
	majority, err := NewView(0, members)
	require.NoError(t, err)
	other := majority.WithQuorum(anyTwo{})
	two := func(id ServerID) bool { return id <= 2 }
	assert.False(t, majority.HasQuorum(two))
	assert.True(t, other.HasQuorum(two))
	assert.Equal(t, majority.Voters(), other.Voters())
}
