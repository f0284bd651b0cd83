// Package check judges runs of an ensemble: whether what its servers did, and
// what its clients saw, can be the work of a correct one. It runs nothing itself.
// It reads what a world tells, a simulated one (package sim) or one of real
// processes, and finds the first moment at which a promise was broken.
//
// It has two halves. They look at the same run from its two ends and share
// nothing but words.
//
// # What servers do
//
// A [Cluster] takes the [Event]s of all servers as they happen, one after the
// other, and says at which of them an invariant broke:
//
//	c := check.NewCluster(view, check.Options{})
//	for … {
//		if v := c.Observe(&ev); v != nil {
//			return v
//		}
//	}
//	return c.Finish()
//
// It keeps a ghost of each server: what its disk must hold, synced or only
// written, which epochs it has promised and to whom, its role, what it heard in
// the election. A ghost is built from events alone and never asks the server. And
// it keeps what belongs to nobody: every transaction that was proposed, behind
// which history; the committed history; which leader was established in which
// epoch, and with what.
//
// Three kinds of rules are held against that. Some compare a word with a disk: an
// epoch is promised, a transaction acknowledged, a vote cast only for what is
// there (B7, B11, D2). Some compare servers: one leader for an epoch, one history
// for all, commits only by a quorum, which is counted again here (E3, B2, B6). And
// one looks ahead, the oracle of hypothetical elections (HEO): whenever a disk
// changes it asks whether any quorum, started from the disks as they are, would
// elect a server that lacks something committed. A mistake is seen when it makes
// a loss possible; the crashes that would turn it into one need not happen.
//
// The checkers have their own copy of every rule they judge by, the order of
// votes and the succession of zxids among them. One that used the servers' code
// would make their mistakes, and see none.
//
// What a world must tell, beside what the kinds say:
//
//   - numbers without gaps, and times that do not go back;
//   - what is durable before the server is told that it is;
//   - a proposal before it is written, a leader's commit before its followers',
//     the way to a leader's history (SyncPlan) before a disk goes it;
//   - the notifications of a step before its decision, and that before the role;
//   - whole histories in Boot, from the first transaction on, and in life 1 what
//     the run begins with;
//   - what a disk loses by other hands than its server's: Wipe, Rollback, Damage.
//     A process may be gone before it can say what its disk has done; that is
//     allowed for.
//
// # What clients see
//
// [Witness] takes the [History] of a whole run: every request and reply of every
// client, every watch event, and the headers of the committed transactions. What
// makes it cheap is that every reply names a zxid. It is that of the state from
// which the reply was made, exactly; so nothing has to be searched for. The
// requests are executed once more, in the order of their transactions, by a model
// of the tree that is small and slow and not the servers' own; and each reply must
// be, in all its fields, what the model says at its zxid. Real time is held
// against zxids: what was answered before something else was sent has the lower
// one. Watches and sessions are followed beside.
//
// [Linear] is the second opinion: it does not look at zxids, and lets porcupine
// search for an order that explains what the clients saw.
//
// # What is checked, and whether it was
//
// [Invariants] lists the rules with their names, and which half checks each, or
// why nobody does. A [Violation] names the rule it is about. A run that finds
// none proves only what it looked at, so both halves count how often they really
// evaluated each rule (Checked), and a run without any commit or reply is no
// success (H3).
//
// That the checkers see is proved by lies. [Tamperings] and [HistoryTamperings]
// take a run without a violation and change one thing: an acknowledgement comes
// before its sync, a delivery is missing, a read is older than it may be. Each
// must be flagged, and by the rule that it breaks.
//
// Everything here is pure: the same input gives the same answer, but for Linear,
// which measures its time.
package check
