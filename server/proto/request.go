package proto

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/internal/jute"
)

// Empty is the record of requests and replies without content.
type Empty struct{}

// Encode appends the record.
func (*Empty) Encode(*jute.Encoder) {}

// Decode reads the record.
func (*Empty) Decode(*jute.Decoder) {}

// PathRequest is the record of getACL, sync, getAllChildrenNumber and the
// internal deleteContainer.
type PathRequest struct{ Path string }

// Encode appends the record.
func (r *PathRequest) Encode(e *jute.Encoder) { e.String(r.Path) }

// Decode reads the record.
func (r *PathRequest) Decode(d *jute.Decoder) { r.Path = d.String() }

// PathWatchRequest is the record of exists, getData, getChildren and
// getChildren2.
type PathWatchRequest struct {
	Path  string
	Watch bool
}

// Encode appends the record.
func (r *PathWatchRequest) Encode(e *jute.Encoder) { e.String(r.Path); e.Bool(r.Watch) }

// Decode reads the record.
func (r *PathWatchRequest) Decode(d *jute.Decoder) { r.Path, r.Watch = d.String(), d.Bool() }

// PathVersionRequest is the record of delete and check. Version -1 means any.
type PathVersionRequest struct {
	Path    string
	Version int32
}

// Encode appends the record.
func (r *PathVersionRequest) Encode(e *jute.Encoder) { e.String(r.Path); e.Int(r.Version) }

// Decode reads the record.
func (r *PathVersionRequest) Decode(d *jute.Decoder) { r.Path, r.Version = d.String(), d.Int() }

// CreateRequest is the record of create, create2 and createContainer.
type CreateRequest struct {
	Path  string
	Data  []byte
	ACL   []ACL
	Flags int32
}

// Encode appends the record.
func (r *CreateRequest) Encode(e *jute.Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	EncodeACLs(e, r.ACL)
	e.Int(r.Flags)
}

// Decode reads the record.
func (r *CreateRequest) Decode(d *jute.Decoder) {
	r.Path, r.Data = d.String(), d.Buffer()
	r.ACL, r.Flags = DecodeACLs(d), d.Int()
}

// CreateTTLRequest is the record of createTTL.
type CreateTTLRequest struct {
	CreateRequest
	TTLMillis int64
}

// Encode appends the record.
func (r *CreateTTLRequest) Encode(e *jute.Encoder) {
	r.CreateRequest.Encode(e)
	e.Long(r.TTLMillis)
}

// Decode reads the record.
func (r *CreateTTLRequest) Decode(d *jute.Decoder) {
	r.CreateRequest.Decode(d)
	r.TTLMillis = d.Long()
}

// SetDataRequest is the record of setData. Version -1 means any.
type SetDataRequest struct {
	Path    string
	Data    []byte
	Version int32
}

// Encode appends the record.
func (r *SetDataRequest) Encode(e *jute.Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	e.Int(r.Version)
}

// Decode reads the record.
func (r *SetDataRequest) Decode(d *jute.Decoder) {
	r.Path, r.Data, r.Version = d.String(), d.Buffer(), d.Int()
}

// SetACLRequest is the record of setACL. Version is compared with the node's
// aversion; -1 means any.
type SetACLRequest struct {
	Path    string
	ACL     []ACL
	Version int32
}

// Encode appends the record.
func (r *SetACLRequest) Encode(e *jute.Encoder) {
	e.String(r.Path)
	EncodeACLs(e, r.ACL)
	e.Int(r.Version)
}

// Decode reads the record.
func (r *SetACLRequest) Decode(d *jute.Decoder) {
	r.Path, r.ACL, r.Version = d.String(), DecodeACLs(d), d.Int()
}

// ReconfigRequest is the record of reconfig. Empty strings are null on the wire:
// ZooKeeper's server takes any other NewMembers for a whole new configuration.
type ReconfigRequest struct {
	Joining, Leaving, NewMembers string
	ConfigID                     int64 // the version expected; -1 means any
}

