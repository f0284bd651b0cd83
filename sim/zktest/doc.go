// Package zktest gives Go tests a real ensemble to talk to, and to break.
//
//	func TestMyLock(t *testing.T) {
//		e := zktest.Start(t, 3)
//		c, _, err := zk.Connect(e.Addrs(), 4*time.Second) // any ZooKeeper client
//		…
//		e.Kill(e.Leader())
//		// does the lock still have one holder?
//	}
//
// [Start] runs servers of packages quorum and server inside the test's process,
// on ports of 127.0.0.1 that the kernel chooses, with disks in memory. It takes a
// few milliseconds, all servers serve when it returns, and they are gone
// when the test ends. Tests may run in parallel, each with ensembles of its own.
// [New] is the same for programs that are no tests.
//
// # What can be done to it
//
//	Kill, Restart   the end of a process and of its machine: connections end, and the
//	                disk in memory forgets what was not synced. Restart begins with
//	                what the disk has. Several ids at once die at one instant.
//	Wipe            a killed server loses its whole disk.
//	Pause, Resume   SIGSTOP and SIGCONT: the server reads and writes no byte, its disk
//	                and its protocol stand still, its connections stay open, and
//	                others may connect and get no answer. Then it goes on as if
//	                no time had passed, in the middle of whatever it did.
//	Partition       servers of different groups do not reach one another;
//	Isolate         one server reaches no other;
//	Stall           one server does not reach another, the other way is open;
//	Heal            ends all three.
//	CutClients      the client connections of a server are reset, once.
//
// Partitions are those of a TCP network that drops packets. Nothing is lost inside
// a stream: bytes wait, and so does the news that the other end has closed;
// dials hang. After Heal the streams that nobody has given up go on.
//
// So servers notice a partition as they notice a pause, by silence: a leader and its
// followers after 5 ticks. With the TickTime of 500 ms that [Config] has unless told
// otherwise, a new leader takes over after some 3 s; with 100 ms after half a
// second, and then a machine that is busy with other tests may have elections that
// nobody asked for. A kill is noticed at once, whatever the TickTime.
//
// A partition is between servers: clients reach all of them, which is how a test sees
// what a minority answers. The ports of a server that is killed stay ours, so that it
// can have them again: a client that connects is reset at once, where the kernel
// would have refused it.
//
// What one process cannot do: stop a goroutine that computes (a paused server may
// still notice the time, but tells nobody), or give a server a clock of its own.
// For that, and for the same run twice, there is package sim.
//
// # Waiting
//
// [Ensemble.Leader] is the server that a majority follows and reaches, not one that
// only believes it leads: 0 as soon as that one is killed, paused or isolated, until
// there is another. [Ensemble.WaitLeader] and [Ensemble.WaitServing] wait for the
// leader, and for servers to serve under it. Fault methods do not wait for the
// servers to notice; Restart does not wait until the server serves.
//
// # Misuse
//
// Each method that can be misused returns an error. Of an ensemble that belongs to a
// test, misuse (an id that does not exist, Restart of a server that runs) also ends
// the test by Fatalf, with a sentence: so tests need not look at these errors, and
// must call the methods from the goroutine that runs the test. A server that ends by
// itself, because of its disk or its history, fails the test when it ends.
package zktest
