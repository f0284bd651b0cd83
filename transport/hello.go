package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/pack"
)

// Limits of a handshake. They hold for what is sent and for what is accepted.
const (
	EnsembleBytesMax = 128 // name of the ensemble
	AddressesMax     = 16  // election addresses of one server
	AddressBytesMax  = 261 // a DNS name of 253 bytes, ':' and a port, or an IPv6 literal

	reasonBytesMax    = 512
	handshakeBytesMax = 8 << 10
	handshakeVersion  = 1
	extraFieldsMax    = 16 // that a later version may have appended
)

var handshakeMagic = [4]byte{'Q', 'R', 'T', 'E'}

// Kind says what a connection is for.
type Kind uint8

// The kinds of connections.
const (
	Election Kind = 1 // notifications of FLE, port 3888
	Quorum   Kind = 2 // ZAB packets, port 2888
)

// String gives the name that sentences use.
func (k Kind) String() string {
	switch k {
	case Election:
		return "election"
	case Quorum:
		return "quorum"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Role is what a server is in its own view of the ensemble.
type Role uint8

// The roles.
const (
	Participant Role = 0
	Observer    Role = 1
)

// String gives the word of the server.N lines.
func (r Role) String() string {
	switch r {
	case Participant:
		return "participant"
	case Observer:
		return "observer"
	}
	return "role " + strconv.Itoa(int(r))
}

// Hello is how a server introduces itself when a connection is made.
type Hello struct {
	Sid      ensemble.ServerID
	To       ensemble.ServerID // whom the dialer means to reach; NoServer is whoever answers
	Ensemble string            // name of the ensemble; servers with different names refuse each other
	Kind     Kind
	Role     Role
	// Instance is a random number of this run of the server. It tells a server
	// that has been started again from a second one with the same sid.
	Instance uint64
	// Knock asks the acceptor, which has the larger sid, to dial back.
	Knock bool
	// Addresses are the election addresses, host:port, at which the server can
	// be dialed. May be empty.
	Addresses []string
	// Remote is the address from which the connection came. It is filled in by
	// the receiving side and not sent.
	Remote string
}

// verdict is the acceptor's answer to a hello.
type verdict uint8

const (
	accepted  verdict = 1
	refused   verdict = 2 // the reason says why
	callBack  verdict = 3 // to a knock: the acceptor dials
	connected verdict = 4 // to a knock: there is a connection, and it is alive
)

// answer is what the acceptor sends back.
type answer struct {
	verdict verdict
	reason  string
	from    Hello
}

// validate reports what would make the receiver refuse to decode h.
func (h *Hello) validate() error {
	var faults []error
	if h.Sid < 0 {
		faults = append(faults, fmt.Errorf("sid %d is negative", h.Sid))
	}
	if h.Ensemble == "" || len(h.Ensemble) > EnsembleBytesMax || !utf8.ValidString(h.Ensemble) {
		faults = append(faults, fmt.Errorf("ensemble name %q: want 1 to %d bytes of UTF-8", clip(h.Ensemble, EnsembleBytesMax), EnsembleBytesMax))
	}
	if h.Kind != Election && h.Kind != Quorum {
		faults = append(faults, fmt.Errorf("unknown %s of connection", h.Kind))
	}
	if h.Role != Participant && h.Role != Observer {
		faults = append(faults, fmt.Errorf("unknown %s", h.Role))
	}
	if len(h.Addresses) > AddressesMax {
		faults = append(faults, fmt.Errorf("%d addresses, at most %d are allowed", len(h.Addresses), AddressesMax))
	}
	for _, a := range h.Addresses {
		if err := checkAddress(a); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func checkAddress(a string) error {
	if len(a) > AddressBytesMax {
		return fmt.Errorf("address of %d bytes, at most %d are allowed", len(a), AddressBytesMax)
	}
	_, port, err := net.SplitHostPort(a)
	if err != nil {
		return fmt.Errorf("address %q: want host:port", a)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("address %q: port must be 1 to 65535", a)
	}
	return nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (h *Hello) EncodeMsgpack(e *msgpack.Encoder) error {
	return errors.Join(
		e.EncodeArrayLen(8),
		e.EncodeInt(int64(h.Sid)),
		e.EncodeInt(int64(h.To)),
		e.EncodeString(h.Ensemble),
		e.EncodeUint(uint64(h.Kind)),
		e.EncodeUint(uint64(h.Role)),
		e.EncodeUint(h.Instance),
		e.EncodeBool(h.Knock),
		encodeStrings(e, h.Addresses),
	)
}

func encodeStrings(e *msgpack.Encoder, list []string) error {
	err := e.EncodeArrayLen(len(list))
	for _, s := range list {
		err = errors.Join(err, e.EncodeString(s))
	}
	return err
}

// DecodeMsgpack implements msgpack.CustomDecoder. It accepts only what validate
// finds no fault with.
func (h *Hello) DecodeMsgpack(d *msgpack.Decoder) error {
	extra, err := pack.Array(d, 8, extraFieldsMax)
	if err != nil {
		return err
	}
	sid, err := d.DecodeInt64()
	if err != nil {
		return fmt.Errorf("sid: %w", err)
	}
	to, err := d.DecodeInt64()
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	name, err := pack.String(d, EnsembleBytesMax)
	if err != nil {
		return fmt.Errorf("ensemble: %w", err)
	}
	kind, err := d.DecodeUint8()
	if err != nil {
		return fmt.Errorf("kind: %w", err)
	}
	role, err := d.DecodeUint8()
	if err != nil {
		return fmt.Errorf("role: %w", err)
	}
	instance, err := d.DecodeUint64()
	if err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	knock, err := d.DecodeBool()
	if err != nil {
		return fmt.Errorf("knock: %w", err)
	}
	addresses, err := decodeStrings(d)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	*h = Hello{
		Sid: ensemble.ServerID(sid), To: ensemble.ServerID(to), Ensemble: name, Kind: Kind(kind), Role: Role(role),
		Instance: instance, Knock: knock, Addresses: addresses,
	}
	if err := h.validate(); err != nil {
		return err
	}
	return pack.Skip(d, extra)
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (a *answer) EncodeMsgpack(e *msgpack.Encoder) error {
	return errors.Join(
		e.EncodeArrayLen(3),
		e.EncodeUint(uint64(a.verdict)),
		e.EncodeString(a.reason),
		a.from.EncodeMsgpack(e),
	)
}

// DecodeMsgpack implements msgpack.CustomDecoder.
func (a *answer) DecodeMsgpack(d *msgpack.Decoder) error {
	extra, err := pack.Array(d, 3, extraFieldsMax)
	if err != nil {
		return err
	}
	v, err := d.DecodeUint8()
	if err != nil {
		return fmt.Errorf("verdict: %w", err)
	}
	a.verdict = verdict(v)
	if a.verdict < accepted || a.verdict > connected {
		return fmt.Errorf("unknown verdict %d", v)
	}
	if a.reason, err = pack.String(d, reasonBytesMax); err != nil {
		return fmt.Errorf("reason: %w", err)
	}
	if err := a.from.DecodeMsgpack(d); err != nil {
		return fmt.Errorf("who answers: %w", err)
	}
	return pack.Skip(d, extra)
}

func decodeStrings(d *msgpack.Decoder) ([]string, error) {
	n, err := d.DecodeArrayLen()
	if err != nil {
		return nil, err
	}
	if n > AddressesMax {
		return nil, fmt.Errorf("%d addresses, at most %d are allowed", n, AddressesMax)
	}
	if n <= 0 {
		return nil, nil
	}
	list := make([]string, n)
	for i := range list {
		if list[i], err = pack.String(d, AddressBytesMax); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// seal puts magic and version in front of the message.
func seal(message msgpack.CustomEncoder) ([]byte, error) {
	var b bytes.Buffer
	b.Write(handshakeMagic[:])
	b.Write(binary.BigEndian.AppendUint16(nil, handshakeVersion))
	err := message.EncodeMsgpack(msgpack.NewEncoder(&b))
	return b.Bytes(), err
}

// unseal checks magic and version and decodes what is behind them.
func unseal(payload []byte, message msgpack.CustomDecoder) error {
	if len(payload) < 6 || !bytes.Equal(payload[:4], handshakeMagic[:]) {
		return errors.New("not a Quorate handshake")
	}
	if v := binary.BigEndian.Uint16(payload[4:]); v != handshakeVersion {
		return fmt.Errorf("speaks version %d of the handshake, this server speaks version %d", v, handshakeVersion)
	}
	r := bytes.NewReader(payload[6:])
	if err := message.DecodeMsgpack(msgpack.NewDecoder(r)); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if r.Len() > 0 {
		return fmt.Errorf("handshake: %d bytes behind its end", r.Len())
	}
	return nil
}
