package integration_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/server/proto"
)

const juteMaxBuffer = 0xfffff

// Lengths that no frame may have close the connection, in the handshake and
// behind it; the longest that may be is taken.
func TestHostileClients_Lengths(t *testing.T) {
	s := besiege(t, true)
	length := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	for _, n := range []int{-1, 0, 7, 8, 43, 4097, juteMaxBuffer, juteMaxBuffer + 1, 1<<31 - 1, -1 << 31} {
		c := stranger(t, s.target.ClientAddr())
		_, err := c.nc.Write(append(length(n), make([]byte, 64)...))
		require.NoError(t, err)
		if n > 4096 || n < 44 {
			assert.NoError(t, c.shut(3*time.Second), "length %d in the handshake", n)
		}
	}
	for _, n := range []int{-1, 0, 7, juteMaxBuffer + 1, 16*juteMaxBuffer + 1, 1<<31 - 1, -1 << 31} {
		c := insider(t, s.target.ClientAddr())
		_, err := c.nc.Write(append(length(n), make([]byte, 64)...))
		require.NoError(t, err)
		assert.NoError(t, c.shut(3*time.Second), "length %d", n)
	}
	s.says("closing a connection", "jute.maxbuffer")

	c := insider(t, s.target.ClientAddr())
	long := &proto.SetDataRequest{Path: "/witness-none", Version: -1}
	long.Data = make([]byte, juteMaxBuffer-8-len(proto.Marshal(long)))
	assert.Equal(t, proto.ErrNoNode, c.do(proto.OpSetData, long), "as long as may be")
	long.Data = append(long.Data, 0)
	_, _ = c.nc.Write(asked(7, proto.OpSetData, long))
	assert.NoError(t, c.shut(3*time.Second), "one byte more")
	s.outlast(64)
}

// Records that cannot be, or not in earnest, get an error each, and the
// connection lives on.
func TestHostileClients_Records(t *testing.T) {
	s := besiege(t, true)
	mustCreate(t, s.target.ClientAddr(), "/long", make([]byte, 900_000))
	c := insider(t, s.target.ClientAddr())
	for name, try := range map[string]struct {
		op   proto.OpCode
		fill func(e *jute.Encoder)
		want proto.ErrCode
	}{
		"nothing at all":             {proto.OpCreate, func(*jute.Encoder) {}, proto.ErrMarshalling},
		"null path":                  {proto.OpGetData, func(e *jute.Encoder) { e.NullString(); e.Bool(true) }, proto.ErrMarshalling},
		"path longer than the frame": {proto.OpGetData, func(e *jute.Encoder) { e.Int(1 << 30); e.Bool(true) }, proto.ErrMarshalling},
		"negative length":            {proto.OpDelete, func(e *jute.Encoder) { e.Int(-5); e.Int(0) }, proto.ErrMarshalling},
		"a billion ACLs":             {proto.OpCreate, func(e *jute.Encoder) { e.String("/x"); e.Buffer(nil); e.Int(1e9); e.Int(0) }, proto.ErrMarshalling},
		"minus two ACLs":             {proto.OpCreate, func(e *jute.Encoder) { e.String("/x"); e.Buffer(nil); e.Int(-2); e.Int(0) }, proto.ErrMarshalling},
		"no ACL":                     {proto.OpCreate, func(e *jute.Encoder) { e.String("/x"); e.Buffer(nil); e.Int(-1); e.Int(0) }, proto.ErrInvalidACL},
		"a billion watches":          {proto.OpSetWatches, func(e *jute.Encoder) { e.Long(0); e.Int(1e9); e.Int(0) }, proto.ErrMarshalling},
		"path that is not UTF-8":     {proto.OpCreate, func(e *jute.Encoder) { creating("/\xff\xfe\xc0", 0).Encode(e) }, proto.ErrBadArguments},
		"half a character":           {proto.OpCreate, func(e *jute.Encoder) { creating("/\xed\xa0\x80", 0).Encode(e) }, proto.ErrBadArguments},
		"dots":                       {proto.OpCreate, func(e *jute.Encoder) { creating("/a/../b", 0).Encode(e) }, proto.ErrNoNode},
		"path of a megabyte":         {proto.OpGetData, func(e *jute.Encoder) { reading(fmt.Sprintf("/%01000000d", 0), true).Encode(e) }, proto.ErrNoNode},
		"half a million levels":      {proto.OpCreate, func(e *jute.Encoder) { creating(deep(250_000), 0).Encode(e) }, proto.ErrNoNode},
		"unknown flags":              {proto.OpCreate, func(e *jute.Encoder) { creating("/x", 1<<30).Encode(e) }, proto.ErrBadArguments},
		"unknown mode":               {proto.OpAddWatch, func(e *jute.Encoder) { (&proto.AddWatchRequest{Path: "/x", Mode: 99}).Encode(e) }, proto.ErrMarshalling},
		"unknown op in a multi":      {proto.OpMulti, func(e *jute.Encoder) { e.Int(4711); e.Bool(false); e.Int(-1) }, proto.ErrMarshalling},
		"a multi in a multi":         {proto.OpMulti, func(e *jute.Encoder) { e.Int(int32(proto.OpMulti)); e.Bool(false); e.Int(-1) }, proto.ErrMarshalling},
		"a multi without end":        {proto.OpMulti, func(e *jute.Encoder) { many(20_000).Encode(e); cutEnd(e) }, proto.ErrMarshalling},
		"a multi of twenty thousand": {proto.OpMulti, func(e *jute.Encoder) { many(20_000).Encode(e) }, proto.OK},
		"ten gigabytes, please":      {proto.OpMultiRead, func(e *jute.Encoder) { manyReads("/long", 12_000).Encode(e) }, proto.ErrSystem},
		"bytes behind the record":    {proto.OpExists, func(e *jute.Encoder) { reading("/", false).Encode(e); e.Raw(make([]byte, 1000)) }, proto.OK},
	} {
		e := jute.NewEncoder(nil)
		try.fill(e)
		assert.Equal(t, try.want, c.raw(try.op, e.Bytes()), name)
	}
	assert.Equal(t, proto.OK, c.do(proto.OpExists, reading("/", false)), "after all that")
	for _, op := range []proto.OpCode{-10, 0, 13, 20, 999, -1} {
		c := insider(t, s.target.ClientAddr())
		assert.Equal(t, proto.ErrUnimplemented, c.raw(op, make([]byte, 100)), "operation %d", op)
		assert.NoError(t, c.shut(3*time.Second))
	}
	s.says("closing a connection", "op(999)")
	s.outlast(400)
}

