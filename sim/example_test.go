package sim_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/zab"
)

// A seed is a whole history of an ensemble: faults, clients, and what the
// checkers say of it.
func Example() {
	report, err := sim.Run(sim.Config{Seed: 7, Servers: 5, Time: 2 * time.Second})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Leaders > 0, report.Committed > 0, report.Violation == nil)
	// Output: true true true
}

// counter is a state machine of one's own: it adds up.
type counter uint64

func (c *counter) Apply(t zab.Txn) any             { *c += counter(t.Data[0]); return *c }
func (c *counter) Snapshot() (zab.Snapshot, error) { return count(*c), nil }
func (c *counter) Restore(r io.Reader) error       { return binary.Read(r, binary.BigEndian, (*uint64)(c)) }
func (c *counter) TreeDigest() (ensemble.Zxid, uint64) {
	return 0, uint64(*c)
}

// count is its state, captured.
type count uint64

func (c count) WriteTo(w io.Writer) (int64, error) {
	return 8, binary.Write(w, binary.BigEndian, uint64(c))
}
func (count) Release() {}

// The same world runs a state machine of one's own.
func ExampleConfig_machine() {
	report, err := sim.Run(sim.Config{
		Seed: 3, Time: 5 * time.Second,
		Machine: func(ensemble.ServerID) zab.StateMachine { return new(counter) },
		Request: func(choose func(n int) int) []byte { return []byte{byte(choose(10))} },
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Committed > 0, report.Violation == nil)
	// Output: true true
}

// What if the election preferred the highest sid, whatever its history? Some
// seed finds out, and says which rule it breaks.
func ExampleConfig_better() {
	for seed := uint64(1); ; seed++ {
		report, err := sim.Run(sim.Config{
			Seed: seed, Time: 10 * time.Second,
			Better: func(challenger, incumbent fle.Vote) bool { return challenger.Leader > incumbent.Leader },
		})
		if err != nil {
			panic(err)
		}
		if report.Violation != nil {
			fmt.Println("broken")
			return
		}
	}
	// Output: broken
}

// pairs is a quorum system in which any two servers are enough, of five too.
type pairs struct{}

func (pairs) HasQuorum(voters []ensemble.ServerID, acked func(ensemble.ServerID) bool) bool {
	n := 0
	for _, v := range voters {
		if acked(v) {
			n++
		}
	}
	return n >= 2
}

// What if two of five were a quorum? Two quorums that do not meet lose data.
func ExampleConfig_view() {
	view := func(members []ensemble.Member) (*ensemble.View, error) {
		v, err := ensemble.NewView(0, members)
		if err != nil {
			return nil, err
		}
		return v.WithQuorum(pairs{}), nil
	}
	report, err := sim.Run(sim.Config{Seed: 1, Servers: 5, Time: 10 * time.Second, View: view})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Violation != nil)
	// Output: true
}
