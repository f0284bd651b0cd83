package check_test

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// A server starts with one transaction on its disk, and says in an election that
// it has two.
func ExampleCluster() {
	view, err := ensemble.NewView(0, []ensemble.Member{{ID: 1}, {ID: 2}, {ID: 3}})
	if err != nil {
		panic(err)
	}
	z := ensemble.NewZxid(1, 1)
	events := []check.Event{
		{Kind: check.Boot, Node: 1, Life: 1, Accepted: 1, Current: 1, Log: []check.Entry{{Zxid: z, Chain: 7}}, Mode: "clean"},
		{Kind: check.VoteSend, Node: 1, Life: 1, Peer: 2, Round: 1, Vote: &check.Vote{Leader: 1, Zxid: z + 1, Epoch: 1}},
	}
	c := check.NewCluster(view, check.Options{})
	for i := range events {
		events[i].Seq = i + 1
		if v := c.Observe(&events[i]); v != nil {
			fmt.Println(v.Invariant, "at event", v.Seq)
			fmt.Println(v.Text)
			break
		}
	}
	// Output:
	// B11 at event 2
	// server 1 says that it has epoch 1 and 0x100000002, and its disk has epoch 1 and 0x100000001
}
