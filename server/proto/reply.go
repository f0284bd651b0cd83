package proto

import "github.com/quorate/quorate/internal/jute"

// PathReply is the reply to create and sync.
type PathReply struct{ Path string }

// Encode appends the record.
func (r *PathReply) Encode(e *jute.Encoder) { e.String(r.Path) }

// Decode reads the record.
func (r *PathReply) Decode(d *jute.Decoder) { r.Path = d.String() }

// Create2Reply is the reply to create2, createContainer and createTTL.
type Create2Reply struct {
	Path string
	Stat Stat
}

// Encode appends the record.
func (r *Create2Reply) Encode(e *jute.Encoder) { e.String(r.Path); r.Stat.Encode(e) }

// Decode reads the record.
func (r *Create2Reply) Decode(d *jute.Decoder) { r.Path = d.String(); r.Stat.Decode(d) }

// StatReply is the reply to exists, setData and setACL.
type StatReply struct{ Stat Stat }

// Encode appends the record.
func (r *StatReply) Encode(e *jute.Encoder) { r.Stat.Encode(e) }

// Decode reads the record.
func (r *StatReply) Decode(d *jute.Decoder) { r.Stat.Decode(d) }

// DataReply is the reply to getData and reconfig.
type DataReply struct {
	Data []byte
	Stat Stat
}

// Encode appends the record.
func (r *DataReply) Encode(e *jute.Encoder) { e.Buffer(r.Data); r.Stat.Encode(e) }

// Decode reads the record. Data shares the input.
func (r *DataReply) Decode(d *jute.Decoder) { r.Data = d.Buffer(); r.Stat.Decode(d) }

// ACLReply is the reply to getACL.
type ACLReply struct {
	ACL  []ACL
	Stat Stat
}

// Encode appends the record.
func (r *ACLReply) Encode(e *jute.Encoder) { EncodeACLs(e, r.ACL); r.Stat.Encode(e) }

// Decode reads the record.
func (r *ACLReply) Decode(d *jute.Decoder) { r.ACL = DecodeACLs(d); r.Stat.Decode(d) }

// StringsReply is the reply to getChildren and getEphemerals. A nil slice is
// sent as an empty vector: clients do not expect null here.
type StringsReply struct{ Strings []string }

// Encode appends the record.
func (r *StringsReply) Encode(e *jute.Encoder) { encodeNames(e, r.Strings) }

// Decode reads the record.
func (r *StringsReply) Decode(d *jute.Decoder) { r.Strings = d.Strings() }

// Children2Reply is the reply to getChildren2. A nil slice is sent as an empty
// vector.
type Children2Reply struct {
	Children []string
	Stat     Stat
}

// Encode appends the record.
func (r *Children2Reply) Encode(e *jute.Encoder) {
	encodeNames(e, r.Children)
	r.Stat.Encode(e)
}

// Decode reads the record.
func (r *Children2Reply) Decode(d *jute.Decoder) {
	r.Children = d.Strings()
	r.Stat.Decode(d)
}

func encodeNames(e *jute.Encoder, names []string) {
	e.Vector(len(names))
	for _, s := range names {
		e.String(s)
	}
}

// IntReply is the reply to getAllChildrenNumber, and with Value 0 to addWatch,
// whose reply has a code of its own behind the header's.
type IntReply struct{ Value int32 }

// Encode appends the record.
func (r *IntReply) Encode(e *jute.Encoder) { e.Int(r.Value) }

// Decode reads the record.
func (r *IntReply) Decode(d *jute.Decoder) { r.Value = d.Int() }

// SASLReply is the reply to sasl.
type SASLReply = SASLRequest

// ClientInfo is one identity in the reply to whoAmI.
type ClientInfo struct{ Scheme, User string }

// WhoAmIReply is the reply to whoAmI.
type WhoAmIReply struct{ Clients []ClientInfo }

// Encode appends the record.
func (r *WhoAmIReply) Encode(e *jute.Encoder) {
	e.Vector(len(r.Clients))
	for _, c := range r.Clients {
		e.String(c.Scheme)
		e.String(c.User)
	}
}

// Decode reads the record.
func (r *WhoAmIReply) Decode(d *jute.Decoder) {
	r.Clients = nil
	n := d.Vector(idBytesMin)
	if n < 0 {
		return
	}
	r.Clients = make([]ClientInfo, n)
	for i := range r.Clients {
		r.Clients[i] = ClientInfo{d.String(), d.String()}
	}
}
