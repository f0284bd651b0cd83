// Package cluster runs ensembles of real server processes on loopback, for
// black-box tests and benchmarks: it writes their zoo.cfg and myid files,
// starts, kills, freezes and restarts the processes, asks them four-letter
// words and keeps their logs.
//
// A cluster is of Quorate servers or of Apache ZooKeeper's, which take the same
// files. So a test can be tried on the original, and both can be measured in
// one run.
//
// Ports are chosen below the system's ephemeral range, where no outgoing
// connection can take one while its server is down. Every process that a
// cluster started is ended by Close, each by its own pid; on Linux the kernel
// ends them too if the test process dies.
package cluster
