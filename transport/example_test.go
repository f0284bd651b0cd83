package transport_test

import (
	"context"
	"fmt"
	"net"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/transport"
)

// Two servers send each other a message on the election port.
func ExampleManager() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	where := map[ensemble.ServerID]string{}
	ports := map[ensemble.ServerID]net.Listener{}
	for _, sid := range []ensemble.ServerID{1, 2} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Println(err)
			return
		}
		ports[sid], where[sid] = ln, ln.Addr().String()
	}
	servers := map[ensemble.ServerID]*transport.Manager{}
	done := make(chan error)
	for sid, ln := range ports {
		m := transport.NewManager(transport.Config{
			Self: sid, Ensemble: "example",
			Addresses: func(peer ensemble.ServerID) []string { return []string{where[peer]} },
		})
		servers[sid] = m
		go func() { done <- m.Run(ctx, ln) }()
	}

	servers[1].Send(2, []byte("I vote for 2"))
	from, payload, err := servers[2].Receive(ctx)
	fmt.Println(from, string(payload), err)

	stop()
	fmt.Println(<-done, <-done)
	// Output:
	// 1 I vote for 2 <nil>
	// <nil> <nil>
}
