package proto

import (
	"encoding/binary"
	"fmt"

	"github.com/quorate/quorate/internal/jute"
)

// Record is anything that has a layout.
type Record interface {
	// Encode appends the record.
	Encode(e *jute.Encoder)
	// Decode reads the record, leaving errors in d. After an error the record's
	// content is undefined.
	Decode(d *jute.Decoder)
}

// Marshal returns the record's bytes.
func Marshal(r Record) []byte { return Append(nil, r) }

// Append appends the record's bytes to buf.
func Append(buf []byte, r Record) []byte {
	e := jute.NewEncoder(buf)
	r.Encode(e)
	return e.Bytes()
}

// Unmarshal decodes a record from the beginning of data; bytes behind it are
// ignored, as ZooKeeper does. Buffers in the record share data.
func Unmarshal(data []byte, r Record) error {
	d := jute.NewDecoder(data)
	r.Decode(d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("decode %T: %w", r, err)
	}
	return nil
}

// UnmarshalHeader decodes a record from the beginning of data and returns the
// bytes behind it, sharing data.
func UnmarshalHeader(data []byte, r Record) (rest []byte, err error) {
	d := jute.NewDecoder(data)
	r.Decode(d)
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("decode %T: %w", r, err)
	}
	return d.Rest(), nil
}

// AppendFrame appends the record as a frame: its length, then its bytes.
// It serves ConnectRequest and ConnectResponse, which have no header.
func AppendFrame(buf []byte, r Record) []byte {
	return appendFrame(buf, func(e *jute.Encoder) { r.Encode(e) })
}

// AppendReply appends a reply as a complete frame. body is not encoded when it
// is nil or h.Err is not OK: a failed request is answered by the header alone.
func AppendReply(buf []byte, h ReplyHeader, body Record) []byte {
	return appendFrame(buf, func(e *jute.Encoder) {
		h.Encode(e)
		_, sasl := body.(*SASLReply) // the only record that a failure has, too
		if body != nil && (h.Err == OK || sasl) {
			body.Encode(e)
		}
	})
}

// AppendEvent appends a watch event as a complete frame. zxid is that of the
// transaction that fired it, or -1 for events made by setWatches (spec
// client-protocol 3.4).
func AppendEvent(buf []byte, zxid int64, t EventType, path string) []byte {
	return appendFrame(buf, func(e *jute.Encoder) {
		(&ReplyHeader{Xid: XidNotification, Zxid: zxid}).Encode(e)
		(&WatcherEvent{Type: t, State: StateSyncConnected, Path: path}).Encode(e)
	})
}

func appendFrame(buf []byte, fill func(e *jute.Encoder)) []byte {
	e := jute.NewEncoder(buf)
	at := e.Reserve(4)
	fill(e)
	out := e.Bytes()
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
	return out
}
