package transport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/quorate/quorate/internal/mutant"
)

const (
	frameHeaderBytes = 8
	// frameStepBytes is how much of a long frame is allocated before its bytes
	// have arrived: a length alone must not cost more than this.
	frameStepBytes = 256 << 10
	// frameBytesCeiling is the highest limit that may be configured.
	frameBytesCeiling = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends one frame to dst, whose payload is the parts in order.
func appendFrame(dst []byte, parts ...[]byte) []byte {
	length, sum := 0, uint32(0)
	for _, p := range parts {
		length += len(p)
		sum = crc32.Update(sum, castagnoli, p)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(length))
	dst = binary.BigEndian.AppendUint32(dst, sum)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// appendFrameHeader appends what stands in front of payload.
func appendFrameHeader(dst, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(payload, castagnoli))
}

// frameReader cuts a byte stream into payloads.
type frameReader struct {
	r    *bufio.Reader
	max  int    // longest payload, in bytes
	addr string // of the peer, for errors
	// arm, if not nil, is called before the reader may have to wait for bytes: at
	// most once for a header and once for a payload.
	arm func()
}

// read returns the next payload, which the caller owns. At the clean end of
// the stream the error is io.EOF; any error is final.
func (f *frameReader) read() ([]byte, error) {
	if f.arm != nil && f.r.Buffered() < frameHeaderBytes {
		f.arm()
	}
	head, err := f.r.Peek(frameHeaderBytes)
	if err != nil {
		if errors.Is(err, io.EOF) && len(head) > 0 {
			return nil, f.fault("the connection ended inside a frame header, after %d of %d bytes", len(head), frameHeaderBytes)
		}
		return nil, err
	}
	length := int32(binary.BigEndian.Uint32(head))
	sum := binary.BigEndian.Uint32(head[4:])
	if length <= 0 || int64(length) > int64(f.max) {
		return nil, f.fault("length %d, want 1 to %d", length, f.max)
	}
	if _, err := f.r.Discard(frameHeaderBytes); err != nil {
		return nil, err
	}
	payload, err := f.body(int(length))
	if err != nil {
		return nil, err
	}
	if got := crc32.Checksum(payload, castagnoli); got != sum && !mutant.On(mutant.M40) {
		return nil, f.fault("checksum %08x does not match its %d bytes (%08x)", sum, length, got)
	}
	return payload, nil
}

// body reads length bytes, allocating no more than frameStepBytes ahead of what
// has arrived.
func (f *frameReader) body(length int) ([]byte, error) {
	if f.arm != nil && f.r.Buffered() < length {
		f.arm()
	}
	payload := make([]byte, min(length, frameStepBytes))
	done := 0
	for {
		n, err := io.ReadFull(f.r, payload[done:])
		done += n
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, f.fault("the connection ended inside a frame, after %d of %d bytes", done, length)
		case err != nil:
			return nil, err
		case done == length:
			return payload, nil
		}
		longer := make([]byte, min(length, 2*len(payload)))
		copy(longer, payload)
		payload = longer
	}
}

func (f *frameReader) fault(format string, args ...any) error {
	return &FrameError{Addr: f.addr, Reason: fmt.Sprintf(format, args...)}
}
