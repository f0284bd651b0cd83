package proto

import (
	"encoding/binary"
	"fmt"

	"github.com/quorate/quorate/internal/jute"
)

// TxnHeaderBytes is the length of an encoded TxnHeader.
const TxnHeaderBytes = 32

// TxnHeader stands before the record of every transaction.
type TxnHeader struct {
	Session int64 // whose request it was
	Cxid    int32 // the request's xid
	Zxid    int64
	Time    int64 // milliseconds since 1970, by the leader's clock at prepare
	Type    OpCode
}

// txnTimeAt is where in an encoded transaction Time lies.
const txnTimeAt = 8 + 4 + 8

// TxnTime returns the Time of an encoded transaction without decoding it; 0 if it
// is too short to be one.
func TxnTime(txn []byte) (millis int64) {
	if len(txn) < TxnHeaderBytes {
		return 0
	}
	return int64(binary.BigEndian.Uint64(txn[txnTimeAt:]))
}

// Encode appends the record.
func (r *TxnHeader) Encode(e *jute.Encoder) {
	e.Long(r.Session)
	e.Int(r.Cxid)
	e.Long(r.Zxid)
	e.Long(r.Time)
	e.Int(int32(r.Type))
}

// Decode reads the record.
func (r *TxnHeader) Decode(d *jute.Decoder) {
	r.Session, r.Cxid, r.Zxid = d.Long(), d.Int(), d.Long()
	r.Time, r.Type = d.Long(), OpCode(d.Int())
}

// NoParentCVersion in a create transaction says that the log was written before
// ZOOKEEPER-1046: the parent's counter goes up by one.
const NoParentCVersion int32 = -1

// CreateTxn creates a node. ParentCVersion is the parent's count of creations
// afterwards.
type CreateTxn struct {
	Path           string
	Data           []byte
	ACL            []ACL
	Ephemeral      bool // owned by the header's session
	ParentCVersion int32
}

// Encode appends the record.
func (r *CreateTxn) Encode(e *jute.Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	EncodeACLs(e, r.ACL)
	e.Bool(r.Ephemeral)
	e.Int(r.ParentCVersion)
}

// Decode reads the record, also in its old form without ParentCVersion.
func (r *CreateTxn) Decode(d *jute.Decoder) {
	r.Path, r.Data, r.ACL = d.String(), d.Buffer(), DecodeACLs(d)
	r.Ephemeral, r.ParentCVersion = d.Bool(), NoParentCVersion
	if d.Remaining() > 0 {
		r.ParentCVersion = d.Int()
	}
}

// CreateContainerTxn creates a container.
type CreateContainerTxn struct {
	Path           string
	Data           []byte
	ACL            []ACL
	ParentCVersion int32
}

// Encode appends the record.
func (r *CreateContainerTxn) Encode(e *jute.Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	EncodeACLs(e, r.ACL)
	e.Int(r.ParentCVersion)
}

// Decode reads the record.
func (r *CreateContainerTxn) Decode(d *jute.Decoder) {
	r.Path, r.Data, r.ACL, r.ParentCVersion = d.String(), d.Buffer(), DecodeACLs(d), d.Int()
}

// CreateTTLTxn creates a node with a time to live.
type CreateTTLTxn struct {
	Path           string
	Data           []byte
	ACL            []ACL
	ParentCVersion int32
	TTLMillis      int64
}

// Encode appends the record.
func (r *CreateTTLTxn) Encode(e *jute.Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	EncodeACLs(e, r.ACL)
	e.Int(r.ParentCVersion)
	e.Long(r.TTLMillis)
}

// Decode reads the record.
func (r *CreateTTLTxn) Decode(d *jute.Decoder) {
	r.Path, r.Data, r.ACL = d.String(), d.Buffer(), DecodeACLs(d)
	r.ParentCVersion, r.TTLMillis = d.Int(), d.Long()
}

// DeleteTxn deletes a node; it is also the record of deleteContainer.
type DeleteTxn struct{ Path string }

// Encode appends the record.
func (r *DeleteTxn) Encode(e *jute.Encoder) { e.String(r.Path) }

// Decode reads the record.
func (r *DeleteTxn) Decode(d *jute.Decoder) { r.Path = d.String() }

// SetDataTxn replaces a node's data; Version is the one afterwards. It is also
// the record of reconfig.
type SetDataTxn struct {
	Path    string
	Data    []byte
	Version int32
}

// Encode appends the record.
func (r *SetDataTxn) Encode(e *jute.Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	e.Int(r.Version)
}

// Decode reads the record.
func (r *SetDataTxn) Decode(d *jute.Decoder) {
	r.Path, r.Data, r.Version = d.String(), d.Buffer(), d.Int()
}

// SetACLTxn replaces a node's ACL; Version is the aversion afterwards.
type SetACLTxn struct {
	Path    string
	ACL     []ACL
	Version int32
}

// Encode appends the record.
func (r *SetACLTxn) Encode(e *jute.Encoder) {
	e.String(r.Path)
	EncodeACLs(e, r.ACL)
	e.Int(r.Version)
}

// Decode reads the record.
func (r *SetACLTxn) Decode(d *jute.Decoder) {
	r.Path, r.ACL, r.Version = d.String(), DecodeACLs(d), d.Int()
}

// CheckVersionTxn stands in a multi for a check that held. It changes nothing
// and is not legal outside of one (ZOOKEEPER-2623).
type CheckVersionTxn struct {
	Path    string
	Version int32
}

