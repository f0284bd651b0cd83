package sim

import (
	"encoding/binary"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// recorder is a state machine for scenarios about the protocol alone: its state
// is where the history ends.
type recorder struct {
	at    ensemble.Zxid
	count uint64
	sum   uint64
}

func newRecorder(ensemble.ServerID) zab.StateMachine { return &recorder{} }

// Apply implements zab.StateMachine.
func (r *recorder) Apply(txn zab.Txn) any {
	r.at, r.count = txn.Zxid, r.count+1
	r.sum = r.sum*31 + xxhash.Sum64(txn.Data) + txn.Chain
	return r.count
}

// Snapshot implements zab.StateMachine.
func (r *recorder) Snapshot() (zab.Snapshot, error) { return recorded(*r), nil }

// Restore implements zab.StateMachine.
func (r *recorder) Restore(from io.Reader) error {
	b, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if len(b) != 24 {
		return io.ErrUnexpectedEOF
	}
	r.at = ensemble.Zxid(binary.BigEndian.Uint64(b))
	r.count, r.sum = binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	return nil
}

// TreeDigest implements Digester.
func (r *recorder) TreeDigest() (ensemble.Zxid, uint64) { return r.at, r.sum }

// recorded is a recorder's state, captured.
type recorded recorder

// WriteTo implements io.WriterTo.
func (r recorded) WriteTo(w io.Writer) (int64, error) {
	b := binary.BigEndian.AppendUint64(nil, uint64(r.at))
	b = binary.BigEndian.AppendUint64(b, r.count)
	b = binary.BigEndian.AppendUint64(b, r.sum)
	n, err := w.Write(b)
	return int64(n), err
}

// Release implements zab.Snapshot.
func (recorded) Release() {}
