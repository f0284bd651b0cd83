// Package fle is ZooKeeper's fast leader election.
//
// Servers that know no leader are LOOKING. Each tells all voters which server
// it would have lead, at first itself, and goes over to a better candidate
// whenever it hears of one. The better one has the higher epoch, then the longer
// log, then the higher sid. Once a quorum votes alike the round is over: the
// candidate leads, the others follow. Servers that already follow or lead answer
// a LOOKING one with what they know, and so a latecomer finds its leader.
//
// # The parts
//
// [Ballot] is one server's part in this: a pure state machine. Its only method
// that changes anything is Step, which takes an [Input] and the time and adds to
// an [Effects] what is to be done: notifications to send, connections to ask
// for, a [Decision]. It decides everything, the answers to strangers and to old
// rounds too, so a simulation of ballots simulates all there is.
//
// [Messenger] is the world around a ballot: the goroutine WorkerSender encodes
// what was queued and hands it to a [Transport]; WorkerReceiver decodes what
// comes and hands it to the ballot's owner. What cannot be read is counted and
// logged now and then, and harms nobody.
//
// A round, from the owner's view:
//
//	Start{Zxid, Epoch, Unsure}     the server knows no leader
//	Receive, Tick, Reachable …     until Effects.Decide is not nil
//	Settled{Epoch}                 the leader is established and the server has its history
//	Receive …                      others are told about the leader
//	Start …                        the leader is lost
//
// # Rounds
//
// A round has a number, counted from the start of the process. Votes count in
// their round only. Who hears of a higher round forgets what it has counted and
// joins with its own vote or the better one that it heard; who is heard in a
// lower round is answered with the vote of this one. A server whose round number
// falls has restarted, and what it said before is forgotten.
//
// # Following a leader that is there already
//
// A LOOKING server keeps the last word of each voter that follows or leads. It
// joins a leader if a quorum agrees on leader and epoch, and the leader itself
// has said that it leads: otherwise a dead leader would be followed as long as
// its followers have not noticed. Rounds and zxids of such words may differ. A
// server that has joined a leader in its new epoch must therefore say so: that
// is Settled. Nobody comes to lead in this way, only by votes of its own round.
//
// # When a quorum is enough
//
// With a quorum the ballot still waits [DefaultFinalizeWait], because a better
// candidate may only be slow. It does not wait when no better news can come:
// when each voter has voted in this round, or the transport says that it cannot
// be reached. In the meantime it listens as before.
//
// # Unsure servers
//
// Safety rests on this: a transaction that was committed is on the disks of a
// quorum, any quorum that elects shares a server with that one, and that server
// votes only for a history at least as good as its own. A server that has lost
// its disk, or the tail of its log, breaks the argument: its vote says nothing
// about what it once acknowledged. It is unsure, and says so in its
// notifications.
//
// Votes of unsure servers do not count: it takes a quorum of sure ones. With
// one exception: if all voters (those with weight) have been heard in the round
// and all agree, sure or not, that decides. So a brand-new ensemble, all of whose disks are empty,
// needs no ceremony; and two wiped servers of three never elect one another
// while the third, which has the data, is away.
//
// An unsure server may be a candidate, and be elected by the votes of others,
// for what it claims to have it does have. But it claims less: an epoch vouches
// for the history before it, which the lost tail may have been part of. So the
// epoch in its vote is not its current epoch but that of its last transaction.
// Say e is that epoch, and t a committed transaction that a voter for it still
// has. If t is of an earlier epoch than e, it belongs to the history that the
// leader of e began with, and the candidate has it, since it has a transaction
// behind it and everything before that one. If t is of epoch e, then the
// candidate's log reaches as far as the voter's, and so to t. It cannot be of a
// later one, or the voter would not have preferred the candidate. The same holds
// where all voters agree: whatever of the committed history survives anywhere,
// the elected one has. With the current epoch in its place this fails:
// testdata/doubtful_tail.txt.
//
// To follow is not to vouch. Where the question is only whom to join, the words
// of servers that follow or lead count though they be unsure; an empty ensemble
// needs its last server to join before anybody becomes sure.
//
// A vote is no promise. Whoever establishes the leader (the discovery phase of
// ZAB) must ask the servers again, and apply the same rule there: the epoch
// acknowledgement of an unsure follower does not count, unless all voters have
// acknowledged. A server becomes sure when it has synchronized with that leader.
//
// A server whose last zxid is [ensemble.NoZxid] cannot even say what it has. It
// asks for an established leader and takes no part in the rest, as observers do.
//
// # Votes for the past
//
// A server may restart within a round, with less than it had, while others
// still vote for what it was. Only a candidate itself can say what it has: it
// never takes over a vote for itself, and leads only with exactly what it has on
// disk now. And when a candidate is heard to prefer a lesser vote than the one
// that others cast for it, those begin a new round, in which the old claim is
// not heard any more.
//
// # Unlike ZooKeeper
//
// The algorithm and its words are those of FastLeaderElection. What differs:
// the wait ends early; notifications that come during the wait are not thrown
// away; repeated notifications are at most [DefaultIntervalMax] apart, not a
// minute; the first vote of a voter in a round is answered, because this
// server's own may have reached it too early; a connection that is made or lost
// is taken notice of; a LOOKING server does not answer observers, which could
// not use it; unsure servers and votes for the past are treated as above; the
// round number does not fall when a server joins a leader of a lower round;
// words of the same round are compared by epoch too; a candidate of weight 0
// gives way to any with weight.
//
// # On the wire
//
// A notification is a msgpack array of nine elements:
//
//	version       1
//	state         0 LOOKING, 1 FOLLOWING, 2 LEADING, 3 OBSERVING
//	leader        sid, or -1 for nobody
//	zxid          0 or more, or -1 for none
//	round         0 to 2^62
//	peer epoch    0 to 2^31-1, or -1 for none
//	unsure        boolean
//	view version  0 or more
//	config        text of the view, UTF-8, at most 64 KiB; empty if it is longer
//
// A later version appends elements, up to 64, and changes nothing of these.
package fle
