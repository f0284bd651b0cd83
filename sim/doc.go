// Package sim runs whole ensembles of the real protocol code in a simulated
// world: one goroutine, virtual time, no socket and no disk. The same seed gives
// the same run, event for event ([Report].Hash).
//
//	report, err := sim.Run(sim.Config{Seed: 7, Servers: 5, Time: time.Minute})
//
// What runs is quorum.Peer, with the election and the broadcast under it, the
// very code that package quorum runs on TCP and files. What is simulated:
//
//   - links that break as TCP's do: in order, nothing lost inside, the end lost
//     when they are cut; both ends hear of it at different times;
//   - election messages that are delayed and lost; pairs of servers that do not
//     reach each other, in one direction or both;
//   - disks that do one thing at a time, slowly; a crash keeps what was done and a
//     part of what was not; disks that are wiped, one at a time, because two at
//     once may be more than an ensemble can lose;
//   - servers that crash and start again, leaders more often than others.
//
// Checked at every step: one established leader per epoch; an established leader
// has everything that was ever committed; what is committed is on the disks of a
// quorum, and is the same everywhere, in the same order; no server stops because
// histories contradict each other. At the end everything is healed, and all must
// get to one history within a bound: a cluster that refuses everything is safe
// and useless.
package sim
