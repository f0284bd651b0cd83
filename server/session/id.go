package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/quorate/quorate/ensemble"
)

// PasswordBytes is the length of a session password, which clients rely on.
const PasswordBytes = 16

// Generator makes session ids: the low 8 bits of the server id, then 40 bits of
// milliseconds, then 16 bits that count; ids of one server ascend by one
// (ZooKeeper's SessionTrackerImpl.initializeNextSessionId). The zero value is
// not usable; see NewGenerator.
type Generator struct{ next int64 }

// NewGenerator returns a generator for a server that begins to serve at
// unixMillis. It wants the wall clock, where ZooKeeper takes the uptime and may
// repeat ids after a reboot.
func NewGenerator(server ensemble.ServerID, unixMillis int64) Generator {
	millis := int64(uint64(unixMillis<<24) >> 8)
	return Generator{next: millis | int64(server)<<56}
}

// Advance moves the generator on to another beginning to serve, unless its ids
// have come further already.
func (g *Generator) Advance(server ensemble.ServerID, unixMillis int64) {
	if fresh := NewGenerator(server, unixMillis); fresh.next > g.next {
		*g = fresh
	}
}

// Next returns the next id for which taken is false. It never returns 0, which
// means "no session", nor the owner of container nodes.
func (g *Generator) Next(taken func(id int64) bool) int64 {
	for {
		id := g.next
		g.next++
		if id != 0 && id != math.MinInt64 && !taken(id) {
			return id
		}
	}
}

// Format prints a session id as ZooKeeper does: 0x and 64 bits in hexadecimal.
func Format(id int64) string { return "0x" + strconv.FormatUint(uint64(id), 16) }

// Password returns the password of a session: the first 16 bytes of
// HMAC-SHA256(secret, id). Every server that has the secret can verify it.
// (ZooKeeper's is a function of the id alone, which getData shows to everybody
// as ephemeralOwner.)
func Password(secret []byte, id int64) [PasswordBytes]byte {
	mac := hmac.New(sha256.New, secret)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	_, _ = mac.Write(b[:])
	var sum [sha256.Size]byte
	return [PasswordBytes]byte(mac.Sum(sum[:0])[:PasswordBytes])
}

// Verify reports whether passwd is the password of the session, in constant time.
func Verify(secret []byte, id int64, passwd []byte) bool {
	want := Password(secret, id)
	return subtle.ConstantTimeCompare(want[:], passwd) == 1
}
