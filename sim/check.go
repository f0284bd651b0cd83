package sim

import (
	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// checkCommit: what is committed is the same everywhere, in the same order, and
// on the disks of a quorum (I6).
func (w *world) checkCommit(h *host, upTo ensemble.Zxid) {
	n := h.applied
	for n < len(h.written) && h.written[n].Zxid <= upTo {
		if n < len(w.history) {
			if a, b := h.written[n], w.history[n]; a.Zxid != b.Zxid || a.Chain != b.Chain {
				w.fail("agreement", "server %d commits %v at place %d, where %v was committed", h.id, a.Zxid, n, b.Zxid)
			}
		} else {
			w.history = append(w.history, h.written[n])
			w.checkDurable(h.written[n])
		}
		n++
	}
	h.applied = n
	if n == 0 || h.written[n-1].Zxid != upTo {
		w.fail("log completeness", "server %d commits %v, which its log does not have", h.id, upTo)
	}
}

func (w *world) checkDurable(t zab.Txn) {
	has := func(id ensemble.ServerID) bool {
		i := len(w.history) - 1
		has := func(log []zab.Txn) bool {
			return i < len(log) && log[i].Zxid == t.Zxid && log[i].Chain == t.Chain
		}
		return has(w.host(id).log) || has(w.host(id).lost)
	}
	if !w.view.HasQuorum(has) {
		w.fail("durability", "%v is committed and not on the disks of a quorum", t.Zxid)
	}
}

// checkEstablished: one leader per epoch (I1), which has all that was committed (I5).
func (w *world) checkEstablished(h *host, epoch ensemble.Epoch) {
	state, _ := h.peer.State()
	if state != ensemble.Leading {
		return
	}
	w.note("%d leads epoch %d", h.id, epoch)
	if other, ok := w.leaders[epoch]; ok {
		w.fail("one leader per epoch", "servers %d and %d both lead epoch %d", other, h.id, epoch)
	}
	w.leaders[epoch] = h.id
	if len(h.written) < len(w.history) {
		w.fail("leader completeness", "leader %d of epoch %d has %d of %d committed transactions", h.id, epoch, len(h.written), len(w.history))
	}
	for i, t := range w.history {
		if h.written[i].Zxid != t.Zxid || h.written[i].Chain != t.Chain {
			w.fail("leader completeness", "leader %d of epoch %d has %v where %v was committed", h.id, epoch, h.written[i].Zxid, t.Zxid)
		}
	}
}
