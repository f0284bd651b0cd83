package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

const groupWatch = "Watch"

var watchCommands = []*command{
	{name: "addWatch", group: groupWatch, params: "path", short: "Arm a watch that stays",
		long:    "PERSISTENT_RECURSIVE, the default, tells of the node and everything below;\nPERSISTENT of the node and its children. The node need not exist.",
		options: []option{{"m", "mode", "PERSISTENT or PERSISTENT_RECURSIVE"}},
		example: "addWatch /app\naddWatch -m PERSISTENT /app", paramsMin: 1, paramsMax: 1, paths: 1, run: runAddWatch},
	{name: "removewatches", group: groupWatch, params: "path", short: "Disarm watches of a node",
		options: []option{{"c", "", "those of children"}, {"d", "", "those of data"}, {"p", "", "persistent ones (servers from 3.9 on)"},
			{"r", "", "persistent recursive ones (servers from 3.9 on)"}, {"a", "", "all, the default"}, {"l", "", "forget them even if the server cannot be told"}},
		example: "removewatches /app\nremovewatches -d /app", paramsMin: 1, paramsMax: 1, paths: 1, run: runRemoveWatches},
	{name: "printwatches", group: groupWatch, params: "[on|off]", short: "Print events of watches, or not; list watches",
		example: "printwatches        # is it on, and what is armed\nprintwatches off", paramsMax: 1, offline: true, run: runPrintWatches},
	{name: "watch", group: groupWatch, params: "path", short: "Print what happens in a subtree",
		long: `Prints a line for each event in the subtree, with the time and the zxid of the
change (servers from 3.9 on), until it is interrupted with -f, and otherwise until
the first one. It goes on when the server dies or the session expires, and then says
whether events may have been missed: those with zxids between the two that it names.`,
		options: []option{{"f", "", "follow: go on until it is interrupted"}, {"n", "count", "end after so many events"}},
		example: "watch -f /app\nwatch -n 1 / && echo something happened", paramsMin: 1, paramsMax: 1, paths: 1, streams: true, run: runWatch},
}

func runAddWatch(ctx context.Context, s *Shell, a *args) (result, error) {
	recursive := true
	switch mode := strings.ToUpper(a.value("m")); mode {
	case "", "PERSISTENT_RECURSIVE":
	case "PERSISTENT":
		recursive = false
	default:
		return nil, a.wrong("-m %s: want PERSISTENT or PERSISTENT_RECURSIVE", safe(a.value("m")))
	}
	if err := s.client.AddWatch(ctx, a.params[0], recursive); err != nil {
		return nil, err
	}
	s.armed, s.once = true, false
	return done{Path: a.params[0]}, nil
}

func runRemoveWatches(ctx context.Context, s *Shell, a *args) (result, error) {
	if err := a.exclusive("c", "d", "p", "r", "a"); err != nil {
		return nil, err
	}
	kind := proto.WatcherAny
	for name, k := range map[string]int32{"c": proto.WatcherChildren, "d": proto.WatcherData, "p": proto.WatcherPersistent, "r": proto.WatcherPersistentRecursive} {
		if a.has(name) {
			kind = k
		}
	}
	return done{Path: a.params[0]}, s.client.RemoveWatches(ctx, a.params[0], kind, a.has("l"))
}

// watchStatus is the result of printwatches.
type watchStatus struct {
	On      bool         `json:"on"`
	Watches []armedWatch `json:"watches"`
}

type armedWatch struct {
	Kind string `json:"kind"`
	Path string `json:"path"`
}

func (l watchStatus) text(w io.Writer) {
	state := "off"
	if l.On {
		state = "on"
	}
	_, _ = fmt.Fprintln(w, "printwatches is "+state)
	for _, a := range l.Watches {
		_, _ = fmt.Fprintf(w, "%s %s\n", a.Kind, safe(a.Path))
	}
}

func runPrintWatches(_ context.Context, s *Shell, a *args) (result, error) {
	if len(a.params) == 0 {
		l := watchStatus{On: s.watches, Watches: []armedWatch{}}
		if s.client != nil {
			for _, w := range s.client.Watches() {
				l.Watches = append(l.Watches, armedWatch{w.Kind, w.Path})
			}
		}
		return l, nil
	}
	switch a.params[0] {
	case "on":
		s.watches = true
	case "off":
		s.watches = false
	default:
		return nil, a.wrong("%q: want on or off", safe(a.params[0]))
	}
	return done{}, nil
}
