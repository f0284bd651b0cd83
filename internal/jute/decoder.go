package jute

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	// ErrShort says that the input ended inside a value.
	ErrShort = errors.New("jute: input ends inside a value")
	// ErrLength says that a length was negative (other than the -1 of null) or
	// longer than the rest of the input.
	ErrLength = errors.New("jute: unreasonable length")
	// ErrNull says that a null stood where a value must be.
	ErrNull = errors.New("jute: null where a value is required")
)

// Decoder reads encoded values from a byte slice. The first error sticks:
// every later read returns a zero value. A Decoder does not write to its input.
type Decoder struct {
	buf []byte
	off int
	err error
}

// NewDecoder returns a Decoder of data. Buffers it returns share data.
func NewDecoder(data []byte) *Decoder { return &Decoder{buf: data} }

// Err returns the first error, or nil.
func (d *Decoder) Err() error { return d.err }

// Fail makes err the Decoder's error unless it already has one. Records use it
// for values that decode and cannot be right. A nil err does nothing.
func (d *Decoder) Fail(err error) {
	if d.err == nil && err != nil {
		d.err = err
		d.off = len(d.buf)
	}
}

// Remaining returns how many bytes have not been read.
func (d *Decoder) Remaining() int { return len(d.buf) - d.off }

// Rest reads everything that is left. The result shares the input.
func (d *Decoder) Rest() []byte {
	v := d.buf[d.off:len(d.buf):len(d.buf)]
	d.off = len(d.buf)
	return v
}

func (d *Decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if len(d.buf)-d.off < n {
		d.Fail(fmt.Errorf("%w: want %d bytes at offset %d of %d", ErrShort, n, d.off, len(d.buf)))
		return nil
	}
	v := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return v
}

// Skip reads over what is next if that is exactly prefix, and reports whether
// it was.
func (d *Decoder) Skip(prefix []byte) bool {
	if d.err != nil || !bytes.HasPrefix(d.buf[d.off:], prefix) {
		return false
	}
	d.off += len(prefix)
	return true
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads a boolean: any non-zero byte is true.
func (d *Decoder) Bool() bool { return d.Byte() != 0 }

// Int reads an int.
func (d *Decoder) Int() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Long reads a long.
func (d *Decoder) Long() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// length reads a length prefix and checks that the rest of the input can hold
// that many elements of at least elemBytesMin bytes. It returns -1 for null.
func (d *Decoder) length(elemBytesMin int) int {
	at := d.off
	n := int(d.Int())
	if d.err != nil {
		return -1
	}
	if n < -1 || n > 0 && n > d.Remaining()/max(elemBytesMin, 1) {
		d.Fail(fmt.Errorf("%w: %d at offset %d with %d bytes left", ErrLength, n, at, d.Remaining()))
		return -1
	}
	return n
}

// Buffer reads a buffer. Null is nil, and empty is not nil. The result shares
// the input, its capacity is its length.
func (d *Decoder) Buffer() []byte {
	n := d.length(1)
	if n < 0 {
		return nil
	}
	return d.take(n)
}

// String reads a ustring that must not be null. The bytes are taken as they
// are: whether they are UTF-8 is for the reader of the string to say.
func (d *Decoder) String() string {
	s, ok := d.NullableString()
	if !ok {
		d.Fail(ErrNull)
	}
	return s
}

// NullableString reads a ustring; ok is false for null and after an error.
func (d *Decoder) NullableString() (s string, ok bool) {
	n := d.length(1)
	if n < 0 {
		return "", false
	}
	return string(d.take(n)), d.err == nil
}

// Vector reads the head of a vector whose elements take at least elemBytesMin
// bytes each, and returns their number: -1 for null, and also -1 after an error
// or when the input is too short for so many. So a slice of that length may be
// made at once.
func (d *Decoder) Vector(elemBytesMin int) int { return d.length(elemBytesMin) }

// Strings reads a vector of ustrings, none of which may be null. The null
// vector is nil, the empty one is not.
func (d *Decoder) Strings() []string {
	n := d.Vector(4)
	if n < 0 {
		return nil
	}
	v := make([]string, n)
	for i := range v {
		v[i] = d.String()
	}
	if d.err != nil {
		return nil
	}
	return v
}
