package zab

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/quorate/quorate/ensemble"
)

var packets = []Packet{
	{Type: Ack, Zxid: z(5, 3)},
	{Type: Proposal, Txns: []Txn{
		{Zxid: z(5, 3), Origin: Origin{2, 1 << 60}, Data: []byte("abc"), Chain: 1<<64 - 1},
		{Zxid: z(5, 4), Origin: Origin{-1, 0}},
	}},
	{Type: AckEpoch, At: Position{z(4, 7), 9}, Epoch: ensemble.NoEpoch, Base: Position{z(1, 2), 3}, Runs: []Run{{z(1, 3), z(1, 9), 4}, {z(4, 1), z(4, 7), 9}}},
	{Type: FollowerInfo, Zxid: z(3, 0), Unsure: true},
	{Type: Revalidate, ID: 77, Data: []byte{0}},
	{Type: Request, ID: 1<<64 - 1, Data: bytes.Repeat([]byte{7}, 70000)},
	{Type: Ping, Zxid: -1, ID: 3},
}

func TestPacket_RoundTrip(t *testing.T) {
	for _, p := range packets {
		b, err := MarshalPacket([]byte("prefix"), &p)
		require.NoError(t, err)
		got, err := UnmarshalPacket(b[len("prefix"):])
		require.NoError(t, err, p)
		assert.Equal(t, p, got)
		assert.NotEmpty(t, p.String())
		var again Packet
		raw, err := msgpack.Marshal(&p)
		require.NoError(t, err)
		require.NoError(t, msgpack.Unmarshal(raw, &again))
		assert.Equal(t, p, again)
	}
}

func TestPacket_EveryTruncationIsAnError(t *testing.T) {
	for _, p := range packets[:5] {
		b, err := MarshalPacket(nil, &p)
		require.NoError(t, err)
		for n := range b {
			_, err := UnmarshalPacket(b[:n])
			require.Error(t, err, "%v cut to %d of %d bytes", p, n, len(b))
		}
		_, err = UnmarshalPacket(append(b, 0))
		require.ErrorContains(t, err, "behind the packet")
	}
}

// A length that lies must not make us allocate.
func TestPacket_HostileLengths(t *testing.T) {
	good, err := MarshalPacket(nil, &Packet{Type: Request, Data: []byte("x")})
	require.NoError(t, err)
	head := good[:len(good)-3] // without Data
	for _, data := range [][]byte{
		{0xc6, 0xff, 0xff, 0xff, 0xff},
		{0xc6, 0x7f, 0xff, 0xff, 0xff},
		{0xdb, 0x7f, 0xff, 0xff, 0xff},
	} {
		b := append(append([]byte(nil), head...), data...)
		var got error
		allocs := testing.AllocsPerRun(10, func() { _, got = UnmarshalPacket(b) })
		require.Error(t, got)
		assert.Less(t, allocs, 30.0)
	}
	for _, b := range [][]byte{nil, {0xc0}, {0xdd, 0xff, 0xff, 0xff, 0xff}, []byte("GET / HTTP/1.1"), {0x9c, 1, 2, 3}} {
		_, err := UnmarshalPacket(b)
		require.Error(t, err)
	}
}

func FuzzUnmarshalPacket(f *testing.F) {
	for _, p := range packets[:5] {
		b, _ := MarshalPacket(nil, &p)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := UnmarshalPacket(b)
		if err != nil {
			return
		}
		again, err := MarshalPacket(nil, &p)
		require.NoError(t, err)
		q, err := UnmarshalPacket(again)
		require.NoError(t, err)
		require.Equal(t, p, q)
	})
}

func BenchmarkPacket_Proposal(b *testing.B) {
	p := Packet{Type: Proposal}
	for i := range 500 {
		p.Txns = append(p.Txns, Txn{Zxid: z(1, uint32(i+1)), Origin: Origin{1, uint64(i) << 20}, Data: make([]byte, 150)})
	}
	b.Run("marshal", func(b *testing.B) {
		for b.Loop() {
			_, _ = MarshalPacket(nil, &p)
		}
	})
	frame, _ := MarshalPacket(nil, &p)
	b.Run("unmarshal", func(b *testing.B) {
		for b.Loop() {
			_, _ = UnmarshalPacket(frame)
		}
	})
}
