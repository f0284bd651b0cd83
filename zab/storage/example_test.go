package storage_test

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// A log survives the crash of its machine up to the last Sync.
func Example() {
	disk := storage.NewMemFS()
	s, _, err := storage.Open(storage.Config{Dir: "data", FS: disk, Initialize: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	var last zab.Position
	write := func(data string) {
		z := ensemble.NewZxid(1, last.Zxid.Counter()+1)
		txn := zab.Txn{Zxid: z, Data: []byte(data), Chain: zab.NextChain(last.Chain, z, zab.Origin{}, []byte(data))}
		if err := s.Append([]zab.Txn{txn}, 0); err != nil {
			fmt.Println(err)
		}
		last = zab.Position{Zxid: txn.Zxid, Chain: txn.Chain}
	}
	write("one")
	write("two")
	if err := s.Sync(); err != nil {
		fmt.Println(err)
	}
	write("three")

	s, rec, err := storage.Open(storage.Config{Dir: "data", FS: disk.Crash(nil)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rec.Shape, rec.Epochs)
	txns, _ := s.Read(0, 1<<20)
	for _, txn := range txns {
		fmt.Printf("%s %s\n", txn.Zxid, txn.Data)
	}
	fmt.Println(s.Close())
	// Output:
	// 0x0 | 0x100000001-0x100000002 {1 1 false}
	// 0x100000001 one
	// 0x100000002 two
	// <nil>
}
