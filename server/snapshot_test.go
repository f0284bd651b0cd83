package server

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

func TestSnapshot_IsTheStateOfItsMoment(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	s := e.members[0].s
	c := open(t, e.members[0].addr)
	c.create(1, "/e", "data", proto.FlagEphemeral)
	zxid, digest := s.TreeDigest()
	snap, err := s.Snapshot()
	require.NoError(t, err)
	c.mustDo(2, proto.OpSetData, setOf("/e", "later"), &proto.StatReply{})
	var b bytes.Buffer
	_, err = snap.WriteTo(&b)
	require.NoError(t, err)
	snap.Release()
	_, now := s.TreeDigest()
	assert.NotEqual(t, digest, now)

	other := New(Config{Self: 2, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, other.Restore(&b))
	z, d := other.TreeDigest()
	assert.Equal(t, zxid, z)
	assert.Equal(t, digest, d)
	assert.EqualValues(t, zxid, other.zxid.Load())
	assert.ErrorIs(t, other.Restore(bytes.NewReader([]byte("nonsense"))), ErrState)
	assert.ErrorIs(t, other.Restore(io.LimitReader(nil, 0)), ErrState)
}

func TestApply_DamagedTransactionPanicsWithItsZxid(t *testing.T) {
	s := New(Config{Self: 1, Logger: slog.New(slog.DiscardHandler)})
	z := ensemble.NewZxid(1, 1)
	wrong := proto.AppendTxn(nil, proto.TxnHeader{Zxid: int64(z) + 1, Type: proto.OpError}, &proto.ErrorTxn{})
	for _, data := range [][]byte{nil, {1}, wrong} {
		func() {
			defer func() { assert.Contains(t, recover(), "0x100000001") }()
			s.Apply(zabTxn(z, data))
		}()
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 1, 2, 0, 0, 0, 0}, 3)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, most int) {
		var fr frames
		var back []byte
		r := bytes.NewReader(stream)
		for {
			space := fr.space()
			n, err := r.Read(space[:min(len(space), max(most, 1))])
			if err != nil {
				break
			}
			fr.took(n)
			for {
				n, ok := fr.peekInt(0)
				if fr.need = lengthBytes; !ok {
					break
				}
				if n < 0 || n > 1<<20 {
					return
				}
				frame, ok := fr.cut(int(n))
				if fr.need += int(n); !ok {
					break
				}
				back = append(binary.BigEndian.AppendUint32(back, uint32(n)), frame...)
			}
			if len(fr.chunk) > 2*len(stream)+2*chunkBytesMin {
				t.Fatalf("a chunk of %d bytes for a stream of %d", len(fr.chunk), len(stream))
			}
		}
		if !bytes.HasPrefix(stream, back) || len(stream)-len(back) != fr.w-fr.r {
			t.Fatal("bytes lost")
		}
	})
}

// A snapshot of ZooKeeper 3.5.3 has times to live in another format.
func TestRestore_Emulates353WhereThatIsConfigured(t *testing.T) {
	h := newHand(Config{ExtendedTypes: true})
	w := h.join(t)
	w.do(proto.OpCreateTTL, ttlOf("/n", 5000))
	require.Equal(t, proto.OK, w.reply(t, nil).Err)
	var now bytes.Buffer
	snap, err := h.s.Snapshot()
	require.NoError(t, err)
	_, err = snap.WriteTo(&now)
	require.NoError(t, err)
	old := bytes.Replace(now.Bytes(), []byte{0xff, 0, 0, 0, 0, 0, 0x13, 0x88}, []byte{0x80, 0, 0, 0, 0, 0, 0x13, 0x88}, 1)
	require.NotEqual(t, now.Bytes(), old)
	for emulate, want := range map[bool]int64{true: 5000, false: 0} {
		s := New(Config{Emulate353TTLNodes: emulate})
		require.NoError(t, s.Restore(bytes.NewReader(old)))
		n, ok := s.tree.Node("/n")
		require.True(t, ok)
		assert.Equal(t, want, n.TTLMillis())
	}
}
