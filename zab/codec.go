package zab

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/quorate/quorate/ensemble"
)

// Packets travel as msgpack arrays of packetFields elements, in the order in
// which EncodeMsgpack writes them. Txns and Runs are flat arrays, so that a
// batch of a thousand costs one array header.
const (
	packetFields = 12
	txnFields    = 5
	runFields    = 3
)

// MarshalPacket appends the encoding of p to buf.
func MarshalPacket(buf []byte, p *Packet) ([]byte, error) {
	b := bytes.NewBuffer(buf)
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(b)
	if err := p.EncodeMsgpack(enc); err != nil {
		return buf, err
	}
	return b.Bytes(), nil
}

// UnmarshalPacket decodes one packet from data, which it does not keep. Trailing
// bytes are an error. Memory use is bounded by a small multiple of len(data).
func UnmarshalPacket(data []byte) (Packet, error) {
	r := packetReader{r: bytes.NewReader(data)}
	r.dec = msgpack.GetDecoder()
	defer msgpack.PutDecoder(r.dec)
	r.dec.Reset(r.r)
	p := r.packet()
	if r.err == nil && r.r.Len() > 0 {
		r.fail("%d bytes behind the packet", r.r.Len())
	}
	if r.err != nil {
		return Packet{}, fmt.Errorf("quorum packet of %d bytes: %w", len(data), r.err)
	}
	return p, nil
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (p *Packet) EncodeMsgpack(enc *msgpack.Encoder) error {
	w := packetWriter{enc: enc}
	w.len(packetFields)
	w.int(int64(p.Type))
	w.int(int64(p.Zxid))
	w.position(p.At)
	w.int(int64(p.Epoch))
	w.bool(p.Unsure)
	w.uint(p.ID)
	w.len(len(p.Txns) * txnFields)
	for i := range p.Txns {
		t := &p.Txns[i]
		w.int(int64(t.Zxid))
		w.int(int64(t.Origin.Server))
		w.uint(t.Origin.Tag)
		w.uint(t.Chain)
		w.bytes(t.Data)
	}
	w.len(len(p.Runs) * runFields)
	for _, r := range p.Runs {
		w.int(int64(r.First))
		w.int(int64(r.Last))
		w.uint(r.Chain)
	}
	w.position(p.Base)
	w.bytes(p.Data)
	return w.err
}

// DecodeMsgpack implements msgpack.CustomDecoder. Use UnmarshalPacket for bytes
// that a stranger may have written: it bounds lengths by what is there.
func (p *Packet) DecodeMsgpack(dec *msgpack.Decoder) error {
	var raw msgpack.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	q, err := UnmarshalPacket(raw)
	*p = q
	return err
}

type packetWriter struct {
	enc *msgpack.Encoder
	err error
}

func (w *packetWriter) len(n int) {
	if w.err == nil {
		w.err = w.enc.EncodeArrayLen(n)
	}
}

func (w *packetWriter) int(v int64) {
	if w.err == nil {
		w.err = w.enc.EncodeInt(v)
	}
}

func (w *packetWriter) uint(v uint64) {
	if w.err == nil {
		w.err = w.enc.EncodeUint(v)
	}
}

func (w *packetWriter) bool(v bool) {
	if w.err == nil {
		w.err = w.enc.EncodeBool(v)
	}
}

func (w *packetWriter) bytes(v []byte) {
	if w.err == nil {
		w.err = w.enc.EncodeBytes(v)
	}
}

func (w *packetWriter) position(p Position) {
	w.int(int64(p.Zxid))
	w.uint(p.Chain)
}

// packetReader remembers the first error; after it every read returns zero.
type packetReader struct {
	r   *bytes.Reader
	dec *msgpack.Decoder
	err error
}

func (r *packetReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *packetReader) packet() (p Packet) {
	if n := r.len(); r.err == nil && n != packetFields {
		r.fail("%d fields, want %d", n, packetFields)
	}
	t := r.int()
	if t < 0 || t > 255 {
		r.fail("type %d", t)
	}
	p.Type = PacketType(t)
	p.Zxid = ensemble.Zxid(r.int())
	p.At = r.position()
	p.Epoch = ensemble.Epoch(r.int())
	p.Unsure = r.bool()
	p.ID = r.uint()
	if n := r.flat("transactions", txnFields); n > 0 {
		p.Txns = make([]Txn, n)
		for i := range p.Txns {
			t := &p.Txns[i]
			t.Zxid = ensemble.Zxid(r.int())
			t.Origin.Server = ensemble.ServerID(r.int())
			t.Origin.Tag = r.uint()
			t.Chain = r.uint()
			t.Data = r.bytes()
		}
	}
	if n := r.flat("runs", runFields); n > 0 {
		p.Runs = make([]Run, n)
		for i := range p.Runs {
			p.Runs[i] = Run{First: ensemble.Zxid(r.int()), Last: ensemble.Zxid(r.int()), Chain: r.uint()}
		}
	}
	p.Base = r.position()
	p.Data = r.bytes()
	return p
}

// flat reads the header of an array of records with so many fields each. Each
// field takes at least a byte, which bounds the count by what is left.
func (r *packetReader) flat(what string, fields int) int {
	n := r.len()
	if r.err != nil {
		return 0
	}
	if n%fields != 0 || n > r.r.Len() {
		r.fail("%d %s fields in %d bytes", n, what, r.r.Len())
		return 0
	}
	return n / fields
}

func (r *packetReader) len() int {
	if r.err != nil {
		return 0
	}
	n, err := r.dec.DecodeArrayLen()
	if err == nil && n < 0 {
		n = 0
	}
	r.err = err
	return n
}

func (r *packetReader) int() int64 {
	if r.err != nil {
		return 0
	}
	v, err := r.dec.DecodeInt64()
	r.err = err
	return v
}

func (r *packetReader) uint() uint64 {
	if r.err != nil {
		return 0
	}
	v, err := r.dec.DecodeUint64()
	r.err = err
	return v
}

func (r *packetReader) bool() bool {
	if r.err != nil {
		return false
	}
	v, err := r.dec.DecodeBool()
	r.err = err
	return v
}

func (r *packetReader) bytes() []byte {
	if r.err != nil {
		return nil
	}
	n, err := r.dec.DecodeBytesLen()
	if err != nil {
		r.err = err
		return nil
	}
	if n <= 0 {
		return nil
	}
	if n > r.r.Len() {
		r.fail("a field of %d bytes where %d are left", n, r.r.Len())
		return nil
	}
	b := make([]byte, n)
	r.err = r.dec.ReadFull(b)
	return b
}

func (r *packetReader) position() Position {
	return Position{Zxid: ensemble.Zxid(r.int()), Chain: r.uint()}
}
