// Package sim runs whole ensembles of the real code in a simulated world: one
// goroutine, virtual time, no socket, no disk. The same seed gives the same run,
// event for event ([Report].Hash).
//
//	report, err := sim.Run(sim.Config{Seed: 7, Servers: 5, Time: time.Minute})
//	if report.Violation != nil {
//		fmt.Println(report.Violation.Story())
//	}
//
// What runs is the code that runs in production: quorum.Peer with the election
// and the broadcast under it, storage.Store with its files, server.Server with
// sessions, znodes and watches. What is simulated is what lies around them, and
// the goroutines of package quorum, whose work is done here as events:
//
//   - links that fail as TCP's do: in order, nothing lost inside, the end lost
//     when they break; one end may hear of it and the other not; one direction or
//     one port may be silent alone; the mailboxes of the election, which keep the
//     newest vote only;
//   - disks with synced and pending content: a crash keeps a legal part of what
//     was not synced, sectors in any order; they are slow, stuck, full, fail,
//     are wiped, damaged, or go back to an older copy;
//   - clocks that jump, drift, and timers that are late;
//   - processes that are killed, lose power, in the middle of a write too, and
//     are stopped for a while;
//   - clients that pipeline, watch, move to other servers, lose answers, let
//     their sessions expire, and speak the protocol byte for byte.
//
// # Faults
//
// A seed chooses some families of [Faults] and how often they strike; every
// fifth has one family only and every tenth none. Half of the faults wait for an
// event of the protocol and come right behind it: the bugs of this field live in
// windows of a few events. Faults keep within what the protocol bears, so that
// no violation is excusable: at most one disk at a time may have lost what was
// durable, until its server has been synchronized again, and a disk goes back
// unnoticed only while nothing depends on what it loses.
//
// # Checks
//
// Every event goes through the checkers of package check: epochs, votes,
// durability, order, agreement, and after every change of a disk the question
// whether any quorum could now elect a leader that lacks something committed. At
// the end all is healed and everybody must get to work, to one history and to one
// state, once more after all have been killed; then every reply and watch event
// that clients got is compared with an independent model of the tree at its
// zxid. docs/testing.md has the table.
//
// # Experiments
//
// [Config] takes a state machine, a quorum system and an election order of one's
// own; see the examples. [ParseScript] reads scenarios written by hand;
// testdata has many, docs/scenarios.md the language. [Shrink] cuts a red run down
// to such a script. Package zktest has real ensembles for other people's tests.
//
// # Map
//
// world, schedule: time and events. host, disk, damage: a machine. proc, perform,
// apply, propose, shots, waiting: a process, what package quorum does. net, dial,
// link, receive: what is between. service, client, clientconn, workload, watchlist:
// clients. nemesis,
// faults, action: what goes wrong. finale: the end. script, stage, holds,
// tampering, condition, actor, recorder: scenarios. shrink, trace: for people.
package sim
