package picture_test

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/sim/picture"
)

// A trace of a few lines becomes a page. In earnest the trace is a file that
// quorate sim replay --trace has written, or the events that sim.Config.Trace got.
func Example() {
	trace := `
{"t":0,"seq":1,"ev":"boot","node":1,"life":1}
{"t":0,"seq":2,"ev":"boot","node":2,"life":1}
{"t":5000000,"seq":3,"ev":"role","node":1,"life":1,"state":1,"peer":2}
{"t":5000000,"seq":4,"ev":"role","node":2,"life":1,"state":2,"peer":2}
{"t":6000000,"seq":0,"ev":"msg.send","node":1,"life":1,"peer":2,"msg":1,"text":"FOLLOWERINFO 0x0"}
{"t":8000000,"seq":0,"ev":"msg.recv","node":2,"life":1,"peer":1,"msg":1,"text":"FOLLOWERINFO 0x0"}
{"t":9000000,"seq":5,"ev":"established","node":2,"life":1,"state":2,"epoch":1,"voters":[1,2]}
`
	events, err := picture.ReadTrace(strings.NewReader(trace))
	if err != nil {
		fmt.Println(err)
		return
	}
	var page bytes.Buffer
	err = picture.Write(&page, "Two servers", events, nil, nil)
	fmt.Println(err, strings.Contains(page.String(), "Server 2 leads epoch 1, with 1."))
	// Output: <nil> true
}

// With the violation of a run the page opens at it, and shows what led to it.
func ExampleWrite() {
	events := []check.Event{
		{Seq: 1, At: 10 * time.Millisecond, Node: 1, Kind: check.Established, State: ensemble.Leading, Epoch: 7},
		{Seq: 2, At: 30 * time.Millisecond, Node: 3, Kind: check.Established, State: ensemble.Leading, Epoch: 7},
	}
	violation := &check.Violation{
		Invariant: "E3", Rule: "at most one established leader per epoch", Text: "servers 1 and 3 lead epoch 7",
		At: 30 * time.Millisecond, Node: 3, Seq: 2,
	}
	var page bytes.Buffer
	err := picture.Write(&page, "seed 17", events, nil, violation)
	fmt.Println(err, strings.Contains(page.String(), `E3 is violated: servers 1 and 3 lead epoch 7`))
	// Output: <nil> true
}
