package fle

import (
	"bytes"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/quorate/quorate/ensemble"
)

var sampleNotifications = []Notification{
	{},
	{Vote: nobody(1), Unsure: true},
	{Vote: Vote{Leader: 3, Zxid: ensemble.NewZxid(5, 12), Round: 7, PeerEpoch: 5}, State: ensemble.Leading, ViewVersion: 0x70, Config: "server.3=h:1:2:participant\nversion=70"},
	{Vote: Vote{Leader: 1 << 62, Zxid: 1<<63 - 1, Round: RoundMax, PeerEpoch: ensemble.MaxEpoch}, State: ensemble.Observing, ViewVersion: 1<<63 - 1, Config: strings.Repeat("ä", ConfigBytesMax/2)},
}

func TestCodec_RoundTrip(t *testing.T) {
	for _, n := range sampleNotifications {
		payload, err := EncodeNotification(n)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(payload), NotificationBytesMax)
		got, err := DecodeNotification(payload)
		require.NoError(t, err)
		assert.Equal(t, n, got)

		// Inside other msgpack values the same codec serves.
		viaMarshal, err := msgpack.Marshal(&n)
		require.NoError(t, err)
		got = Notification{}
		require.NoError(t, msgpack.Unmarshal(viaMarshal, &got))
		assert.Equal(t, n, got)
	}
}

// TestCodec_Golden fixes the bytes that doc.go describes.
func TestCodec_Golden(t *testing.T) {
	payload, err := EncodeNotification(Notification{
		Vote:  Vote{Leader: 3, Zxid: ensemble.NewZxid(5, 12), Round: 7, PeerEpoch: -1},
		State: ensemble.Leading, Unsure: true, Config: "v",
	})
	require.NoError(t, err)
	assert.Equal(t, []byte{
		0x99, 1, 2, 3, 0xcf, 0, 0, 0, 5, 0, 0, 0, 12, 7, 0xff, 0xc3, 0, 0xa1, 'v',
	}, payload)
}

func TestCodec_ReadsWhatALaterVersionAppends(t *testing.T) {
	n := sampleNotifications[2]
	payload, err := EncodeNotification(n)
	require.NoError(t, err)
	later := append([]byte{0x9a, 2}, payload[2:]...) // ten elements, version 2
	later = append(later, 0xa3, 'n', 'e', 'w')
	got, err := DecodeNotification(later)
	require.NoError(t, err)
	assert.Equal(t, n, got)

	later[1] = 1
	_, err = DecodeNotification(later)
	require.ErrorContains(t, err, "version 1 with 10 fields")
}

func TestCodec_NamesTheFault(t *testing.T) {
	fields := func(change func([]any)) []byte {
		f := []any{1, 0, 3, 7, 1, 5, false, 0, "version=0"}
		change(f)
		var buf bytes.Buffer
		require.NoError(t, msgpack.NewEncoder(&buf).Encode(f))
		return buf.Bytes()
	}
	whole := fields(func(f []any) { f[8] = nil })
	beforeConfig := whole[:len(whole)-1]
	for want, payload := range map[string][]byte{
		"of 0 bytes: array":           {},
		"array: msgpack":              {0x01},
		"array of -1 elements":        {0xc0},
		"array of 8 elements":         {0x98},
		"array of 2147483647":         {0xdd, 0x7f, 0xff, 0xff, 0xff},
		"version: ":                   fields(func(f []any) { f[0] = "x" }),
		"version 0 with":              fields(func(f []any) { f[0] = 0 }),
		"state 4":                     fields(func(f []any) { f[1] = 4 }),
		"state -1":                    fields(func(f []any) { f[1] = -1 }),
		"state 256":                   fields(func(f []any) { f[1] = 256 }),
		"leader -2":                   fields(func(f []any) { f[2] = -2 }),
		"zxid -2":                     fields(func(f []any) { f[3] = -2 }),
		"round -1":                    fields(func(f []any) { f[4] = -1 }),
		"round 4611686018427387905":   fields(func(f []any) { f[4] = RoundMax + 1 }),
		"peer epoch 2147483648":       fields(func(f []any) { f[5] = int64(1) << 31 }),
		"unsure: ":                    fields(func(f []any) { f[6] = "x" }),
		"view version -1":             fields(func(f []any) { f[7] = -1 }),
		"config: -1 bytes":            fields(func(f []any) { f[8] = nil }),
		"config: msgpack":             fields(func(f []any) { f[8] = 1 }),
		"config is not UTF-8":         fields(func(f []any) { f[8] = "\xff" }),
		"config: 65537 bytes":         fields(func(f []any) { f[8] = strings.Repeat("x", ConfigBytesMax+1) }),
		"1 bytes behind its end":      append(fields(func([]any) {}), 0),
		"65665 bytes, the limit is":   make([]byte, NotificationBytesMax+1),
		"config: 4294967295 bytes":    append(slices.Clone(beforeConfig), 0xdb, 0xff, 0xff, 0xff, 0xff),
		"config: unexpected EOF":      append(slices.Clone(beforeConfig), 0xdb, 0, 0, 0x7f, 0xff, 'x'),
		"peer epoch: msgpack: invali": fields(func(f []any) { f[5] = 1.5 }),
	} {
		_, err := DecodeNotification(payload)
		require.ErrorIs(t, err, ErrMalformed, want)
		assert.ErrorContains(t, err, want)
	}
}

func TestCodec_RefusesToEncodeWhatNobodyWouldRead(t *testing.T) {
	for want, n := range map[string]Notification{
		"state 7":      {State: 7},
		"config of":    {Config: strings.Repeat("x", ConfigBytesMax+1)},
		"UTF-8":        {Config: "\xff"},
		"round -1":     {Vote: Vote{Round: -1}},
		"leader -5":    {Vote: Vote{Leader: -5}},
		"view version": {ViewVersion: -1},
	} {
		_, err := EncodeNotification(n)
		assert.ErrorContains(t, err, want)
	}
}

// TestCodec_SurvivesAnyLength is ZOOKEEPER-3769: all short lengths, cut and
// random content.
func TestCodec_SurvivesAnyLength(t *testing.T) {
	whole, err := EncodeNotification(sampleNotifications[2])
	require.NoError(t, err)
	for size := range whole {
		_, err := DecodeNotification(whole[:size])
		assert.ErrorIs(t, err, ErrMalformed, "cut to %d bytes", size)
	}
	rng := rand.New(rand.NewSource(1))
	for range 20000 {
		payload := make([]byte, rng.Intn(101))
		rng.Read(payload)
		if len(payload) > 1 && rng.Intn(2) == 0 {
			payload[0], payload[1] = 0x99, 1
		}
		_, _ = DecodeNotification(payload)
	}
}

func FuzzDecodeNotification(f *testing.F) {
	for _, n := range sampleNotifications[:3] {
		payload, err := EncodeNotification(n)
		require.NoError(f, err)
		f.Add(payload)
		f.Add(payload[:len(payload)/2])
	}
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x99, 1, 0, 0, 0, 0, 0, 0xc2, 0, 0xdb, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		n, err := DecodeNotification(payload)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		again, err := EncodeNotification(n)
		require.NoError(t, err)
		back, err := DecodeNotification(again)
		require.NoError(t, err)
		require.Equal(t, n, back)
	})
}