// Encode appends the record.
func (r *CheckVersionTxn) Encode(e *jute.Encoder) { e.String(r.Path); e.Int(r.Version) }

// Decode reads the record.
func (r *CheckVersionTxn) Decode(d *jute.Decoder) { r.Path, r.Version = d.String(), d.Int() }

// CreateSessionTxn makes the header's session known. It is also the body of an
// internal createSession request.
type CreateSessionTxn struct{ TimeoutMillis int32 }

// Encode appends the record.
func (r *CreateSessionTxn) Encode(e *jute.Encoder) { e.Int(r.TimeoutMillis) }

// Decode reads the record.
func (r *CreateSessionTxn) Decode(d *jute.Decoder) { r.TimeoutMillis = d.Int() }

// CloseSessionTxn ends the header's session and deletes the listed nodes. Old
// logs have no list, which Unlisted says.
type CloseSessionTxn struct {
	Paths    []string
	Unlisted bool
}

// Encode appends the record.
func (r *CloseSessionTxn) Encode(e *jute.Encoder) {
	if !r.Unlisted {
		encodeNames(e, r.Paths)
	}
}

// Decode reads the record.
func (r *CloseSessionTxn) Decode(d *jute.Decoder) {
	if r.Unlisted = d.Remaining() == 0; !r.Unlisted {
		r.Paths = d.Strings()
	}
}

// ErrorTxn says that a request failed. It changes nothing.
type ErrorTxn struct{ Err ErrCode }

// Encode appends the record.
func (r *ErrorTxn) Encode(e *jute.Encoder) { e.Int(int32(r.Err)) }

// Decode reads the record.
func (r *ErrorTxn) Decode(d *jute.Decoder) { r.Err = ErrCode(d.Int()) }

// SubTxn is one part of a MultiTxn.
type SubTxn struct {
	Type   OpCode
	Record Record // of the type that NewTxn makes for Type
}

// MultiTxn is all or nothing: if any part is an ErrorTxn nothing is changed.
type MultiTxn struct{ Txns []SubTxn }

const subTxnBytesMin = 8

// Encode appends the record.
func (r *MultiTxn) Encode(e *jute.Encoder) {
	e.Vector(len(r.Txns))
	for _, sub := range r.Txns {
		e.Int(int32(sub.Type))
		e.Buffer(Marshal(sub.Record))
	}
}

// Decode reads the record, the parts included.
func (r *MultiTxn) Decode(d *jute.Decoder) {
	r.Txns = nil
	n := d.Vector(subTxnBytesMin)
	for i := range n {
		op, data := OpCode(d.Int()), d.Buffer()
		if d.Err() != nil {
			return
		}
		sub := newSubTxn(op)
		if sub == nil {
			d.Fail(fmt.Errorf("part %d: a multi cannot hold a transaction of type %s", i+1, op))
			return
		}
		if err := Unmarshal(data, sub); err != nil {
			d.Fail(fmt.Errorf("part %d: %w", i+1, err))
			return
		}
		r.Txns = append(r.Txns, SubTxn{op, sub})
	}
}

func newSubTxn(op OpCode) Record {
	switch op {
	case OpCheck:
		return &CheckVersionTxn{}
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpError:
		return NewTxn(op)
	}
	return nil
}

// NewTxn returns an empty record of the type that transactions of the op have,
// or nil if the op is none of a transaction.
func NewTxn(op OpCode) Record {
	switch op {
	case OpCreate, OpCreate2:
		return &CreateTxn{}
	case OpCreateContainer:
		return &CreateContainerTxn{}
	case OpCreateTTL:
		return &CreateTTLTxn{}
	case OpDelete, OpDeleteContainer:
		return &DeleteTxn{}
	case OpSetData, OpReconfig:
		return &SetDataTxn{}
	case OpSetACL:
		return &SetACLTxn{}
	case OpCreateSession:
		return &CreateSessionTxn{}
	case OpCloseSession:
		return &CloseSessionTxn{}
	case OpMulti:
		return &MultiTxn{}
	case OpError:
		return &ErrorTxn{}
	}
	return nil
}

// DecodeTxn decodes a transaction: header and record. Buffers in the record
// share data. (A digest behind the record, as ZooKeeper's logs have it, would
// be taken for part of a closeSession without list; strip it before.)
func DecodeTxn(data []byte) (TxnHeader, Record, error) {
	var h TxnHeader
	d := jute.NewDecoder(data)
	h.Decode(d)
	if err := d.Err(); err != nil {
		return h, nil, fmt.Errorf("transaction header: %w", err)
	}
	r := NewTxn(h.Type)
	if r == nil {
		return h, nil, fmt.Errorf("transaction 0x%x: unknown type %d", uint64(h.Zxid), int32(h.Type))
	}
	r.Decode(d)
	if err := d.Err(); err != nil {
		return h, nil, fmt.Errorf("transaction 0x%x, %s: %w", uint64(h.Zxid), h.Type, err)
	}
	return h, r, nil
}

// AppendTxn appends a transaction's bytes to buf. r must be of the type that
// NewTxn makes for h.Type.
func AppendTxn(buf []byte, h TxnHeader, r Record) []byte {
	e := jute.NewEncoder(buf)
	h.Encode(e)
	r.Encode(e)
	return e.Bytes()
}
