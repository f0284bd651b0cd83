package gossip_test

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/transport/gossip"
)

// A server announces itself and lists the others.
func ExampleGossip() {
	changed := make(chan struct{}, 1)
	g, err := gossip.New(gossip.Config{
		Self: 1, Ensemble: "example", Bind: "127.0.0.1:0", Key: "pass phrase", Timing: gossip.Local,
		OnChange: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = g.Announce(gossip.Meta{State: ensemble.Leading, Epoch: 3, Quorum: "zk1:2888", Election: "zk1:3888"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	done := make(chan error)
	go func() { done <- g.Run(ctx) }()

	<-changed
	for _, m := range g.Members() {
		fmt.Println(m.Sid, m.State, m.Alive, m.Quorum)
	}
	for _, v := range g.Voters() {
		fmt.Printf("server.%d=%s\n", v.ID, v)
	}

	stop()
	fmt.Println(<-done)
	// Output:
	// 1 LEADING true zk1:2888
	// server.1=zk1:2888:3888:participant
	// <nil>
}