// deep is a path of so many levels.
func deep(levels int) string {
	b := make([]byte, 0, 2*levels)
	for range levels {
		b = append(b, "/a"...)
	}
	return string(b)
}

// many is a multi that fails in its last part.
func many(n int) *proto.MultiRequest {
	m := &proto.MultiRequest{}
	for i := range n {
		m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCheck, Request: &proto.PathVersionRequest{Path: "/", Version: int32(i/(n-1)) - 1}})
	}
	m.Ops[n-1].Request = &proto.PathVersionRequest{Path: "/none"}
	return m
}

func manyReads(path string, n int) *proto.MultiRequest {
	m := &proto.MultiRequest{Reads: true}
	for range n {
		m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpGetData, Request: reading(path, false)})
	}
	return m
}

// cutEnd takes away the end of a multi.
func cutEnd(e *jute.Encoder) {
	b := append([]byte(nil), e.Bytes()[:e.Len()-9]...)
	*e = *jute.NewEncoder(b)
}

// Random bytes where a connection begins, in its handshake and behind it, whole
// and cut short.
func TestHostileClients_RandomBytes(t *testing.T) {
	s := besiege(t, false)
	random := rand.New(rand.NewPCG(*seedFlag, 1))
	t.Logf("seed %d", *seedFlag)
	var attackers errgroup.Group
	attackers.SetLimit(16)
	for i := range 6 * *hostileFlag {
		frame := make([]byte, random.IntN(600))
		for j := range frame {
			frame[j] = byte(random.Uint32())
		}
		if len(frame) > 8 && i%2 == 0 { // so that a decoder is reached
			binary.BigEndian.PutUint32(frame[4:], uint32([]int{1, 2, 5, 7, 12, 14, 15, 16, 18, 19, 21, 22, 100, 101, 102, 103, 105, 106}[random.IntN(18)]))
		}
		frame = framed(frame)
		switch i % 3 {
		case 0:
			frame = append(connectRequest(), frame...)
		case 1:
			frame = append(connectRequest()[:random.IntN(48)], frame...)
		}
		cut := len(frame)
		if i%5 == 0 {
			cut = random.IntN(len(frame))
		}
		attackers.Go(func() error { return assault(s.target.ClientAddr(), frame[:cut], i%4 < 2, 150*time.Millisecond) })
	}
	require.NoError(t, attackers.Wait())
	s.outlast(64)
}
