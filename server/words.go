package server

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/quorate/quorate/ensemble"
)

// word is a four-letter word: what an operator sends instead of a frame.
type word struct {
	text   func(s *Server) string
	always bool   // answered even when not serving
	idle   string // the answer when not serving; "" for the general one
	argue  bool   // eight bytes follow: a number, for set
	set    func(s *Server, number int64)
}

// NotServing is what the words answer, and the admin server as an error, when the
// server is not part of a quorum.
const NotServing = "This ZooKeeper instance is not currently serving requests"

// words are all that are known, by their four bytes as a number: larger than
// the length of any frame.
var words = map[int32]word{
	number("ruok"): {text: func(*Server) string { return "imok" }, always: true},
	number("isro"): {text: (*Server).wordIsro, idle: "null"},
	number("srvr"): {text: (*Server).wordSrvr},
	number("stat"): {text: (*Server).wordStat},
	number("conf"): {text: (*Server).wordConf},
	number("cons"): {text: (*Server).wordCons},
	number("mntr"): {text: (*Server).wordMntr},
	number("envi"): {text: (*Server).wordEnvi, always: true},
	number("dump"): {text: (*Server).wordDump},
	number("dirs"): {text: (*Server).wordDirs},
	number("wchs"): {text: (*Server).wordWchs},
	number("wchc"): {text: (*Server).wordWchc},
	number("wchp"): {text: (*Server).wordWchp},
	number("hash"): {text: (*Server).wordHash, idle: NotServing},
	number("crst"): {text: (*Server).wordCrst},
	number("srst"): {text: (*Server).wordSrst},
	number("gtmk"): {text: (*Server).wordGtmk, always: true},
	number("stmk"): {text: (*Server).wordGtmk, always: true, argue: true, set: (*Server).SetTraceMask},
	number("memb"): {text: (*Server).wordMemb, always: true},
	number("dgst"): {text: (*Server).wordDgst},
}

// telnetIAC is what a telnet client sends by itself; it is dropped in silence.
const telnetIAC int32 = -720899 // 0xfff4fffd

// Lengths of a word, and of what follows stmk.
const (
	wordBytes     = 4
	argumentBytes = 8
)

func number(word string) int32 { return int32(binary.BigEndian.Uint32([]byte(word))) }

// fourLetterWord answers the first four bytes of a connection if they are a
// word, and then closes it. It reports false if they are a length. done is false
// for a word of which more must come.
func (c *Conn) fourLetterWord(n int32) (done, isWord bool) {
	w, known := words[n]
	if !known && n != telnetIAC {
		return true, false
	}
	name := string(binary.BigEndian.AppendUint32(nil, uint32(n)))
	s, listed := c.s, c.s.listed(name)
	bytes := wordBytes
	if w.argue && listed {
		bytes += argumentBytes
		argument, come := c.in.peekLong(wordBytes)
		if !come {
			c.in.need = bytes
			return false, true
		}
		w.set(s, argument)
	}
	c.askedWord(bytes)
	var text string
	switch {
	case !known:
	case !listed:
		text = name + " is not executed because it is not in the whitelist.\n"
	case w.always || s.serving.Load():
		text = w.text(s)
	case w.idle != "":
		text = w.idle
	default:
		text = NotServing + "\n"
	}
	c.mu.Lock()
	c.out = append(c.output(), text...)
	c.mu.Unlock()
	c.finish("four-letter word " + name)
	return true, true
}

// askedWord counts a word as a packet received, as ZooKeeper does.
func (c *Conn) askedWord(bytes int) {
	c.s.stats.received.Add(1)
	c.s.metrics.BytesReceived.Add(bytes)
	c.mu.Lock()
	c.stats.received++
	c.asking = true
	c.mu.Unlock()
}

func (s *Server) listed(name string) bool {
	return slices.Contains(s.cfg.Whitelist, name) || slices.Contains(s.cfg.Whitelist, "*")
}

// wordIsro is what clients ask that look for a server with a quorum.
func (s *Server) wordIsro() string {
	if s.readOnly.Load() {
		return "ro"
	}
	return "rw"
}

// mode names the role as srvr does.
func (s *Server) mode() string {
	if s.readOnly.Load() {
		return "read-only"
	}
	switch s.role.Load().State {
	case ensemble.Leading:
		if v := s.quorum.View(); len(v.Members()) == 1 {
			return "standalone"
		}
		return "leader"
	case ensemble.Following:
		return "follower"
	case ensemble.Observing:
		return "observer"
	}
	return "looking"
}

// traceMaskDefault is ZooKeeper's: requests of clients, packets of servers,
// sessions and warnings.
const traceMaskDefault = 306

// TraceMask returns what SetTraceMask set; 306 before.
func (s *Server) TraceMask() int64 { return s.traceMask.Load() }

// SetTraceMask sets the trace mask, for tools that set and read it. It changes
// nothing: what is logged the Logger decides.
func (s *Server) SetTraceMask(mask int64) { s.traceMask.Store(mask) }

func (s *Server) wordGtmk() string { return strconv.FormatInt(s.TraceMask(), 10) }