// Encode appends the record.
func (r *ReconfigRequest) Encode(e *jute.Encoder) {
	for _, s := range []string{r.Joining, r.Leaving, r.NewMembers} {
		if s == "" {
			e.NullString()
		} else {
			e.String(s)
		}
	}
	e.Long(r.ConfigID)
}

// Decode reads the record.
func (r *ReconfigRequest) Decode(d *jute.Decoder) {
	r.Joining, _ = d.NullableString()
	r.Leaving, _ = d.NullableString()
	r.NewMembers, _ = d.NullableString()
	r.ConfigID = d.Long()
}

// WatchesRequest is the record of checkWatches and removeWatches. Type is one
// of the Watcher constants.
type WatchesRequest struct {
	Path string
	Type int32
}

// Encode appends the record.
func (r *WatchesRequest) Encode(e *jute.Encoder) { e.String(r.Path); e.Int(r.Type) }

// Decode reads the record.
func (r *WatchesRequest) Decode(d *jute.Decoder) { r.Path, r.Type = d.String(), d.Int() }

// AddWatchRequest is the record of addWatch. Mode is one of the AddWatch
// constants.
type AddWatchRequest struct {
	Path string
	Mode int32
}

// Encode appends the record.
func (r *AddWatchRequest) Encode(e *jute.Encoder) { e.String(r.Path); e.Int(r.Mode) }

// Decode reads the record.
func (r *AddWatchRequest) Decode(d *jute.Decoder) { r.Path, r.Mode = d.String(), d.Int() }

// AuthRequest is the record of auth. A null scheme is empty: it is none that
// exists.
type AuthRequest struct {
	Type   int32 // ignored
	Scheme string
	Auth   []byte
}

// Encode appends the record.
func (r *AuthRequest) Encode(e *jute.Encoder) {
	e.Int(r.Type)
	e.String(r.Scheme)
	e.Buffer(r.Auth)
}

// Decode reads the record.
func (r *AuthRequest) Decode(d *jute.Decoder) {
	r.Type = d.Int()
	r.Scheme, _ = d.NullableString()
	r.Auth = d.Buffer()
}

// SetWatchesRequest is the record of setWatches, and with Extended that of
// setWatches2, which has the two last vectors as well.
type SetWatchesRequest struct {
	RelativeZxid int64
	Data, Exist  []string
	Child        []string

	Extended                        bool // not on the wire; set before Encode and Decode
	Persistent, PersistentRecursive []string
}

// Encode appends the record.
func (r *SetWatchesRequest) Encode(e *jute.Encoder) {
	e.Long(r.RelativeZxid)
	e.Strings(r.Data)
	e.Strings(r.Exist)
	e.Strings(r.Child)
	if r.Extended {
		e.Strings(r.Persistent)
		e.Strings(r.PersistentRecursive)
	}
}

// Decode reads the record.
func (r *SetWatchesRequest) Decode(d *jute.Decoder) {
	r.RelativeZxid = d.Long()
	r.Data, r.Exist, r.Child = d.Strings(), d.Strings(), d.Strings()
	if r.Extended {
		r.Persistent, r.PersistentRecursive = d.Strings(), d.Strings()
	}
}

// SASLRequest is the record of sasl, and also of its reply.
type SASLRequest struct{ Token []byte }

// Encode appends the record.
func (r *SASLRequest) Encode(e *jute.Encoder) { e.Buffer(r.Token) }

// Decode reads the record.
func (r *SASLRequest) Decode(d *jute.Decoder) { r.Token = d.Buffer() }

// GetEphemeralsRequest is the record of getEphemerals. A null prefix is empty.
type GetEphemeralsRequest struct{ PrefixPath string }

// Encode appends the record.
func (r *GetEphemeralsRequest) Encode(e *jute.Encoder) { e.String(r.PrefixPath) }

