package sim

import (
	"strings"

	"github.com/quorate/quorate/ensemble"
)

// offences are what servers say of packets that nobody may send who keeps to the
// protocol, in the phase in which they came (the models' messageIllegal).
var offences = []string{
	"out of turn", "unexpected ", "does not continue the log", "which the log", "but the log ends at", "says that the history ends at",
	"which was never proposed", "before NEWLEADER", "history cannot be", "a second ", "the last there is", "is committed here",
}

// mustBeLegal takes what a server says of another when it ends a link or a role.
// No member of this world forges packets: so such a complaint is a bug.
func (w *world) mustBeLegal(node ensemble.ServerID, complaint string) {
	for _, o := range offences {
		if strings.Contains(complaint, o) {
			w.broken("B12", "a packet comes only in the phase in which it has a meaning", node, "server %d complains: %s", node, complaint)
		}
	}
}
