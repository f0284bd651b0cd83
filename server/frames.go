package server

import "encoding/binary"

// Sizes of the chunks in which a stream is taken in, in bytes.
const (
	chunkBytesMin = 128 // holds a ConnectRequest, or ten pings
	chunkBytesMax = 64 << 10
)

// lengthBytes is how long the length before a frame is.
const lengthBytes = 4

// frames cuts a stream into frames. Frames share a chunk that is never written
// to again where they lie, so they stay valid and need no copy; the chunk is
// garbage when all of them are. A quiet connection has a small one.
type frames struct {
	chunk []byte
	r, w  int  // chunk[r:w] has come and not been cut
	size  int  // of the next chunk
	need  int  // bytes from r on that must fit
	later bool // the first frame, a ConnectRequest, has been cut
}

// space returns where the next bytes of the stream are to be put; there is room
// for one at least. They are counted by took.
func (f *frames) space() []byte {
	if f.chunk == nil || len(f.chunk)-f.r < f.need || f.w == len(f.chunk) {
		f.renew(f.need)
	}
	return f.chunk[f.w:]
}

// took says that n bytes have been put into space.
func (f *frames) took(n int) {
	if f.w+n == len(f.chunk) {
		f.size = min(2*f.size, chunkBytesMax)
	}
	f.w += n
}

// drop forgets what has not been cut. Its place is not used again: in the same
// chunk may lie frames that a worker is at.
func (f *frames) drop() { f.r, f.need = f.w, lengthBytes }

// rest lets the chunk go, if all that has come is cut: a client that was busy and
// only pings now needs a small one.
func (f *frames) rest() {
	if f.r == f.w {
		f.chunk, f.r, f.w, f.size, f.need = nil, 0, 0, 0, lengthBytes
	}
}

// renew moves what has not been cut into a new chunk. A long frame's chunk grows
// with what has come of it, not with what it claims.
func (f *frames) renew(need int) {
	have := f.w - f.r
	f.size = max(f.size, chunkBytesMin)
	if have < f.size/8 && f.w < f.size/2 {
		f.size = max(f.size/2, chunkBytesMin)
	}
	next := make([]byte, max(f.size, min(need, 2*have)))
	copy(next, f.chunk[f.r:f.w])
	f.chunk, f.r, f.w = next, 0, have
}

// peekInt returns the int at offset, if that much has been read.
func (f *frames) peekInt(offset int) (int32, bool) {
	if f.w-f.r < offset+4 {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(f.chunk[f.r+offset:])), true
}

// peekLong returns the long at offset, if that much has been read.
func (f *frames) peekLong(offset int) (int64, bool) {
	if f.w-f.r < offset+8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(f.chunk[f.r+offset:])), true
}

// cut takes the frame of n bytes behind a length, if it is whole.
func (f *frames) cut(n int) ([]byte, bool) {
	if f.w-f.r < lengthBytes+n {
		return nil, false
	}
	from := f.r + lengthBytes
	f.r = from + n
	return f.chunk[from:f.r:f.r], true
}
