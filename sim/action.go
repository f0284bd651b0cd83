package sim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// parseAction reads what Action.String prints, and lines that leave out what a
// person would not write: the span, which is then long, and the salt.
func parseAction(words []string) (Action, error) {
	a := Action{Family: Family(words[0])}
	if !slices.Contains(Families, a.Family) {
		return a, fmt.Errorf("unknown fault %q", words[0])
	}
	rest := words[1:]
	for len(rest) > 0 {
		n, err := strconv.Atoi(rest[0])
		if err != nil {
			break
		}
		switch {
		case a.Server == 0:
			a.Server = ensemble.ServerID(n)
		case a.Peer == 0:
			a.Peer = ensemble.ServerID(n)
		default:
			return a, fmt.Errorf("%s: at most two servers", a.Family)
		}
		rest = rest[1:]
	}
	if len(rest) > 0 && slices.Contains(channelNames[:], rest[0]) {
		a.Port, rest = rest[0], rest[1:]
	}
	for len(rest) > 0 {
		if len(rest) < 2 {
			return a, fmt.Errorf("%q: want: fault [server [peer]] [port] [for span] [salt n]", rest[0])
		}
		var err error
		switch rest[0] {
		case "for":
			a.For, err = time.ParseDuration(rest[1])
		case "salt":
			a.Salt, err = strconv.ParseUint(rest[1], 10, 64)
		default:
			err = fmt.Errorf("%q: want: for or salt", rest[0])
		}
		if err != nil {
			return a, err
		}
		rest = rest[2:]
	}
	return a, a.validate()
}

func (a Action) validate() error {
	everywhere := slices.Contains([]Family{Blackout, Loss, Delay, Bandwidth}, a.Family)
	between := slices.Contains([]Family{Cut, OneWay, Reset, Flap}, a.Family)
	switch {
	case everywhere != (a.Server == 0):
		if everywhere {
			return fmt.Errorf("%s concerns all: it takes no server", a.Family)
		}
		return fmt.Errorf("%s: which server?", a.Family)
	case between != (a.Peer != 0):
		if between {
			return fmt.Errorf("%s: want two servers", a.Family)
		}
		return fmt.Errorf("%s takes one server", a.Family)
	case (a.Family == Port) != (a.Port != ""):
		return fmt.Errorf("%s: a port, election, quorum or client, belongs to the fault %s", a.Family, Port)
	case a.For < 0:
		return fmt.Errorf("%s: the span %v must not be negative", a.Family, a.For)
	}
	return nil
}
