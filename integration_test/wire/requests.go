package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// ZooKeeper's operation codes.
const (
	opCreate       = 1
	opDelete       = 2
	opGetData      = 4
	opSetData      = 5
	opSync         = 9
	opPing         = 11
	opGetChildren2 = 12
	opClose        = -11
)

// Stat is what ZooKeeper tells about a node.
type Stat struct {
	Czxid, Mzxid, Ctime, Mtime  int64
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	DataLength, NumChildren     int32
	Pzxid                       int64
}

// Create makes a persistent node, world:anyone.
func (c *Conn) Create(path string, data []byte) error {
	_, err := c.call(opCreate, CreateRequest(path, data))
	return err
}

// CreateEphemeral makes a node that ends with the session, world:anyone.
func (c *Conn) CreateEphemeral(path string, data []byte) error {
	body := CreateRequest(path, data)
	body[len(body)-1] = 1 // the flags are the last field
	_, err := c.call(opCreate, body)
	return err
}

// CreateRequest is the body of a create of a persistent node.
func CreateRequest(path string, data []byte) []byte {
	var e encoder
	e.string(path)
	e.bytes(data)
	e.int32(1) // one ACL entry: all permissions
	e.int32(31)
	e.string("world")
	e.string("anyone")
	e.int32(0)
	return e.buf
}

// Set writes a node's data whatever its version.
func (c *Conn) Set(path string, data []byte) error {
	_, err := c.call(opSetData, SetRequest(path, data))
	return err
}

// SetRequest is the body of a setData with version -1.
func SetRequest(path string, data []byte) []byte {
	var e encoder
	e.string(path)
	e.bytes(data)
	e.int32(-1)
	return e.buf
}

// SendCreate pipelines one create whose body is CreateRequest.
func (c *Conn) SendCreate(body []byte, more bool, done func(Reply)) {
	c.Send(opCreate, body, more, done)
}

// Delete removes a node whatever its version.
func (c *Conn) Delete(path string) error {
	var e encoder
	e.string(path)
	e.int32(-1)
	_, err := c.call(opDelete, e.buf)
	return err
}

// Get returns a node's data.
func (c *Conn) Get(path string) ([]byte, Stat, error) {
	body, err := c.call(opGetData, readRequest(path))
	if err != nil {
		return nil, Stat{}, err
	}
	return decodeGet(body)
}

func decodeGet(body []byte) ([]byte, Stat, error) {
	d := decoder{buf: body}
	data := d.bytes()
	stat := d.stat()
	return data, stat, d.err
}

// Children returns the names of a node's children, in no order.
func (c *Conn) Children(path string) ([]string, error) {
	body, err := c.call(opGetChildren2, readRequest(path))
	if err != nil {
		return nil, err
	}
	d := decoder{buf: body}
	n := d.int32()
	var names []string
	for i := int32(0); i < n && d.err == nil; i++ {
		names = append(names, string(d.bytes()))
	}
	return names, d.err
}

// Sync brings this server up to what is committed when it is called.
func (c *Conn) Sync(path string) error {
	var e encoder
	e.string(path)
	_, err := c.call(opSync, e.buf)
	return err
}

func readRequest(path string) []byte {
	var e encoder
	e.string(path)
	e.bool(false)
	return e.buf
}

// encoder appends jute's primitives.
type encoder struct{ buf []byte }

func (e *encoder) int32(v int32) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(v)) }
func (e *encoder) int64(v int64) { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(v)) }
func (e *encoder) bool(v bool) {
	b := byte(0)
	if v {
		b = 1
	}
	e.buf = append(e.buf, b)
}
func (e *encoder) bytes(v []byte)  { e.int32(int32(len(v))); e.buf = append(e.buf, v...) }
func (e *encoder) string(v string) { e.int32(int32(len(v))); e.buf = append(e.buf, v...) }

// decoder reads jute's primitives from buf and keeps its first error.
type decoder struct {
	buf []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.buf)) {
		d.err = fmt.Errorf("a reply is too short: %w", io.ErrUnexpectedEOF)
	}
	if d.err != nil {
		return make([]byte, min(max(n, 0), 8))
	}
	b := d.buf[:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) int32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }
func (d *decoder) int64() int64 { return int64(binary.BigEndian.Uint64(d.take(8))) }

// bytes returns nil for a length of -1.
func (d *decoder) bytes() []byte {
	n := d.int32()
	if n == -1 || d.err != nil {
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) stat() Stat {
	var s Stat
	s.Czxid, s.Mzxid, s.Ctime, s.Mtime = d.int64(), d.int64(), d.int64(), d.int64()
	s.Version, s.Cversion, s.Aversion = d.int32(), d.int32(), d.int32()
	s.EphemeralOwner = d.int64()
	s.DataLength, s.NumChildren = d.int32(), d.int32()
	s.Pzxid = d.int64()
	return s
}
