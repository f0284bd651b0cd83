package zkclient

import (
	"context"
	"fmt"

	"github.com/quorate/quorate/server/proto"
)

// Op is one operation of a Multi or a MultiRead.
type Op struct {
	op   proto.OpCode
	path string
	make func(full string) proto.Record
}

// CreateOp creates a node.
func CreateOp(path string, data []byte, o Create) Op {
	op, _ := o.request(path, nil)
	return Op{op, path, func(full string) proto.Record { _, r := o.request(full, data); return r }}
}

// SetOp changes data. Version -1 means any.
func SetOp(path string, data []byte, version int32) Op {
	return Op{proto.OpSetData, path, func(full string) proto.Record {
		return &proto.SetDataRequest{Path: full, Data: data, Version: version}
	}}
}

// DeleteOp removes a node. Version -1 means any.
func DeleteOp(path string, version int32) Op {
	return Op{proto.OpDelete, path, func(full string) proto.Record {
		return &proto.PathVersionRequest{Path: full, Version: version}
	}}
}

// CheckOp fails unless the node has the version.
func CheckOp(path string, version int32) Op {
	return Op{proto.OpCheck, path, func(full string) proto.Record {
		return &proto.PathVersionRequest{Path: full, Version: version}
	}}
}

// GetOp reads data, in a MultiRead.
func GetOp(path string) Op { return Op{proto.OpGetData, path, pathWatch(false)} }

// ChildrenOp reads the names of the children, in a MultiRead.
func ChildrenOp(path string) Op { return Op{proto.OpGetChildren, path, pathWatch(false)} }

// Multi carries all operations out, or none. If one fails, the error is its own, as
// an [Error], and the results have the code of each.
func (c *Client) Multi(ctx context.Context, ops ...Op) ([]proto.MultiResult, error) {
	results, err := c.multi(ctx, proto.OpMulti, ops)
	if err != nil {
		return results, err
	}
	for i, r := range results {
		if r.Type == proto.OpError && r.Err != proto.OK && r.Err != proto.ErrRuntimeInconsistency {
			return results, &Error{Op: ops[i].op, Path: ops[i].path, Err: r.Err}
		}
	}
	for i, r := range results { // none of its own: the whole was turned down
		if r.Type == proto.OpError {
			return results, &Error{Op: ops[i].op, Path: ops[i].path, Err: max(r.Err, proto.ErrRuntimeInconsistency)}
		}
	}
	return results, nil
}

// MultiRead carries out reads. Each has its own result, which may be an error.
func (c *Client) MultiRead(ctx context.Context, ops ...Op) ([]proto.MultiResult, error) {
	return c.multi(ctx, proto.OpMultiRead, ops)
}

func (c *Client) multi(ctx context.Context, op proto.OpCode, ops []Op) ([]proto.MultiResult, error) {
	req := proto.MultiRequest{Reads: op == proto.OpMultiRead}
	for _, o := range ops {
		full, err := c.full(o.path)
		if err != nil {
			return nil, &Error{Op: o.op, Path: o.path, Err: fmt.Errorf("%w: %w", proto.ErrBadArguments, err)}
		}
		req.Ops = append(req.Ops, proto.MultiOp{Op: o.op, Request: o.make(full)})
	}
	rep := proto.MultiResponse{ResultsMax: len(ops)}
	if err := c.call(ctx, op, "", &req, &rep, nil); err != nil {
		return nil, err
	}
	if len(rep.Results) != len(ops) {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: %d results of %d operations", ErrProtocol, len(rep.Results), len(ops))}
	}
	for i := range rep.Results {
		rep.Results[i].Path = c.strip(rep.Results[i].Path)
	}
	return rep.Results, nil
}
