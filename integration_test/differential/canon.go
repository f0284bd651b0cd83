package differential

import (
	"encoding/hex"
	"strconv"
)

// Canon gives common names to what differs between any two servers: session ids
// become the numbers of the connections that made them, zxids count from the
// script's beginning, and times become "t" if they are the time of their zxid.
// There is one for each server and run of a script.
type Canon struct {
	base     int64           // zxid at the script's beginning
	sessions map[int64]int   // session id → connection that made it
	words    map[int][]byte  // its password
	times    map[int64]int64 // zxid → time of its transaction
	shifts   []shift         // zxids that only one of the servers has consumed
}

// shift says that zxids from a point on are that much higher than the other
// server's, for a reason that Differences lists.
type shift struct{ from, by int64 }

func newCanon(base int64) *Canon {
	return &Canon{base: base, sessions: map[int64]int{}, words: map[int][]byte{}, times: map[int64]int64{}}
}

// zxid names a zxid: 0 and -1 as they are, "old" if it is from before the
// script, else how far behind the beginning it is.
func (c *Canon) zxid(z int64) string {
	switch {
	case z == 0 || z == -1:
		return strconv.FormatInt(z, 10)
	case z > -1 && z <= c.base:
		return "old"
	}
	n := z - c.base
	for _, s := range c.shifts {
		if z >= s.from {
			n -= s.by
		}
	}
	return "+" + strconv.FormatInt(n, 10)
}

// session names a session id.
func (c *Canon) session(id int64) string {
	if id == 0 {
		return "0"
	}
	if n, ok := c.sessions[id]; ok {
		return "s" + strconv.Itoa(n)
	}
	return "unknown session 0x" + strconv.FormatUint(uint64(id), 16)
}

// time names the time that stands beside a zxid: "t" if that is what all nodes
// say which have the zxid.
func (c *Canon) time(z, t int64) string {
	if t == 0 {
		return "0"
	}
	first, ok := c.times[z]
	if !ok {
		c.times[z] = t
		return "t"
	}
	if t != first {
		return "t" + strconv.FormatInt(t-first, 10)
	}
	return "t"
}

// password names the password given with a session: "own" if it is the
// session's from the beginning.
func (c *Canon) password(id int64, word []byte) string {
	zero := true
	for _, b := range word {
		zero = zero && b == 0
	}
	n, ok := c.sessions[id]
	switch {
	case zero:
		return strconv.Itoa(len(word)) + " zero bytes"
	case !ok:
		return hex.EncodeToString(word)
	case c.words[n] == nil:
		c.words[n] = word
	case string(c.words[n]) != string(word):
		return "another one than before"
	}
	return strconv.Itoa(len(word)) + " own bytes"
}
