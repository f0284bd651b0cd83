package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/pack"
)

// Limits of what is announced.
const (
	MetaBytesMax     = 512 // of one encoded Meta; memberlist's limit
	EnsembleBytesMax = 128
	AddressBytesMax  = 261 // a DNS name of 253 bytes, ':' and a port
	ViewBytesMax     = 64 << 10

	formatVersion  = 1
	padBytesMax    = 16 // see the package comment
	extraFieldsMax = 16 // that a later version may have appended
)

// Meta is what a server announces of itself.
type Meta struct {
	Ensemble string
	Sid      ensemble.ServerID
	Observer bool
	State    ensemble.State
	Epoch    ensemble.Epoch // current epoch
	Zxid     ensemble.Zxid  // last logged
	// ViewVersion is the version of the newest view that the server has or has
	// heard of, -1 if none. Announce fills it in.
	ViewVersion int64
	// The addresses are host:port, or empty if the server has none. A wildcard
	// host is replaced on arrival by the address that the gossip came from.
	Quorum   string
	Election string
	Client   string
}

// encode gives the record as it travels; an error says what does not fit.
func (m *Meta) encode() ([]byte, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	b, err := seal(m)
	if err != nil {
		return nil, err
	}
	if len(b) > MetaBytesMax {
		return nil, fmt.Errorf("announcement of %d bytes, at most %d fit; shorten the ensemble's name or the host names", len(b), MetaBytesMax)
	}
	return b, nil
}

func decodeMeta(b []byte) (Meta, error) {
	var m Meta
	if len(b) > MetaBytesMax {
		return m, fmt.Errorf("announcement of %d bytes, at most %d are allowed", len(b), MetaBytesMax)
	}
	err := unseal(b, &m)
	return m, err
}

func (m *Meta) validate() error {
	var faults []error
	if m.Ensemble == "" || len(m.Ensemble) > EnsembleBytesMax || !utf8.ValidString(m.Ensemble) {
		faults = append(faults, fmt.Errorf("ensemble name of %d bytes: want 1 to %d of UTF-8", len(m.Ensemble), EnsembleBytesMax))
	}
	if m.Sid < 0 {
		faults = append(faults, fmt.Errorf("sid %d is negative", m.Sid))
	}
	if m.State > ensemble.Observing {
		faults = append(faults, fmt.Errorf("unknown %s", m.State))
	}
	for _, a := range []string{m.Quorum, m.Election, m.Client} {
		if a == "" {
			continue
		}
		if len(a) > AddressBytesMax {
			faults = append(faults, fmt.Errorf("address of %d bytes, at most %d are allowed", len(a), AddressBytesMax))
		} else if _, err := splitAddress(a); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// located replaces wildcard hosts by the node's own address.
func (m Meta) located(ip net.IP) Meta {
	for _, a := range []*string{&m.Quorum, &m.Election, &m.Client} {
		ep, err := splitAddress(*a)
		if err != nil {
			continue
		}
		if host := net.ParseIP(ep.host); ep.host == "" || host != nil && host.IsUnspecified() {
			ep.host = ip.String()
			*a = ep.String()
		}
	}
	return m
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (m *Meta) EncodeMsgpack(e *msgpack.Encoder) error {
	return errors.Join(
		e.EncodeArrayLen(11),
		e.EncodeString(m.Ensemble),
		e.EncodeInt(int64(m.Sid)),
		e.EncodeBool(m.Observer),
		e.EncodeUint(uint64(m.State)),
		e.EncodeInt(int64(m.Epoch)),
		e.EncodeInt(int64(m.Zxid)),
		e.EncodeString(m.Quorum),
		e.EncodeString(m.Election),
		e.EncodeString(m.Client),
		e.EncodeInt(m.ViewVersion),
		e.EncodeBytes(make([]byte, m.Sid%padBytesMax)),
	)
}

// DecodeMsgpack implements msgpack.CustomDecoder. It accepts only what a server
// may announce.
func (m *Meta) DecodeMsgpack(d *msgpack.Decoder) error {
	extra, err := pack.Array(d, 10, extraFieldsMax)
	if err != nil {
		return err
	}
	var got Meta
	var sid, epoch, zxid int64
	var state uint8
	steps := []func() error{
		func() (err error) { got.Ensemble, err = pack.String(d, EnsembleBytesMax); return },
		func() (err error) { sid, err = d.DecodeInt64(); return },
		func() (err error) { got.Observer, err = d.DecodeBool(); return },
		func() (err error) { state, err = d.DecodeUint8(); return },
		func() (err error) { epoch, err = d.DecodeInt64(); return },
		func() (err error) { zxid, err = d.DecodeInt64(); return },
		func() (err error) { got.Quorum, err = pack.String(d, AddressBytesMax); return },
		func() (err error) { got.Election, err = pack.String(d, AddressBytesMax); return },
		func() (err error) { got.Client, err = pack.String(d, AddressBytesMax); return },
		func() (err error) { got.ViewVersion, err = d.DecodeInt64(); return },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("field %d of an announcement: %w", i, err)
		}
	}
	got.Sid, got.State = ensemble.ServerID(sid), ensemble.State(state)
	got.Epoch, got.Zxid = ensemble.Epoch(epoch), ensemble.Zxid(zxid)
	if err := got.validate(); err != nil {
		return err
	}
	*m = got
	return pack.Skip(d, extra)
}

// knowledge is what two servers exchange beside the announcements.
type knowledge struct {
	ensemble string
	view     string // text of an ensemble.View, or empty
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (k *knowledge) EncodeMsgpack(e *msgpack.Encoder) error {
	return errors.Join(e.EncodeArrayLen(2), e.EncodeString(k.ensemble), e.EncodeString(k.view))
}

// DecodeMsgpack implements msgpack.CustomDecoder.
func (k *knowledge) DecodeMsgpack(d *msgpack.Decoder) error {
	extra, err := pack.Array(d, 2, extraFieldsMax)
	if err != nil {
		return err
	}
	if k.ensemble, err = pack.String(d, EnsembleBytesMax); err != nil {
		return fmt.Errorf("ensemble: %w", err)
	}
	if k.view, err = pack.String(d, ViewBytesMax); err != nil {
		return fmt.Errorf("view: %w", err)
	}
	return pack.Skip(d, extra)
}

// pack puts the format's version in front of the message.
func seal(message msgpack.CustomEncoder) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte(formatVersion)
	err := message.EncodeMsgpack(msgpack.NewEncoder(&b))
	return b.Bytes(), err
}

func unseal(b []byte, message msgpack.CustomDecoder) error {
	if len(b) == 0 {
		return errors.New("nothing is announced; the node is no Quorate server")
	}
	if b[0] != formatVersion {
		return fmt.Errorf("announcement of version %d, this server knows version %d", b[0], formatVersion)
	}
	r := bytes.NewReader(b[1:])
	if err := message.DecodeMsgpack(msgpack.NewDecoder(r)); err != nil {
		return err
	}
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes behind the end", r.Len())
	}
	return nil
}
