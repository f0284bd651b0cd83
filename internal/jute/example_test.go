package jute_test

import (
	"fmt"

	"github.com/quorate/quorate/internal/jute"
)

func Example() {
	var e jute.Encoder
	e.String("/a")
	e.Int(-1)
	fmt.Printf("%x\n", e.Bytes())

	d := jute.NewDecoder(e.Bytes()[:7])
	fmt.Println(d.String(), d.Int(), d.Err())
	// Output:
	// 000000022f61ffffffff
	// /a 0 jute: input ends inside a value: want 4 bytes at offset 6 of 7
}
