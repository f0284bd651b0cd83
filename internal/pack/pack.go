// Package pack reads msgpack that a stranger may have written: every length is
// looked at before anything is allocated for it.
package pack

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// Array reads the length of an array that must have at least n elements and at
// most extraMax more, and returns how many more it has: later versions add
// fields at the end, which earlier ones skip.
func Array(d *msgpack.Decoder, n, extraMax int) (extra int, err error) {
	length, err := d.DecodeArrayLen()
	if err != nil {
		return 0, err
	}
	if length < n || length > n+extraMax {
		return 0, fmt.Errorf("array of %d elements, want %d", length, n)
	}
	return length - n, nil
}

// Skip skips n values.
func Skip(d *msgpack.Decoder, n int) error {
	for range n {
		if err := d.Skip(); err != nil {
			return err
		}
	}
	return nil
}

// String reads a string of at most bytesMax bytes, which must be UTF-8. Nil is
// the empty string.
func String(d *msgpack.Decoder, bytesMax int) (string, error) {
	n, err := d.DecodeBytesLen()
	if err != nil {
		return "", err
	}
	if n > bytesMax {
		return "", fmt.Errorf("string of %d bytes, at most %d are allowed", n, bytesMax)
	}
	if n <= 0 {
		return "", nil
	}
	b := make([]byte, n)
	if err := d.ReadFull(b); err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", errors.New("string is not UTF-8")
	}
	return string(b), nil
}
