package zktest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/quorate/quorate/sim/zktest"
)

// A test of yours: what you wrote must still be there when the leader has died.
func ExampleStart() {
	test := func(t *testing.T) {
		e := zktest.Start(t, 3)
		c, _, err := zk.Connect(e.Addrs(), 4*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Create("/a", []byte("1"), 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
		leader := e.Leader()
		e.Kill(leader)
		if _, err := e.WaitLeader(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.Restart(leader)
		if err := e.WaitServing(t.Context()); err != nil {
			t.Fatal(err)
		}
		if data, _, err := c.Get("/a"); err != nil || string(data) != "1" {
			t.Errorf("/a is %q: %v", data, err)
		}
	}
	_ = test // go test calls it
}

// Without a test: an ensemble for a program to play with.
func ExampleNew() {
	e, err := zktest.New(zktest.Config{Servers: 3, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = e.Close() }()
	c, _, err := zk.Connect(e.Addrs(), 4*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	path, err := c.Create("/task-", nil, zk.FlagSequence, zk.WorldACL(zk.PermAll))
	fmt.Println(path, err)
	err = e.Kill(7)
	fmt.Println(err)
	// Output:
	// /task-0000000000 <nil>
	// zktest: Kill: there is no server 7: the ids are 1 to 3
}
