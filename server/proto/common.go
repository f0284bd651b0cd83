package proto

import "github.com/quorate/quorate/internal/jute"

// ID is an identity: a scheme (world, ip, digest, auth, super, …) and a name
// whose syntax is the scheme's.
type ID struct{ Scheme, ID string }

// Encode appends the record.
func (r *ID) Encode(e *jute.Encoder) { e.String(r.Scheme); e.String(r.ID) }

// Decode reads the record.
func (r *ID) Decode(d *jute.Decoder) { r.Scheme, r.ID = d.String(), d.String() }

const idBytesMin = 8

func encodeIDs(e *jute.Encoder, ids []ID) {
	if ids == nil {
		e.Vector(-1)
		return
	}
	e.Vector(len(ids))
	for i := range ids {
		ids[i].Encode(e)
	}
}

func decodeIDs(d *jute.Decoder) []ID {
	n := d.Vector(idBytesMin)
	if n < 0 {
		return nil
	}
	ids := make([]ID, n)
	for i := range ids {
		ids[i].Decode(d)
	}
	return ids
}

// ACL is one entry of an access control list: what ID may do.
type ACL struct {
	Perms int32
	ID    ID
	// Malformed says that the scheme or the id was null on the wire, but for
	// the id of scheme auth, which means nothing: kazoo sends its empty strings
	// as null. Such a list is refused with [ErrInvalidACL] and never stored.
	Malformed bool
}

// OpenACL is the list world:anyone with all permissions. It must not be
// written to.
var OpenACL = []ACL{{Perms: PermAll, ID: ID{"world", "anyone"}}}

// Encode appends the record.
func (r *ACL) Encode(e *jute.Encoder) {
	e.Int(r.Perms)
	if r.Malformed {
		e.NullString()
		e.NullString()
		return
	}
	r.ID.Encode(e)
}

// Decode reads the record.
func (r *ACL) Decode(d *jute.Decoder) {
	*r = ACL{Perms: d.Int()}
	scheme, ok1 := d.NullableString()
	id, ok2 := d.NullableString()
	if r.Malformed = !ok1 || !ok2 && scheme != "auth"; !r.Malformed {
		r.ID = ID{scheme, id}
	}
}

// ACLBytesMin is the length of an encoded ACL without its two texts.
const ACLBytesMin = 12

// EncodeACLs appends a vector of ACL; nil is null.
func EncodeACLs(e *jute.Encoder, acls []ACL) {
	if acls == nil {
		e.Vector(-1)
		return
	}
	e.Vector(len(acls))
	for i := range acls {
		acls[i].Encode(e)
	}
}

// openACLBytes is OpenACL encoded: nearly every ACL there is.
var openACLBytes = func() []byte {
	var e jute.Encoder
	EncodeACLs(&e, OpenACL)
	return e.Bytes()
}()

// DecodeACLs reads a vector of ACL; null is nil, and empty is not nil. The
// result must not be written to: it may be OpenACL itself.
func DecodeACLs(d *jute.Decoder) []ACL {
	if d.Skip(openACLBytes) {
		return OpenACL
	}
	n := d.Vector(ACLBytesMin)
	if n < 0 {
		return nil
	}
	acls := make([]ACL, n)
	for i := range acls {
		acls[i].Decode(d)
	}
	return acls
}

// StatBytes is the length of an encoded Stat.
const StatBytes = 68

// Stat is what a client is told about a node besides its data. Times are
// milliseconds since 1970 by the clock of the leader that prepared the change.
// CVersion and NumChildren follow spec client-protocol 1.8.
type Stat struct {
	Czxid, Mzxid   int64
	Ctime, Mtime   int64
	Version        int32 // changes of the data
	CVersion       int32 // creations and deletions of children
	AVersion       int32 // changes of the ACL
	EphemeralOwner int64 // 0 if the node is not an ordinary ephemeral
	DataLength     int32
	NumChildren    int32
	Pzxid          int64 // last creation or deletion of a child
}

// Encode appends the record.
func (r *Stat) Encode(e *jute.Encoder) {
	e.Long(r.Czxid)
	e.Long(r.Mzxid)
	e.Long(r.Ctime)
	e.Long(r.Mtime)
	e.Int(r.Version)
	e.Int(r.CVersion)
	e.Int(r.AVersion)
	e.Long(r.EphemeralOwner)
	e.Int(r.DataLength)
	e.Int(r.NumChildren)
	e.Long(r.Pzxid)
}

