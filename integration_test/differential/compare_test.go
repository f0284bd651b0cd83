package differential

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bytesOf is a frame of these values, with zxids as they are.
func bytesOf(tokens ...Token) []byte {
	var b []byte
	for _, t := range tokens {
		b = t.appendTo(b, 0)
	}
	return b
}

func stat(czxid, mzxid, ctime, mtime int64, length int32) []Token {
	return []Token{i64(czxid), i64(mzxid), i64(ctime), i64(mtime), i32(1), i32(0), i32(0), i64(0), i32(length), i32(0), i64(czxid)}
}

// reply is a reply to getData.
func getDataReply(base int64, data string, mtime int64) []byte {
	tokens := []Token{i32(5), i64(base + 9), i32(0), str(data)}
	return bytesOf(append(tokens, stat(base+1, base+2, 1000, mtime, int32(len(data)))...)...)
}

// compareOne compares one reply of each.
func compareOne(real, ours []Frame) *Outcome {
	s := &Script{Steps: []Step{{Kind: Send, Conn: 1, Requests: []Request{*getData}}}}
	return Compare(s, []Observation{{Conn: 1, Frames: real}}, []Observation{{Conn: 1, Frames: ours}}, newCanon(100), newCanon(5000))
}

var getData = &Request{Xid: 5, Op: opGetData, Body: []Token{str("/a"), boolean(false)}}

func TestCompare_OnlyWhatHasNoMeaningMayDiffer(t *testing.T) {
	real := func() []Frame { return []Frame{{Request: getData, Raw: getDataReply(100, "x", 2000)}} }
	same := compareOne(real(), []Frame{{Request: getData, Raw: getDataReply(5000, "x", 7777)}})
	require.Nil(t, same.Case, "zxids count from the beginning, times are those of their zxids")
	assert.Empty(t, same.Known)

	good := getDataReply(5000, "x", 2000)
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x40
		o := compareOne(real(), []Frame{{Request: getData, Raw: bad}})
		if i >= 37 && i < 53 {
			assert.Nil(t, o.Case, "byte %d is of a time", i)
			continue
		}
		assert.NotNil(t, o.Case, "byte %d was changed unnoticed", i)
	}
	for _, bad := range [][]byte{good[:len(good)-1], append(append([]byte(nil), good...), 0), nil} {
		assert.NotNil(t, compareOne(real(), []Frame{{Request: getData, Raw: bad}}).Case, "%x", bad)
	}
	assert.NotNil(t, compareOne(real(), nil).Case, "a reply is missing")
	assert.NotNil(t, compareOne(real(), append(real(), real()...)).Case, "there is one too many")
}

func event(zxid int64, kind int32, path string) Frame {
	return Frame{Kind: Event, Raw: bytesOf(i32(-1), i64(zxid), i32(0), i32(kind), i32(3), str(path))}
}

func TestCompare_EventsInTheirOrder(t *testing.T) {
	a, b := func(z int64) Frame { return event(z, 1, "/a") }, func(z int64) Frame { return event(z, 4, "/") }
	ok := compareOne([]Frame{a(-1), b(-1)}, []Frame{a(5003), b(5003)})
	require.Nil(t, ok.Case)
	assert.Equal(t, map[string]int{"event-zxid": 2}, ok.Known)
	assert.NotNil(t, compareOne([]Frame{a(-1), b(-1)}, []Frame{b(5003), a(5003)}).Case)
	assert.NotNil(t, compareOne([]Frame{a(-1)}, []Frame{a(5003), a(5003)}).Case)
	assert.NotNil(t, compareOne([]Frame{a(-1), b(-1)}, []Frame{a(5003)}).Case)
	assert.NotNil(t, compareOne([]Frame{a(104)}, []Frame{a(5003)}).Case, "the zxid of an event is not free")
}

func TestCompare_TimesBelongToZxids(t *testing.T) {
	c := newCanon(0)
	assert.Equal(t, "t", c.time(7, 1000))
	assert.Equal(t, "t", c.time(7, 1000))
	assert.Equal(t, "t3", c.time(7, 1003))
	assert.Equal(t, "0", c.time(0, 0))
}

func TestDifferences_HaveReasons(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Differences {
		assert.False(t, seen[d.ID], d.ID)
		seen[d.ID] = true
		assert.NotEmpty(t, d.What)
		assert.NotEmpty(t, d.Why)
	}
}

// A long path is shortened where it is shown, but not where rows look at it.
func TestFrame_EventPathIsWhole(t *testing.T) {
	path := "/a/" + strings.Repeat("long", 1000)
	f := event(7, 1, path)
	f.name(newCanon(0))
	assert.Less(t, len(f.String()), 300)
	assert.Equal(t, path, f.eventPath())
}
