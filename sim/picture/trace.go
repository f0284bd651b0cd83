package picture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/sim/check"
)

// The limits of ReadTrace. A Boot event has the whole history of a server in its
// line, so that lines can be long.
const (
	LineBytesMax = 64 << 20
	EventsMax    = 10_000_000
)

// ReadTrace reads a trace as quorate sim replay --trace writes it: a JSON object
// on each line, one for each event. Blank lines are skipped. The end of a run is
// enough, as Seq need not begin with 1, but it must ascend (messages, which no
// checker sees, have none), and time must not go back. An error names the line,
// and the events before it are returned with it, so that a trace cut off in the
// middle of a line can still be drawn.
func ReadTrace(r io.Reader) ([]check.Event, error) {
	var t reader
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), LineBytesMax)
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		e, err := readEvent(line)
		if err == nil {
			err = t.add(e)
		}
		if err != nil {
			return t.events, fmt.Errorf("trace, line %d: %w", number, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return t.events, fmt.Errorf("trace, behind event %d: a line has more than %d bytes; is this a trace?", len(t.events), LineBytesMax)
	case err != nil:
		return t.events, fmt.Errorf("trace, behind event %d: %w", len(t.events), err)
	case len(t.events) == 0:
		return nil, errors.New("trace: there is no event in it; want the file that quorate sim replay --trace has written")
	}
	return t.events, nil
}

func readEvent(line []byte) (check.Event, error) {
	var e check.Event
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("this is not an event: %w", err)
	}
	if d.More() {
		return e, errors.New("there is more behind the event; want one on each line")
	}
	switch {
	case e.Kind == "":
		return e, errors.New(`there is no "ev": every event says what it is`)
	case e.Seq < 0, e.Seq == 0 && e.Kind != check.MessageSend && e.Kind != check.MessageRecv:
		return e, fmt.Errorf("seq is %d: events are counted from 1, and only messages are not counted", e.Seq)
	case e.At < 0:
		return e, fmt.Errorf("t is %d: a run begins at 0", int64(e.At))
	case e.Node < 0:
		return e, fmt.Errorf("node is %d: want a server, or nothing", e.Node)
	}
	return e, nil
}

// reader is where in a trace one is.
type reader struct {
	events []check.Event
	seq    int // the last one
}

// add appends an event that may stand behind those before.
func (r *reader) add(e check.Event) error {
	if len(r.events) == EventsMax {
		return fmt.Errorf("there are more than %d events; cut the trace", EventsMax)
	}
	if e.Seq > 0 && e.Seq <= r.seq {
		return fmt.Errorf("seq %d stands behind seq %d; the lines are not in order, or two traces are in one file", e.Seq, r.seq)
	}
	if n := len(r.events); n > 0 && e.At < r.events[n-1].At {
		return fmt.Errorf("it is at %v, the one before at %v: time goes back", e.At, r.events[n-1].At)
	}
	r.seq = max(r.seq, e.Seq)
	r.events = append(r.events, e)
	return nil
}
