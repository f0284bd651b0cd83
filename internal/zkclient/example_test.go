package zkclient_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/zktest"
)

// A client writes, reads, and hears of what another does.
func ExampleDial() {
	e, err := zktest.New(zktest.Config{Servers: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = e.Close() }()
	ctx := context.Background()
	events := make(chan zkclient.Event, 100)
	c, err := zkclient.Dial(ctx, zkclient.Config{Servers: e.ConnectString(), OnEvent: func(e zkclient.Event) { events <- e }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	path, _, err := c.Create(ctx, "/job-", []byte("first"), zkclient.Create{Sequential: true})
	fmt.Println(path, err)
	_, _, err = c.Get(ctx, "/nope", false)
	fmt.Println(errors.Is(err, proto.ErrNoNode), err)
	_, _, _ = c.Get(ctx, path, true) // with a watch
	_, err = c.Multi(ctx, zkclient.CheckOp(path, 0), zkclient.SetOp(path, []byte("second"), 0))
	fmt.Println(err)
	for ev := range events {
		if ev.Type != 0 {
			fmt.Println(ev.Type, ev.Path)
			break
		}
	}
	// Output:
	// /job-0000000000 <nil>
	// true getData /nope: no node (-101)
	// <nil>
	// NodeDataChanged /job-0000000000
}
