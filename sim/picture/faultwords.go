package picture

import (
	"strings"

	"github.com/quorate/quorate/sim/check"
)

// familySign is the sign of each family of faults, by the Mode of the event.
var familySign = map[string]string{
	"kill": signCrash, "power": signCrash, "torn": signCrash, "blackout": signCrash, "at-write": signCrash, "pause": signPause,
	"cut": signCut, "isolate": signCut, "one-way": signCut, "port": signCut, "reset": signCut, "clients": signCut,
	"flap": signCut, "loss": signCut, "delay": signCut, "bandwidth": signCut,
	"slow-disk": signDisk, "stuck-disk": signDisk, "disk-error": signDisk, "disk-full": signDisk,
	"wipe": signWipe, "rollback": signWipe, "damage": signWipe,
	"wall-clock": signClock, "drift": signClock, "late": signClock,
}

// instant are the families whose faults do not last.
var instant = []string{
	"kill", "power", "torn", "blackout", "at-write", "wipe", "rollback", "damage", "disk-error", "reset", "wall-clock",
}

// familyText says what a family of faults does: N is the server, P its peer.
var familyText = map[string]string{
	"kill": "server N is killed", "power": "server N loses power", "torn": "server N loses power, its writes out of order",
	"blackout": "all servers lose power", "at-write": "server N is to lose power in the middle of a write",
	"pause": "server N is paused", "cut": "servers N and P do not reach each other", "isolate": "server N reaches no other server",
	"one-way": "nothing gets from server N to server P", "port": "a port of server N is silent",
	"reset": "the link of servers N and P is reset", "clients": "clients do not reach server N",
	"flap": "servers N and P lose each other again and again", "loss": "votes get lost", "delay": "messages take long",
	"bandwidth": "links are narrow", "slow-disk": "the disk of server N is slow", "stuck-disk": "the disk of server N hangs",
	"disk-error": "the disk of server N is to fail", "disk-full": "the disk of server N is full",
	"wipe": "the disk of server N is wiped", "rollback": "the disk of server N becomes an older copy of itself",
	"damage": "bytes on the disk of server N change", "wall-clock": "the wall clock of server N jumps",
	"drift": "the clock of server N is fast or slow", "late": "timers of server N are late",
}

// faultText says in a line what went wrong. A fault of a family that is not known
// here says it in its own words.
func faultText(e *check.Event) string {
	who := e.Node.String()
	switch e.Kind {
	case check.Crash:
		return "server " + who + " " + crashWords(e.Mode)
	case check.Boot:
		return "server " + who + " starts again"
	case check.Wipe:
		return "the disk of server " + who + " is wiped"
	case check.Rollback:
		return "the disk of server " + who + " becomes an older copy of itself"
	case check.Damage:
		return "bytes on the disk of server " + who + " change"
	case check.DiskError:
		return "disk error of server " + who + behind(e.Text)
	case check.Halted:
		return "server " + who + " stops for good" + behind(e.Text)
	case check.Healed:
		return "all faults are over"
	}
	own := salted.ReplaceAllString(e.Text, "")
	text, known := familyText[e.Mode]
	switch {
	case !known && own == "":
		return "a fault"
	case !known:
		return own
	}
	if e.Mode == "port" {
		for _, port := range []string{"election", "quorum", "client"} {
			if strings.Contains(own, " "+port) {
				text = "the " + port + " port of server N is silent"
			}
		}
	}
	text = strings.NewReplacer("N", who, "P", e.Peer.String()).Replace(text)
	if d := faultSpan(e); d > 0 {
		text += " for " + millis(d)
	}
	return text
}

func crashWords(mode string) string {
	switch mode {
	case "power", "torn":
		return "loses power"
	case "stop":
		return "is stopped"
	case "kill":
		return "is killed"
	}
	return "crashes"
}

func crashWordsOfMany(mode string) string {
	switch mode {
	case "power", "torn":
		return "lose power"
	case "stop":
		return "are stopped"
	case "kill":
		return "are killed"
	}
	return "crash"
}

func behind(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
