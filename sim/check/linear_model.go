package check

import (
	"github.com/anishathalye/porcupine"

	"github.com/quorate/quorate/server/proto"
)

// register is a path as Linear sees it: a node with a version, or none.
type register struct {
	there   bool
	value   string
	version int32
	owner   int64 // session of an ephemeral
}

// valueOf makes a value of data; null is not empty.
func valueOf(data []byte) string {
	if data == nil {
		return ""
	}
	return "=" + string(data)
}

type registerKind uint8

const (
	readRegister registerKind = iota
	writeRegister
	closeRegister
)

// registerInput is an operation: a read with all that it saw, what a write did to
// the path, or the end of a session.
type registerInput struct {
	kind registerKind

	there      bool
	version    int32
	anyVersion bool // a list of children tells no version
	value      string
	hasValue   bool

	steps   []registerStep
	session int64
}

// registerStep is a part of a write, which succeeded.
type registerStep struct {
	op      proto.OpCode // create, delete, setData or check, and 0 for anything else
	value   string
	version int32 // expected; -1: any
	owner   int64
}

func stepOf(part proto.MultiOp, session int64) registerStep {
	if r, ok := createOf(part.Request); ok {
		if r.Flags != proto.FlagEphemeral || part.Op == proto.OpCreateContainer {
			session = 0
		}
		return registerStep{op: proto.OpCreate, value: valueOf(r.Data), owner: session}
	}
	switch r := part.Request.(type) {
	case *proto.PathVersionRequest:
		return registerStep{op: part.Op, version: r.Version}
	case *proto.SetDataRequest:
		return registerStep{op: part.Op, value: valueOf(r.Data), version: r.Version}
	}
	return registerStep{}
}

// apply does a step, and reports false if it could not have succeeded.
func (s register) apply(step registerStep) (register, bool) {
	switch step.op {
	case 0: // an ACL, which is not looked at
		return s, s.there
	case proto.OpCreate:
		return register{there: true, value: step.value, owner: step.owner}, !s.there
	}
	if !s.there || step.version != -1 && step.version != s.version {
		return s, false
	}
	switch step.op {
	case proto.OpDelete:
		s = register{}
	case proto.OpSetData:
		s.value, s.version = step.value, after(s.version)
	}
	return s, true
}

// registerModel is a path for porcupine.
var registerModel = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) {
		s, in := state.(register), input.(registerInput)
		switch in.kind {
		case closeRegister:
			if s.owner == in.session {
				s = register{}
			}
			return true, s
		case readRegister:
			return in.there == s.there && (!in.there || in.anyVersion || in.version == s.version) &&
				(!in.hasValue || in.value == s.value), s
		}
		for _, step := range in.steps {
			next, ok := s.apply(step)
			if !ok {
				return false, state
			}
			s = next
		}
		return true, s
	},
}
