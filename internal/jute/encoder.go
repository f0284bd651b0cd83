package jute

import "encoding/binary"

// Encoder appends encoded values to a byte slice. The zero Encoder is ready to
// use. It never fails.
type Encoder struct{ buf []byte }

// NewEncoder returns an Encoder that appends to buf, which it owns from then on.
func NewEncoder(buf []byte) *Encoder { return &Encoder{buf: buf} }

// Bytes returns everything appended so far, including what was in the slice the
// Encoder was made with. It stays valid until the next append.
func (e *Encoder) Bytes() []byte { return e.buf }

// Len returns len(Bytes()).
func (e *Encoder) Len() int { return len(e.buf) }

// Byte appends one byte.
func (e *Encoder) Byte(v byte) { e.buf = append(e.buf, v) }

// Bool appends a boolean: 1 or 0.
func (e *Encoder) Bool(v bool) {
	if v {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

// Int appends an int, 4 bytes.
func (e *Encoder) Int(v int32) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(v)) }

// Long appends a long, 8 bytes.
func (e *Encoder) Long(v int64) { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(v)) }

// Buffer appends a buffer; nil is null. v is copied.
func (e *Encoder) Buffer(v []byte) {
	if v == nil {
		e.Int(-1)
		return
	}
	e.Int(int32(len(v)))
	e.buf = append(e.buf, v...)
}

// String appends a ustring, which is never null.
func (e *Encoder) String(v string) {
	e.Int(int32(len(v)))
	e.buf = append(e.buf, v...)
}

// NullString appends the null ustring.
func (e *Encoder) NullString() { e.Int(-1) }

// Vector appends the head of a vector of n elements, which must follow;
// n = -1 is the null vector.
func (e *Encoder) Vector(n int) { e.Int(int32(n)) }

// Strings appends a vector of ustrings; nil is null.
func (e *Encoder) Strings(v []string) {
	if v == nil {
		e.Vector(-1)
		return
	}
	e.Vector(len(v))
	for _, s := range v {
		e.String(s)
	}
}

// Raw appends bytes that are already encoded.
func (e *Encoder) Raw(v []byte) { e.buf = append(e.buf, v...) }

// Reserve appends n zero bytes, to be filled in later through Bytes, and
// returns where they begin.
func (e *Encoder) Reserve(n int) int {
	at := len(e.buf)
	e.buf = append(e.buf, make([]byte, n)...)
	return at
}