// Decode reads the record.
func (r *GetEphemeralsRequest) Decode(d *jute.Decoder) { r.PrefixPath, _ = d.NullableString() }

// NewRequest returns an empty record of the type that requests of op have, or
// nil if the op is none of a request.
func NewRequest(op OpCode) Record {
	switch op {
	case OpPing, OpWhoAmI, OpCloseSession:
		return &Empty{}
	case OpGetACL, OpSync, OpGetAllChildrenNumber, OpDeleteContainer:
		return &PathRequest{}
	case OpExists, OpGetData, OpGetChildren, OpGetChildren2:
		return &PathWatchRequest{}
	case OpDelete, OpCheck:
		return &PathVersionRequest{}
	case OpCreate, OpCreate2, OpCreateContainer:
		return &CreateRequest{}
	case OpCreateTTL:
		return &CreateTTLRequest{}
	case OpSetData:
		return &SetDataRequest{}
	case OpSetACL:
		return &SetACLRequest{}
	case OpMulti, OpMultiRead:
		return &MultiRequest{Reads: op == OpMultiRead}
	case OpReconfig:
		return &ReconfigRequest{}
	case OpCheckWatches, OpRemoveWatches:
		return &WatchesRequest{}
	case OpAddWatch:
		return &AddWatchRequest{}
	case OpAuth:
		return &AuthRequest{}
	case OpSetWatches, OpSetWatches2:
		return &SetWatchesRequest{Extended: op == OpSetWatches2}
	case OpSASL:
		return &SASLRequest{}
	case OpGetEphemerals:
		return &GetEphemeralsRequest{}
	case OpCreateSession:
		return &CreateSessionTxn{}
	}
	return nil
}

// DecodeRequest decodes the body of a request. An unknown op is
// [ErrUnimplemented] and everything else that is wrong wraps [ErrMarshalling].
// It decodes the internal ops too: see [OpCode.FromClient]. Buffers in the
// result share body.
func DecodeRequest(op OpCode, body []byte) (Record, error) {
	r := NewRequest(op)
	if r == nil {
		return nil, ErrUnimplemented
	}
	d := jute.NewDecoder(body)
	r.Decode(d)
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("%s request of %d bytes: %w: %w", op, len(body), ErrMarshalling, err)
	}
	return r, nil
}

// CreatesEphemeral reports whether a request, alone or as part of a multi, creates
// an ephemeral node. createContainer creates a container whatever its flags.
func CreatesEphemeral(op OpCode, rec Record) bool {
	switch r := rec.(type) {
	case *CreateRequest:
		return op != OpCreateContainer && (r.Flags == FlagEphemeral || r.Flags == FlagEphemeralSequential)
	case *MultiRequest:
		return slices.ContainsFunc(r.Ops, func(op MultiOp) bool { return CreatesEphemeral(op.Op, op.Request) })
	}
	return false
}

// Request is a client's write on its way to the leader: who asks, with which
// identities, and the request's own bytes. It is what servers hand to their
// quorum, not a record of ZooKeeper's.
type Request struct {
	Session int64
	Cxid    int32 // the client's xid, recorded in the transaction
	Op      OpCode
	Local   bool   // the session is a local one of the server that sends the request
	IDs     []ID   // identities of the connection when the request arrived
	Body    []byte // the request's record, as [DecodeRequest] takes it
}

// Encode appends the record.
func (r *Request) Encode(e *jute.Encoder) {
	e.Long(r.Session)
	e.Int(r.Cxid)
	e.Int(int32(r.Op))
	e.Bool(r.Local)
	encodeIDs(e, r.IDs)
	e.Buffer(r.Body)
}

// Decode reads the record. Body shares the input.
func (r *Request) Decode(d *jute.Decoder) {
	r.Session, r.Cxid, r.Op, r.Local = d.Long(), d.Int(), OpCode(d.Int()), d.Bool()
	r.IDs, r.Body = decodeIDs(d), d.Buffer()
}
