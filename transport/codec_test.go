package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func reader(r io.Reader, max int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 64), max: max, addr: "peer:1"}
}

func TestFrame_RoundTripInPieces(t *testing.T) {
	var b []byte
	long := bytes.Repeat([]byte("0123456789abcdef"), 60_000) // more than frameStepBytes
	b = appendFrame(b, []byte("one"))
	b = appendFrame(b, []byte("t"), []byte("wo"))
	b = append(appendFrameHeader(b, long), long...)
	f := reader(iotest.OneByteReader(bytes.NewReader(b)), 1<<20)
	for _, want := range [][]byte{[]byte("one"), []byte("two"), long} {
		got, err := f.read()
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
	_, err := f.read()
	assert.Equal(t, io.EOF, err)
}

func TestFrame_BadOnesNamePeerAndReason(t *testing.T) {
	good := appendFrame(nil, []byte("payload"))
	flipped := bytes.Clone(good)
	flipped[9] ^= 4
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"zero":     {make([]byte, 8), "length 0, want 1 to 100"},
		"negative": {[]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, "length -1"},
		"max":      {[]byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}, "length 2147483647"},
		"limit":    {[]byte{0, 0, 0, 101, 0, 0, 0, 0}, "length 101"},
		"header":   {good[:7], "inside a frame header, after 7 of 8 bytes"},
		"body":     {good[:12], "inside a frame, after 4 of 7 bytes"},
		"flipped":  {flipped, "checksum"},
	} {
		_, err := reader(bytes.NewReader(c.in), 100).read()
		var fault *FrameError
		require.ErrorAs(t, err, &fault, name)
		assert.Equal(t, "peer:1", fault.Addr)
		assert.Contains(t, err.Error(), c.want)
	}
}

// A length costs nothing until its bytes arrive.
func TestFrame_LengthAloneAllocatesLittle(t *testing.T) {
	in := binary.BigEndian.AppendUint32(nil, 1<<30)
	in = append(in, 0, 0, 0, 0, 1, 2, 3)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := reader(bytes.NewReader(in), 1<<30).read()
	runtime.ReadMemStats(&after)
	assert.ErrorContains(t, err, "after 3 of 1073741824 bytes")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4*frameStepBytes))
}

func TestHello_RoundTrip(t *testing.T) {
	h := Hello{Sid: 3, Ensemble: "blue", Kind: Quorum, Role: Observer, Instance: 1 << 63, Knock: true, Addresses: []string{"a:1", "[::1]:3888"}}
	p, err := seal(&h)
	require.NoError(t, err)
	var got Hello
	require.NoError(t, unseal(p, &got))
	assert.Equal(t, h, got)

	a := answer{verdict: refused, reason: "because", from: h}
	p, err = seal(&a)
	require.NoError(t, err)
	var back answer
	require.NoError(t, unseal(p, &back))
	assert.Equal(t, a, back)
}

func TestHello_LaterFieldsAreSkipped(t *testing.T) {
	h := Hello{Sid: 3, Ensemble: "blue", Kind: Quorum}
	p, err := seal(&h)
	require.NoError(t, err)
	require.Equal(t, byte(0x98), p[6])
	p[6] = 0x9a // two elements more
	p = append(p, 0xa3, 'n', 'e', 'w', 0x2a)
	var got Hello
	require.NoError(t, unseal(p, &got))
	assert.Equal(t, h, got)
}

func TestHello_WildcardAddressesAreReplaced(t *testing.T) {
	got := reachable([]string{"0.0.0.0:1", "[::]:2", ":3", "host:4", "junk"}, "10.1.2.3:55555")
	assert.Equal(t, []string{"10.1.2.3:1", "10.1.2.3:2", "10.1.2.3:3", "host:4"}, got)
}

func TestCut_KeepsUTF8(t *testing.T) {
	assert.Equal(t, "aä", cut("aäö", 4))
	assert.Equal(t, "aäö", cut("aäö", 5))
}

func TestComplaints_OncePerIntervalAndBounded(t *testing.T) {
	var c complaints
	now := time.Unix(0, 0)
	_, ok := c.allow("x", now)
	assert.True(t, ok)
	for range 5 {
		_, ok = c.allow("x", now.Add(time.Second))
		assert.False(t, ok)
	}
	muffed, ok := c.allow("x", now.Add(complaintInterval))
	assert.True(t, ok)
	assert.Equal(t, 5, muffed)
	for i := range 10 * complaintsMax {
		c.allow(strings.Repeat("y", i), now)
	}
	assert.LessOrEqual(t, len(c.at), complaintsMax+1)
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, []byte("payload")))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1})
	f.Add(make([]byte, 8))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := reader(bytes.NewReader(in), 1<<16)
		var out []byte
		for {
			p, err := r.read()
			if err != nil {
				break
			}
			out = appendFrame(out, p)
		}
		if !bytes.HasPrefix(in, out) {
			t.Fatalf("what was read is not what came in")
		}
	})
}

func FuzzHello(f *testing.F) {
	p, _ := seal(&Hello{Sid: 3, Ensemble: "blue", Kind: Quorum, Addresses: []string{"a:1"}})
	f.Add(p)
	f.Add([]byte("QRTE\x00\x01\xdd\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var h, again Hello
		if unseal(in, &h) != nil {
			return
		}
		p, err := seal(&h)
		require.NoError(t, err)
		require.NoError(t, unseal(p, &again))
		require.Equal(t, h, again)
	})
}

func FuzzAnswer(f *testing.F) {
	p, _ := seal(&answer{verdict: refused, reason: "no", from: Hello{Sid: 3, Ensemble: "blue", Kind: Quorum}})
	f.Add(p)
	f.Fuzz(func(t *testing.T, in []byte) {
		var a, again answer
		if unseal(in, &a) != nil {
			return
		}
		p, err := seal(&a)
		require.NoError(t, err)
		require.NoError(t, unseal(p, &again))
		require.Equal(t, a, again)
	})
}
