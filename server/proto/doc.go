// Package proto is the client protocol's vocabulary and records, bytes to Go
// values and back: op codes, error codes, headers, requests, replies, watch
// events, and the transaction records that ZooKeeper writes to its log. It
// knows layouts and nothing of what they do.
//
// Every record has the methods of [Record]. [Unmarshal] decodes one from the
// bytes that hold it and [Marshal] encodes one:
//
//	var h proto.RequestHeader
//	body, err := proto.UnmarshalHeader(frame, &h)
//	rec, err := proto.DecodeRequest(h.Op, body)
//
// Frames (the length in front of a record) are the connection's business. See
// [AppendReply] and [AppendEvent] for complete outgoing frames.
//
// # Null and empty
//
// A null buffer is a nil slice and an empty one is not nil, both ways. The same
// goes for vectors. A ustring is never null, except in an ACL, where
// [ACL.Malformed] remembers it because the answer to it has a code of its own.
//
// # Ownership
//
// Decoded strings are copies. Decoded buffers share the bytes they were
// decoded from.
//
// # Transactions
//
// A transaction is a [TxnHeader] followed by a record whose type the header
// names, as in ZooKeeper's log (without the digest that may follow there).
// [DecodeTxn] and [AppendTxn] convert both at once. A failed request is an
// [ErrorTxn]. A multi is a [MultiTxn] whose parts are transactions again.
package proto
