package jute_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/jute"
)

func TestEncoder_Layouts(t *testing.T) {
	for name, c := range map[string]struct {
		encode func(e *jute.Encoder)
		want   string
	}{
		"byte":         {func(e *jute.Encoder) { e.Byte(0xfe) }, "fe"},
		"true":         {func(e *jute.Encoder) { e.Bool(true) }, "01"},
		"false":        {func(e *jute.Encoder) { e.Bool(false) }, "00"},
		"int":          {func(e *jute.Encoder) { e.Int(-2) }, "fffffffe"},
		"long":         {func(e *jute.Encoder) { e.Long(0x0102030405060708) }, "0102030405060708"},
		"buffer":       {func(e *jute.Encoder) { e.Buffer([]byte{7, 8}) }, "000000020708"},
		"null buffer":  {func(e *jute.Encoder) { e.Buffer(nil) }, "ffffffff"},
		"empty buffer": {func(e *jute.Encoder) { e.Buffer([]byte{}) }, "00000000"},
		"string":       {func(e *jute.Encoder) { e.String("/ä") }, "000000032fc3a4"},
		"null string":  {func(e *jute.Encoder) { e.NullString() }, "ffffffff"},
		"strings":      {func(e *jute.Encoder) { e.Strings([]string{"a", ""}) }, "00000002000000016100000000"},
		"null strings": {func(e *jute.Encoder) { e.Strings(nil) }, "ffffffff"},
		"no strings":   {func(e *jute.Encoder) { e.Strings([]string{}) }, "00000000"},
		"raw":          {func(e *jute.Encoder) { e.Raw([]byte{1}); e.Raw(nil) }, "01"},
	} {
		t.Run(name, func(t *testing.T) {
			e := jute.NewEncoder([]byte{0xaa})
			c.encode(e)
			assert.Equal(t, "aa"+c.want, hex.EncodeToString(e.Bytes()))
			assert.Equal(t, len(c.want)/2+1, e.Len())
		})
	}
}

func TestEncoder_ReserveIsFilledLater(t *testing.T) {
	e := jute.NewEncoder(nil)
	e.Byte(1)
	at := e.Reserve(4)
	e.Byte(2)
	e.Bytes()[at+3] = 9
	assert.Equal(t, []byte{1, 0, 0, 0, 9, 2}, e.Bytes())
}

func TestDecoder_ReadsWhatEncoderWrote(t *testing.T) {
	var e jute.Encoder
	e.Byte(3)
	e.Bool(true)
	e.Int(math.MinInt32)
	e.Long(math.MinInt64)
	e.Buffer(nil)
	e.Buffer([]byte{})
	e.Buffer([]byte("data"))
	e.String("")
	e.String("/a")
	e.NullString()
	e.Strings(nil)
	e.Strings([]string{})
	e.Strings([]string{"x", "y"})
	e.Raw([]byte("rest"))

	d := jute.NewDecoder(e.Bytes())
	assert.Equal(t, byte(3), d.Byte())
	assert.True(t, d.Bool())
	assert.Equal(t, int32(math.MinInt32), d.Int())
	assert.Equal(t, int64(math.MinInt64), d.Long())
	assert.Nil(t, d.Buffer())
	empty := d.Buffer()
	assert.True(t, empty != nil && len(empty) == 0, "empty is not null")
	assert.Equal(t, []byte("data"), d.Buffer())
	assert.Equal(t, "", d.String())
	assert.Equal(t, "/a", d.String())
	_, ok := d.NullableString()
	assert.False(t, ok)
	assert.Nil(t, d.Strings())
	assert.Equal(t, []string{}, d.Strings())
	assert.Equal(t, []string{"x", "y"}, d.Strings())
	assert.Equal(t, 4, d.Remaining())
	assert.Equal(t, "rest", string(d.Rest()))
	assert.NoError(t, d.Err())
}

func TestDecoder_AnyNonZeroByteIsTrue(t *testing.T) {
	assert.True(t, jute.NewDecoder([]byte{0x80}).Bool())
}

func TestDecoder_BufferCannotGrowIntoTheInput(t *testing.T) {
	in := []byte{0, 0, 0, 1, 7, 8, 9}
	b := jute.NewDecoder(in).Buffer()
	_ = append(b, 1)
	assert.Equal(t, []byte{0, 0, 0, 1, 7, 8, 9}, in)
}

