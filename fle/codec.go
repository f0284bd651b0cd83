package fle

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/quorate/quorate/ensemble"
)

// Limits of a notification on the wire.
const (
	// ConfigBytesMax is the longest text of a view that a notification carries.
	// A ballot whose view is longer sends none.
	ConfigBytesMax = 64 << 10
	// NotificationBytesMax is the longest encoded notification.
	NotificationBytesMax = ConfigBytesMax + 128

	codecVersion  = 1
	codecFields   = 9
	codecArrayMax = 64 // elements that a later version may have
)

// ErrMalformed is wrapped by every error of DecodeNotification.
var ErrMalformed = errors.New("malformed notification")

// EncodeNotification returns the wire form of n, which the package comment
// describes. It fails if a field is out of its range.
func EncodeNotification(n Notification) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(len(n.Config) + 64)
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	if err := n.EncodeMsgpack(enc); err != nil {
		return nil, fmt.Errorf("encode notification: %w", err)
	}
	return buf.Bytes(), nil
}

// DecodeNotification parses the wire form of a notification. Any input is
// safe; the error says which field is wrong and wraps ErrMalformed. The result
// shares no memory with payload.
func DecodeNotification(payload []byte) (Notification, error) {
	var n Notification
	if len(payload) > NotificationBytesMax {
		return n, fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, len(payload), NotificationBytesMax)
	}
	r := bytes.NewReader(payload)
	version, err := n.decode(msgpack.NewDecoder(r))
	if err != nil {
		return Notification{}, fmt.Errorf("%w of %d bytes: %w", ErrMalformed, len(payload), err)
	}
	if version == codecVersion && r.Len() > 0 {
		return Notification{}, fmt.Errorf("%w: %d bytes behind its end", ErrMalformed, r.Len())
	}
	return n, nil
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (n Notification) EncodeMsgpack(enc *msgpack.Encoder) error {
	if err := n.check(); err != nil {
		return err
	}
	return errors.Join(
		enc.EncodeArrayLen(codecFields),
		enc.EncodeInt(codecVersion),
		enc.EncodeInt(int64(n.State)),
		enc.EncodeInt(int64(n.Leader)),
		enc.EncodeInt(int64(n.Zxid)),
		enc.EncodeInt(n.Round),
		enc.EncodeInt(int64(n.PeerEpoch)),
		enc.EncodeBool(n.Unsure),
		enc.EncodeInt(n.ViewVersion),
		enc.EncodeString(n.Config),
	)
}

// DecodeMsgpack implements msgpack.CustomDecoder. Of a later version it reads
// the fields that it knows and leaves the rest unread.
func (n *Notification) DecodeMsgpack(dec *msgpack.Decoder) error {
	_, err := n.decode(dec)
	return err
}

func (n *Notification) decode(dec *msgpack.Decoder) (version int64, err error) {
	fields, err := dec.DecodeArrayLen()
	if err != nil {
		return 0, fmt.Errorf("array: %w", err)
	}
	if fields < codecFields || fields > codecArrayMax {
		return 0, fmt.Errorf("array of %d elements: want %d to %d", fields, codecFields, codecArrayMax)
	}
	var state, leader, zxid, peerEpoch int64
	numbers := []struct {
		name string
		to   *int64
	}{
		{"version", &version}, {"state", &state}, {"leader", &leader}, {"zxid", &zxid},
		{"round", &n.Round}, {"peer epoch", &peerEpoch},
	}
	for _, f := range numbers {
		if *f.to, err = dec.DecodeInt64(); err != nil {
			return 0, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if version < codecVersion || version == codecVersion && fields != codecFields {
		return 0, fmt.Errorf("version %d with %d fields: want version %d with %d, or a later one", version, fields, codecVersion, codecFields)
	}
	if state < 0 || state > int64(ensemble.Observing) {
		return 0, fmt.Errorf("state %d: want 0 (LOOKING) to %d (OBSERVING)", state, ensemble.Observing)
	}
	n.State = ensemble.State(state)
	n.Leader, n.Zxid, n.PeerEpoch = ensemble.ServerID(leader), ensemble.Zxid(zxid), ensemble.Epoch(peerEpoch)
	if n.Unsure, err = dec.DecodeBool(); err != nil {
		return 0, fmt.Errorf("unsure: %w", err)
	}
	if n.ViewVersion, err = dec.DecodeInt64(); err != nil {
		return 0, fmt.Errorf("view version: %w", err)
	}
	if n.Config, err = decodeText(dec); err != nil {
		return 0, fmt.Errorf("config: %w", err)
	}
	return version, n.check()
}

// decodeText reads a string of at most ConfigBytesMax bytes, and allocates
// nothing before it has seen that the length is within the limit.
func decodeText(dec *msgpack.Decoder) (string, error) {
	size, err := dec.DecodeBytesLen()
	if err != nil {
		return "", err
	}
	if size < 0 || size > ConfigBytesMax {
		return "", fmt.Errorf("%d bytes: want 0 to %d", size, ConfigBytesMax)
	}
	text := make([]byte, size)
	if err := dec.ReadFull(text); err != nil {
		return "", err
	}
	return string(text), nil
}

// check reports the first field that is out of its range.
func (n Notification) check() error {
	switch {
	case n.State > ensemble.Observing:
		return fmt.Errorf("state %d: want 0 (LOOKING) to %d (OBSERVING)", n.State, ensemble.Observing)
	case n.Leader < ensemble.NoServer:
		return fmt.Errorf("leader %d: want a server id, or %d for nobody", n.Leader, ensemble.NoServer)
	case n.Zxid < ensemble.NoZxid:
		return fmt.Errorf("zxid %d: want 0 or more, or %d for none", int64(n.Zxid), int64(ensemble.NoZxid))
	case n.Round < 0 || n.Round > RoundMax:
		return fmt.Errorf("round %d: want 0 to %d", n.Round, RoundMax)
	case n.PeerEpoch < ensemble.NoEpoch || n.PeerEpoch > ensemble.MaxEpoch:
		return fmt.Errorf("peer epoch %d: want 0 to %d, or %d for none", n.PeerEpoch, ensemble.MaxEpoch, ensemble.NoEpoch)
	case n.ViewVersion < 0:
		return fmt.Errorf("view version %d: want 0 or more", n.ViewVersion)
	case len(n.Config) > ConfigBytesMax:
		return fmt.Errorf("config of %d bytes: the limit is %d", len(n.Config), ConfigBytesMax)
	case !utf8.ValidString(n.Config):
		return errors.New("config is not UTF-8")
	}
	return nil
}
