package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// This file has what scripts do to the ways between servers.

// hold is a direction of quorum links on which packets wait, from the first one
// of a type on.
type hold struct{ from, to ensemble.ServerID }

// held is a packet that waits.
type held struct {
	e      *end
	packet zab.Packet
}

// way reads A>B.
func (s *stage) way(word string) (from, to ensemble.ServerID, err error) {
	a, b, ok := strings.Cut(word, ">")
	if !ok {
		return 0, 0, fmt.Errorf("%q: want A>B", word)
	}
	if from, err = s.server(a); err == nil {
		to, err = s.server(b)
	}
	return from, to, err
}

func partOrJoin(part bool) func(*stage, []string) error {
	return func(s *stage, words []string) error {
		ways, ports, err := s.ways(words)
		if err != nil {
			return err
		}
		for _, way := range ways {
			for _, ch := range ports {
				if d := (direction{ch, way[0], way[1]}); part {
					s.w.net.block(d)
				} else {
					s.w.net.open(d)
				}
			}
		}
		return nil
	}
}

// ways reads A B or A>B, and perhaps the port that it is about.
func (s *stage) ways(words []string) (ways [][2]ensemble.ServerID, ports []channel, err error) {
	ports = []channel{electionPort, quorumPort}
	if i := slices.Index(channelNames[:clientPort], words[len(words)-1]); i >= 0 {
		ports, words = []channel{channel(i)}, words[:len(words)-1]
	}
	var a, b ensemble.ServerID
	switch len(words) {
	case 1:
		a, b, err = s.way(words[0])
		return [][2]ensemble.ServerID{{a, b}}, ports, err
	case 2:
		if a, err = s.server(words[0]); err == nil {
			b, err = s.server(words[1])
		}
		return [][2]ensemble.ServerID{{a, b}, {b, a}}, ports, err
	}
	return nil, nil, errors.New("want two servers, as A B or A>B")
}

func (s *stage) hold(words []string) error {
	from, to, err := s.way(words[0])
	if err != nil {
		return err
	}
	if words[1] != "*" && !packetKnown(words[1]) {
		return fmt.Errorf("%q is no packet; the types are those of zab.PacketType, such as PROPOSAL, and *", words[1])
	}
	s.w.net.holds = append(s.w.net.holds, heldType{hold{from, to}, words[1]})
	return nil
}

// packetKnown reports whether there is such a packet on quorum links.
func packetKnown(name string) bool {
	for t := range zab.SnapEnd + 1 {
		if t.String() == name {
			return true
		}
	}
	return false
}

// heldType is what begins a hold.
type heldType struct {
	hold
	packet string
}

// keeps takes a packet out of the way if it is to be held. What is held of a
// link that is no more is forgotten.
func (s *stage) keeps(e *end, packet zab.Packet) bool {
	h := hold{e.p.h.id, e.peer}
	s.holds[h] = slices.DeleteFunc(s.holds[h], func(x held) bool { return x.e != e })
	keep := len(s.holds[h]) > 0
	for _, t := range s.w.net.holds {
		keep = keep || t.hold == h && (t.packet == "*" || t.packet == packet.Type.String())
	}
	if keep {
		s.holds[h] = append(s.holds[h], held{e, packet})
	}
	return keep
}

func (s *stage) deliver(words []string) error {
	from, to, err := s.way(words[0])
	if err != nil {
		return err
	}
	h := hold{from, to}
	n := len(s.holds[h])
	if len(words) == 2 {
		if n, err = strconv.Atoi(words[1]); err != nil || n < 0 || n > len(s.holds[h]) {
			return fmt.Errorf("%s packets: %d are held", words[1], len(s.holds[h]))
		}
	} else {
		s.w.net.holds = slices.DeleteFunc(s.w.net.holds, func(t heldType) bool { return t.hold == h })
	}
	s.pass(h, n)
	return nil
}

// pass lets the first n packets of a hold go on.
func (s *stage) pass(h hold, n int) {
	going := s.holds[h][:n:n]
	s.holds[h] = s.holds[h][n:]
	for _, x := range going {
		x.e.carry(x.packet)
	}
}