func TestDecoder_RefusesUnreasonableLengths(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		read func(d *jute.Decoder)
		want error
	}{
		"short int":         {"000000", func(d *jute.Decoder) { d.Int() }, jute.ErrShort},
		"short long":        {"00000000000000", func(d *jute.Decoder) { d.Long() }, jute.ErrShort},
		"no byte":           {"", func(d *jute.Decoder) { d.Byte() }, jute.ErrShort},
		"no length":         {"0000", func(d *jute.Decoder) { d.Buffer() }, jute.ErrShort},
		"length -2":         {"fffffffe", func(d *jute.Decoder) { d.Buffer() }, jute.ErrLength},
		"length min":        {"80000000", func(d *jute.Decoder) { d.Buffer() }, jute.ErrLength},
		"length max":        {"7fffffff00", func(d *jute.Decoder) { d.Buffer() }, jute.ErrLength},
		"one too long":      {"0000000200", func(d *jute.Decoder) { _ = d.String() }, jute.ErrLength},
		"null string":       {"ffffffff", func(d *jute.Decoder) { _ = d.String() }, jute.ErrNull},
		"null in strings":   {"00000001ffffffff", func(d *jute.Decoder) { d.Strings() }, jute.ErrNull},
		"vector -2":         {"fffffffe", func(d *jute.Decoder) { d.Vector(1) }, jute.ErrLength},
		"vector max":        {"7fffffff", func(d *jute.Decoder) { d.Strings() }, jute.ErrLength},
		"vector of 12 in 4": {"0000000100000000", func(d *jute.Decoder) { d.Vector(12) }, jute.ErrLength},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := hex.DecodeString(c.in)
			require.NoError(t, err)
			d := jute.NewDecoder(in)
			c.read(d)
			require.ErrorIs(t, d.Err(), c.want)
			first := d.Err()
			assert.Zero(t, d.Long(), "after an error everything is zero")
			assert.Nil(t, d.Buffer())
			assert.Equal(t, -1, d.Vector(1))
			assert.Same(t, first, d.Err(), "the first error stays")
		})
	}
}

func TestDecoder_SkipIsAllOrNothing(t *testing.T) {
	d := jute.NewDecoder([]byte{1, 2, 3})
	assert.False(t, d.Skip([]byte{1, 3}))
	assert.False(t, d.Skip([]byte{1, 2, 3, 4}))
	assert.True(t, d.Skip([]byte{1, 2}))
	assert.Equal(t, byte(3), d.Byte())
	d.Fail(jute.ErrNull)
	assert.False(t, d.Skip(nil))
}

func TestDecoder_FailKeepsTheFirstError(t *testing.T) {
	d := jute.NewDecoder([]byte{1, 2, 3, 4})
	d.Fail(nil)
	require.NoError(t, d.Err())
	d.Fail(jute.ErrNull)
	d.Fail(jute.ErrShort)
	assert.ErrorIs(t, d.Err(), jute.ErrNull)
	assert.Zero(t, d.Int())
}

// FuzzDecoder reads the rest of the input by a program that is its beginning,
// and writes back what it read: the bytes must be the same.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x00\x01\x02"), []byte{1, 1, 0, 0, 0, 7})
	f.Add([]byte("\x03\x04\x05\x06"), []byte("\x00\x00\x00\x01a\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x03"), []byte("\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, program, in []byte) {
		d := jute.NewDecoder(in)
		var e jute.Encoder
		for _, op := range program {
			switch op % 6 {
			case 0:
				e.Byte(d.Byte())
			case 1:
				e.Int(d.Int())
			case 2:
				e.Long(d.Long())
			case 3:
				e.Buffer(d.Buffer())
			case 4:
				if s, ok := d.NullableString(); ok {
					e.String(s)
				} else {
					e.NullString()
				}
			case 5:
				e.Strings(d.Strings())
			}
			if d.Err() != nil {
				return
			}
		}
		if !bytes.Equal(in[:len(in)-d.Remaining()], e.Bytes()) {
			t.Fatalf("read %x and wrote %x", in, e.Bytes())
		}
	})
}
