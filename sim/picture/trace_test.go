package picture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/check"
)

// jsonl writes events as quorate sim replay --trace does.
func jsonl(t testing.TB, events []check.Event) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for i := range events {
		require.NoError(t, enc.Encode(&events[i]))
	}
	return b.Bytes()
}

func TestReadTrace_GivesBackWhatWasWritten(t *testing.T) {
	events, h := story(*seed)
	for i := range events {
		if events[i].Kind == check.MessageSend || events[i].Kind == check.MessageRecv {
			events[i].Seq = 0 // no checker sees them
		}
	}
	back, err := ReadTrace(bytes.NewReader(jsonl(t, events)))
	require.NoError(t, err)
	require.Equal(t, events, back)
	assert.True(t, written(t, "same", events, h, nil) == written(t, "same", back, h, nil), "another page")
}

func TestReadTrace_TheEndOfARunIsEnough(t *testing.T) {
	events, _ := brief(*seed)
	events = events[len(events)/2:]
	lines := bytes.ReplaceAll(jsonl(t, events), []byte("\n"), []byte("\r\n\n  "))
	back, err := ReadTrace(bytes.NewReader(lines))
	require.NoError(t, err)
	assert.Equal(t, events, back)
	b := openPage(t, drawn(t, back, nil, nil), "")
	b.sound()
}

func TestReadTrace_FaultsNameTheirLine(t *testing.T) {
	const good = `{"t":5,"seq":1,"ev":"boot","node":1}` + "\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "\n\n", "trace: there is no event in it; want the file that quorate sim replay --trace has written"},
		{"html", "<!doctype html>", "trace, line 1: this is not an event: invalid character '<' looking for beginning of value"},
		{"cut off", good + `{"t":6,"se`, "trace, line 2: this is not an event: unexpected EOF"},
		{"another schema", `{"time":5,"seq":1,"ev":"boot"}`, `trace, line 1: this is not an event: json: unknown field "time"`},
		{"a list", "[]", "trace, line 1: this is not an event: json: cannot unmarshal array into Go value of type check.Event"},
		{"two in a line", strings.TrimSpace(good) + good, "trace, line 1: there is more behind the event; want one on each line"},
		{"no kind", `{"t":5,"seq":1}`, `trace, line 1: there is no "ev": every event says what it is`},
		{"no seq", `{"t":5,"ev":"boot"}`, "trace, line 1: seq is 0: events are counted from 1, and only messages are not counted"},
		{"negative seq", `{"t":5,"seq":-4,"ev":"msg.send"}`, "trace, line 1: seq is -4: events are counted from 1, and only messages are not counted"},
		{"negative time", `{"t":-5,"seq":1,"ev":"boot"}`, "trace, line 1: t is -5: a run begins at 0"},
		{"negative node", `{"t":5,"seq":1,"ev":"boot","node":-3}`, "trace, line 1: node is -3: want a server, or nothing"},
		{"again", good + "\n" + good, "trace, line 3: seq 1 stands behind seq 1; the lines are not in order, or two traces are in one file"},
		{"back in time", good + `{"t":4,"seq":2,"ev":"boot"}`, "trace, line 2: it is at 4ns, the one before at 5ns: time goes back"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := ReadTrace(strings.NewReader(c.text))
			assert.EqualError(t, err, c.want)
			if strings.HasPrefix(c.text, good) && c.name != "two in a line" {
				assert.Len(t, events, 1, "what stands before the fault")
			}
		})
	}
}

func TestReadTrace_ReaderFails(t *testing.T) {
	r := io.MultiReader(strings.NewReader(`{"t":5,"seq":1,"ev":"boot"}`+"\n"), iotest.ErrReader(errors.New("the disk is gone")))
	events, err := ReadTrace(r)
	assert.EqualError(t, err, "trace, behind event 1: the disk is gone")
	assert.Len(t, events, 1)
}

func TestReadTrace_LineWithoutEnd(t *testing.T) {
	_, err := ReadTrace(io.LimitReader(endless{}, LineBytesMax+10))
	assert.EqualError(t, err, "trace, behind event 0: a line has more than 67108864 bytes; is this a trace?")
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// Whatever is read can be drawn, and no string of it gets out of its place.
func FuzzReadTrace(f *testing.F) {
	events, _ := story(1)
	for _, at := range []int{0, 300, 1000} {
		f.Add(jsonl(f, events[at:at+6]))
	}
	f.Add([]byte(`{"t":1,"seq":1,"ev":"fault","node":9223372036854775807,"peer":-1,"mode":"cut","text":"</script> for 1h salt 1"}`))
	f.Add([]byte(`{"t":1,"seq":1,"ev":"established","state":2,"zxid":-1,"epoch":-1,"vote":{"leader":-1},"voters":[0,-1,5]}`))
	f.Add([]byte(`{"t":9223372036854775807,"seq":1,"ev":"msg.send","peer":3,"text":"ACK 0xffffffffffffffff"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := ReadTrace(bytes.NewReader(data))
		if err != nil && !strings.HasPrefix(err.Error(), "trace") {
			t.Fatal(err)
		}
		doc, err := build(string(data), events, nil, &check.Violation{Seq: len(events), Text: string(data)})
		require.NoError(t, err)
		out, err := json.Marshal(doc)
		require.NoError(t, err)
		if bytes.ContainsAny(out, "<>&") {
			t.Fatalf("%s", out)
		}
	})
}