// Decode reads the record.
func (r *Stat) Decode(d *jute.Decoder) {
	r.Czxid, r.Mzxid, r.Ctime, r.Mtime = d.Long(), d.Long(), d.Long(), d.Long()
	r.Version, r.CVersion, r.AVersion = d.Int(), d.Int(), d.Int()
	r.EphemeralOwner = d.Long()
	r.DataLength, r.NumChildren = d.Int(), d.Int()
	r.Pzxid = d.Long()
}

// RequestHeader stands before every request but the first of a connection.
type RequestHeader struct {
	Xid int32 // the client's number for the request, echoed in the reply
	Op  OpCode
}

// Encode appends the record.
func (r *RequestHeader) Encode(e *jute.Encoder) { e.Int(r.Xid); e.Int(int32(r.Op)) }

// Decode reads the record.
func (r *RequestHeader) Decode(d *jute.Decoder) { r.Xid, r.Op = d.Int(), OpCode(d.Int()) }

// ReplyHeader stands before every reply and event.
type ReplyHeader struct {
	Xid  int32
	Zxid int64 // the state the reply was computed from
	Err  ErrCode
}

// Encode appends the record.
func (r *ReplyHeader) Encode(e *jute.Encoder) { e.Int(r.Xid); e.Long(r.Zxid); e.Int(int32(r.Err)) }

// Decode reads the record.
func (r *ReplyHeader) Decode(d *jute.Decoder) {
	r.Xid, r.Zxid, r.Err = d.Int(), d.Long(), ErrCode(d.Int())
}

// ConnectRequest is the first frame of a connection.
type ConnectRequest struct {
	ProtocolVersion int32
	LastZxidSeen    int64
	TimeoutMillis   int32
	SessionID       int64 // 0 asks for a new session
	Password        []byte
	ReadOnly        bool // the client is content with a read-only server
	// HasReadOnly says that the request carried the ReadOnly byte, which old
	// clients leave out. The response must do the same.
	HasReadOnly bool
}

// Encode appends the record.
func (r *ConnectRequest) Encode(e *jute.Encoder) {
	e.Int(r.ProtocolVersion)
	e.Long(r.LastZxidSeen)
	e.Int(r.TimeoutMillis)
	e.Long(r.SessionID)
	e.Buffer(r.Password)
	if r.HasReadOnly {
		e.Bool(r.ReadOnly)
	}
}

// Decode reads the record.
func (r *ConnectRequest) Decode(d *jute.Decoder) {
	r.ProtocolVersion, r.LastZxidSeen = d.Int(), d.Long()
	r.TimeoutMillis, r.SessionID = d.Int(), d.Long()
	r.Password = d.Buffer()
	r.HasReadOnly, r.ReadOnly = false, false
	if d.Remaining() > 0 {
		r.HasReadOnly, r.ReadOnly = true, d.Bool()
	}
}

// PasswordBytes is the length of the password in every ConnectResponse.
const PasswordBytes = 16

// ConnectResponse answers a ConnectRequest. A session that is expired or was
// refused has timeout, id and password zero.
type ConnectResponse struct {
	ProtocolVersion int32
	TimeoutMillis   int32 // the negotiated timeout
	SessionID       int64
	Password        [PasswordBytes]byte
	ReadOnly        bool
	HasReadOnly     bool // copy of the request's
}

// Encode appends the record.
func (r *ConnectResponse) Encode(e *jute.Encoder) {
	e.Int(r.ProtocolVersion)
	e.Int(r.TimeoutMillis)
	e.Long(r.SessionID)
	e.Buffer(r.Password[:])
	if r.HasReadOnly {
		e.Bool(r.ReadOnly)
	}
}

// Decode reads the record.
func (r *ConnectResponse) Decode(d *jute.Decoder) {
	r.ProtocolVersion, r.TimeoutMillis, r.SessionID = d.Int(), d.Int(), d.Long()
	password := d.Buffer()
	if d.Err() == nil && len(password) != PasswordBytes {
		d.Fail(jute.ErrLength)
	}
	r.Password = [PasswordBytes]byte{}
	copy(r.Password[:], password)
	r.HasReadOnly, r.ReadOnly = false, false
	if d.Remaining() > 0 {
		r.HasReadOnly, r.ReadOnly = true, d.Bool()
	}
}

// WatcherEvent tells a client that something it watches has changed.
type WatcherEvent struct {
	Type  EventType
	State int32 // StateSyncConnected
	Path  string
}

// Encode appends the record.
func (r *WatcherEvent) Encode(e *jute.Encoder) {
	e.Int(int32(r.Type))
	e.Int(r.State)
	e.String(r.Path)
}

// Decode reads the record.
func (r *WatcherEvent) Decode(d *jute.Decoder) {
	r.Type, r.State, r.Path = EventType(d.Int()), d.Int(), d.String()
}
