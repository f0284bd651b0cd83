package watch_test

import (
	"fmt"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/watch"
)

func Example() {
	m := watch.New[string](10_000)
	_ = m.AddData("connection 1", "/config")
	_ = m.AddRecursive("connection 2", "/")
	fmt.Println(m.Trigger(nil, proto.EventNodeDataChanged, "/config"))
	fmt.Println(m.Trigger(nil, proto.EventNodeDataChanged, "/config"))
	// Output:
	// [connection 1 connection 2]
	// [connection 2]
}
