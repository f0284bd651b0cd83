// Package jute is ZooKeeper's primitive encoding: big-endian integers and
// length-prefixed strings, buffers and vectors, in the order of a record's
// fields, without tags, padding or record lengths.
//
//	byte, boolean     1 byte; a reader takes any non-zero byte for true
//	int, long         4 and 8 bytes, two's complement, big-endian
//	buffer, ustring   int n, then n bytes; n = -1 is null
//	vector            int n, then n elements; n = -1 is null
//
// A null buffer and an empty one are different values, and so are a null vector
// and an empty one. In Go the null one is nil.
//
// [Encoder] appends to a byte slice. [Decoder] reads from one and remembers the
// first thing that was wrong, so that a record is decoded field by field
// without a check behind each field and one look at [Decoder.Err] at the end.
// After an error every read yields zero values.
//
// Neither allocates more than a small multiple of the input, whatever lengths
// the input claims.
package jute
