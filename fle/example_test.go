package fle_test

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
)

// Three ballots elect a leader. The loop below is the whole world: it carries
// what they want to say, in order, and no time passes.
func Example() {
	view, err := ensemble.ParseView("server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888")
	if err != nil {
		fmt.Println(err)
		return
	}
	type letter struct {
		from ensemble.ServerID
		fle.Outgoing
	}
	var post []letter
	ballots := map[ensemble.ServerID]*fle.Ballot{}
	step := func(id ensemble.ServerID, in fle.Input) {
		var out fle.Effects
		ballots[id].Step(0, in, &out)
		for _, o := range out.Notify {
			post = append(post, letter{id, o})
		}
		if out.Decide != nil {
			fmt.Println(id, out.Decide.State, out.Decide.Vote.Leader)
		}
	}
	for _, id := range view.Voters() {
		if ballots[id], err = fle.NewBallot(fle.Config{Server: id, View: view}); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Server 2 has the longest history.
	step(1, fle.Start{Zxid: ensemble.NewZxid(5, 7), Epoch: 5})
	step(2, fle.Start{Zxid: ensemble.NewZxid(5, 9), Epoch: 5})
	step(3, fle.Start{Zxid: ensemble.NewZxid(5, 8), Epoch: 5})
	for len(post) > 0 {
		l := post[0]
		post = post[1:]
		step(l.To, fle.Receive{From: l.from, Notification: l.Notification})
	}
	// Output:
	// 3 FOLLOWING 2
	// 1 FOLLOWING 2
	// 2 LEADING 2
}
