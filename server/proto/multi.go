package proto

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/internal/jute"
)

func encodeMultiHeader(e *jute.Encoder, op OpCode, done bool, code ErrCode) {
	e.Int(int32(op))
	e.Bool(done)
	e.Int(int32(code))
}

func decodeMultiHeader(d *jute.Decoder) (op OpCode, done bool, code ErrCode) {
	return OpCode(d.Int()), d.Bool(), ErrCode(d.Int())
}

// MultiOp is one operation of a multi. Request is of the type that
// [NewRequest] makes for Op.
type MultiOp struct {
	Op      OpCode
	Request Record
}

// MultiRequest is the record of multi and, with Reads, of multiRead.
type MultiRequest struct {
	Ops   []MultiOp
	Reads bool // not on the wire; set before Decode
}

// allowed reports whether a multi of the kind may contain the op.
func (r *MultiRequest) allowed(op OpCode) bool {
	switch op {
	case OpGetData, OpGetChildren:
		return r.Reads
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpCheck:
		return !r.Reads
	}
	return false
}

// Encode appends the record.
func (r *MultiRequest) Encode(e *jute.Encoder) {
	for _, op := range r.Ops {
		encodeMultiHeader(e, op.Op, false, -1)
		op.Request.Encode(e)
	}
	encodeMultiHeader(e, OpError, true, -1)
}

// Decode reads the record. It fails on an op that may not be in a multi of this
// kind, on a flag that no create or none without a time to live can have, and on
// a null ACL vector (spec client-protocol 1.7). In a multi the flags say which
// create it is: with the container's it is a createContainer, and a createTTL
// whose flags know no time to live is a create.
func (r *MultiRequest) Decode(d *jute.Decoder) {
	r.Ops = nil
	for d.Err() == nil {
		op, done, _ := decodeMultiHeader(d)
		if done || d.Err() != nil {
			return
		}
		if !r.allowed(op) {
			d.Fail(fmt.Errorf("operation %d: %s is not possible here", len(r.Ops)+1, op))
			return
		}
		req := NewRequest(op)
		req.Decode(d)
		made, err := multiCreate(MultiOp{op, req})
		if err != nil {
			d.Fail(fmt.Errorf("operation %d: %w", len(r.Ops)+1, err))
		}
		r.Ops = append(r.Ops, made)
	}
}

// multiCreate makes of a create what it is in a multi; other operations stay.
func multiCreate(op MultiOp) (MultiOp, error) {
	switch req := op.Request.(type) {
	case *CreateTTLRequest:
		if req.Flags != FlagTTL && req.Flags != FlagTTLSequential {
			op = MultiOp{OpCreate, &req.CreateRequest}
		}
		if req.Flags == FlagContainer {
			op.Op = OpCreateContainer
		}
	case *CreateRequest:
		switch {
		case req.Flags < FlagPersistent || req.Flags > FlagContainer:
			return op, fmt.Errorf("flags %d in a create without a time to live", req.Flags)
		case req.ACL == nil:
			return op, errors.New("null ACL")
		case req.Flags == FlagContainer:
			op.Op = OpCreateContainer
		}
	}
	return op, nil
}

// MultiResult is the outcome of one operation of a multi or multiRead. Type
// decides which fields are on the wire:
//
//	OpError                 Err
//	OpCreate                Path
//	OpCreate2               Path, Stat   (also for createContainer and createTTL)
//	OpSetData               Stat
//	OpDelete, OpCheck       nothing
//	OpGetData               Data, Stat
//	OpGetChildren           Children
type MultiResult struct {
	Type     OpCode
	Err      ErrCode
	Path     string
	Stat     Stat
	Data     []byte
	Children []string
}

// Encode appends the record.
func (r *MultiResult) Encode(e *jute.Encoder) {
	encodeMultiHeader(e, r.Type, false, r.Err)
	switch r.Type {
	case OpError:
		e.Int(int32(r.Err))
	case OpCreate:
		e.String(r.Path)
	case OpCreate2:
		e.String(r.Path)
		r.Stat.Encode(e)
	case OpSetData:
		r.Stat.Encode(e)
	case OpGetData:
		e.Buffer(r.Data)
		r.Stat.Encode(e)
	case OpGetChildren:
		e.Strings(r.Children)
	}
}

// MultiResponse is the reply to multi and multiRead.
type MultiResponse struct {
	Results []MultiResult
	// ResultsMax is how many results Decode takes, 0 for any number: a client knows
	// how many it has asked for. Not on the wire; set before Decode.
	ResultsMax int
}

// Encode appends the record.
func (r *MultiResponse) Encode(e *jute.Encoder) {
	for i := range r.Results {
		r.Results[i].Encode(e)
	}
	encodeMultiHeader(e, OpError, true, -1)
}

// Decode reads the record.
func (r *MultiResponse) Decode(d *jute.Decoder) {
	r.Results = nil
	for d.Err() == nil {
		op, done, code := decodeMultiHeader(d)
		if done || d.Err() != nil {
			return
		}
		if r.ResultsMax > 0 && len(r.Results) == r.ResultsMax {
			d.Fail(fmt.Errorf("more than %d results", r.ResultsMax))
			return
		}
		res := MultiResult{Type: op, Err: code}
		switch op {
		case OpError:
			res.Err = ErrCode(d.Int())
		case OpCreate:
			res.Path = d.String()
		case OpCreate2:
			res.Path = d.String()
			res.Stat.Decode(d)
		case OpSetData:
			res.Stat.Decode(d)
		case OpDelete, OpCheck:
		case OpGetData:
			res.Data = d.Buffer()
			res.Stat.Decode(d)
		case OpGetChildren:
			res.Children = d.Strings()
		default:
			d.Fail(fmt.Errorf("result %d: unknown type %d", len(r.Results)+1, int32(op)))
		}
		r.Results = append(r.Results, res)
	}
}
