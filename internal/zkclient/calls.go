package zkclient

import (
	"context"
	"fmt"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// at makes a request on one path.
func (c *Client) at(ctx context.Context, op proto.OpCode, path string, req func(full string) proto.Record, rep proto.Record, onReply func(full string, code proto.ErrCode)) error {
	full, err := c.full(path)
	if err != nil {
		return &Error{Op: op, Path: path, Err: fmt.Errorf("%w: %w", proto.ErrBadArguments, err)}
	}
	var hook func(proto.ErrCode)
	if onReply != nil {
		hook = func(code proto.ErrCode) { onReply(full, code) }
	}
	return c.call(ctx, op, path, req(full), rep, hook)
}

// arms returns a hook that remembers a watch, if one was asked for and is armed.
func (c *Client) arms(watch bool, k kind) func(string, proto.ErrCode) {
	if !watch {
		return nil
	}
	return func(full string, code proto.ErrCode) {
		if code == proto.OK {
			c.watches.add(k, full)
		}
	}
}

func pathWatch(watch bool) func(string) proto.Record {
	return func(full string) proto.Record { return &proto.PathWatchRequest{Path: full, Watch: watch} }
}

func pathOnly(full string) proto.Record { return &proto.PathRequest{Path: full} }

// Get returns a node's data, nil if it is null, and arms a one-shot watch for
// changes of the data if watch is set.
func (c *Client) Get(ctx context.Context, path string, watch bool) ([]byte, proto.Stat, error) {
	var rep proto.DataReply
	err := c.at(ctx, proto.OpGetData, path, pathWatch(watch), &rep, c.arms(watch, watchData))
	return rep.Data, rep.Stat, err
}

// Exists returns a node's stat, or an error that is proto.ErrNoNode. A watch is armed
// in both cases.
func (c *Client) Exists(ctx context.Context, path string, watch bool) (proto.Stat, error) {
	var rep proto.StatReply
	var hook func(string, proto.ErrCode)
	if watch {
		hook = func(full string, code proto.ErrCode) {
			switch code {
			case proto.OK:
				c.watches.add(watchData, full)
			case proto.ErrNoNode:
				c.watches.add(watchExist, full)
			}
		}
	}
	err := c.at(ctx, proto.OpExists, path, pathWatch(watch), &rep, hook)
	return rep.Stat, err
}

// Children returns the names of a node's children, in no order.
func (c *Client) Children(ctx context.Context, path string, watch bool) ([]string, proto.Stat, error) {
	var rep proto.Children2Reply
	err := c.at(ctx, proto.OpGetChildren2, path, pathWatch(watch), &rep, c.arms(watch, watchChild))
	return rep.Children, rep.Stat, err
}

// Create is what a node begins with. The zero value is an ordinary node that is
// open to all.
type Create struct {
	ACL        []proto.ACL // world:anyone with all permissions if nil
	Ephemeral  bool
	Sequential bool
	Container  bool
	TTLMillis  int64 // 0: none
}

// request returns the op and the record of a create. Containers and TTLs have ops of
// their own (spec client-protocol 1.4).
func (o Create) request(path string, data []byte) (proto.OpCode, proto.Record) {
	r := proto.CreateRequest{Path: path, Data: data, ACL: o.ACL}
	if r.ACL == nil {
		r.ACL = proto.OpenACL
	}
	switch {
	case o.Container:
		r.Flags = proto.FlagContainer
		return proto.OpCreateContainer, &r
	case o.TTLMillis != 0:
		if r.Flags = proto.FlagTTL; o.Sequential {
			r.Flags = proto.FlagTTLSequential
		}
		return proto.OpCreateTTL, &proto.CreateTTLRequest{CreateRequest: r, TTLMillis: o.TTLMillis}
	}
	if o.Ephemeral {
		r.Flags |= proto.FlagEphemeral
	}
	if o.Sequential {
		r.Flags |= proto.FlagSequential
	}
	return proto.OpCreate2, &r
}

// Create makes a node and returns its path, which has more digits than path if it is
// sequential.
func (c *Client) Create(ctx context.Context, path string, data []byte, o Create) (string, proto.Stat, error) {
	var rep proto.Create2Reply
	op, _ := o.request(path, nil)
	err := c.at(ctx, op, path, func(full string) proto.Record { _, r := o.request(full, data); return r }, &rep, nil)
	if err != nil {
		return "", proto.Stat{}, err
	}
	return c.strip(rep.Path), rep.Stat, nil
}

// Set changes a node's data. Version -1 means any.
func (c *Client) Set(ctx context.Context, path string, data []byte, version int32) (proto.Stat, error) {
	var rep proto.StatReply
	err := c.at(ctx, proto.OpSetData, path, func(full string) proto.Record {
		return &proto.SetDataRequest{Path: full, Data: data, Version: version}
	}, &rep, nil)
	return rep.Stat, err
}

// Delete removes a node. Version -1 means any.
func (c *Client) Delete(ctx context.Context, path string, version int32) error {
	return c.at(ctx, proto.OpDelete, path, func(full string) proto.Record {
		return &proto.PathVersionRequest{Path: full, Version: version}
	}, &proto.Empty{}, nil)
}

// ACL returns a node's access control list.
func (c *Client) ACL(ctx context.Context, path string) ([]proto.ACL, proto.Stat, error) {
	var rep proto.ACLReply
	err := c.at(ctx, proto.OpGetACL, path, pathOnly, &rep, nil)
	return rep.ACL, rep.Stat, err
}

// SetACL changes a node's access control list. Version is compared with the node's
// aversion; -1 means any.
func (c *Client) SetACL(ctx context.Context, path string, acl []proto.ACL, version int32) (proto.Stat, error) {
	var rep proto.StatReply
	err := c.at(ctx, proto.OpSetACL, path, func(full string) proto.Record {
		return &proto.SetACLRequest{Path: full, ACL: acl, Version: version}
	}, &rep, nil)
	return rep.Stat, err
}

// Sync returns when the server has caught up with its leader.
func (c *Client) Sync(ctx context.Context, path string) error {
	return c.at(ctx, proto.OpSync, path, pathOnly, &proto.PathReply{}, nil)
}

// AllChildrenNumber returns how many nodes are below a node.
func (c *Client) AllChildrenNumber(ctx context.Context, path string) (int, error) {
	var rep proto.IntReply
	err := c.at(ctx, proto.OpGetAllChildrenNumber, path, pathOnly, &rep, nil)
	return int(rep.Value), err
}

// Ephemerals returns the paths of this session's ephemeral nodes that begin with
// prefix, or all if it is "/".
func (c *Client) Ephemerals(ctx context.Context, prefix string) ([]string, error) {
	var rep proto.StringsReply
	err := c.at(ctx, proto.OpGetEphemerals, prefix, func(full string) proto.Record {
		return &proto.GetEphemeralsRequest{PrefixPath: full}
	}, &rep, nil)
	list := []string{}
	for _, p := range rep.Strings {
		// The server compares letters: to it /ab begins with the chroot /a.
		if p == c.chroot || strings.HasPrefix(p, c.chroot+"/") {
			list = append(list, c.strip(p))
		}
	}
	return list, err
}

// WhoAmI returns the identities of the connection.
func (c *Client) WhoAmI(ctx context.Context) ([]proto.ClientInfo, error) {
	var rep proto.WhoAmIReply
	err := c.call(ctx, proto.OpWhoAmI, "", &proto.Empty{}, &rep, nil)
	return rep.Clients, err
}

// AddAuth gives an identity, now and on every later connection.
func (c *Client) AddAuth(ctx context.Context, scheme string, data []byte) error {
	return c.call(ctx, proto.OpAuth, "", &proto.AuthRequest{Scheme: scheme, Auth: data}, &proto.Empty{}, func(code proto.ErrCode) {
		if code == proto.OK {
			c.auths = append(c.auths, Auth{scheme, data})
		}
	})
}

// configNode is the node of the ensemble's configuration, whatever the chroot.
const configNode = "/zookeeper/config"

// EnsembleConfig returns the ensemble's configuration.
func (c *Client) EnsembleConfig(ctx context.Context, watch bool) ([]byte, proto.Stat, error) {
	var rep proto.DataReply
	arm := c.arms(watch, watchData)
	var hook func(proto.ErrCode)
	if arm != nil {
		hook = func(code proto.ErrCode) { arm(configNode, code) }
	}
	err := c.call(ctx, proto.OpGetData, configNode, &proto.PathWatchRequest{Path: configNode, Watch: watch}, &rep, hook)
	return rep.Data, rep.Stat, err
}

// Reconfig changes who the servers are, and returns the new configuration. Joining
// and leaving are for a change of the present one, members is a whole new one, each
// with commas between its parts. ConfigID is the version of the present one, or -1
// for any.
func (c *Client) Reconfig(ctx context.Context, joining, leaving, members string, configID int64) ([]byte, proto.Stat, error) {
	var rep proto.DataReply
	err := c.call(ctx, proto.OpReconfig, "", &proto.ReconfigRequest{Joining: joining, Leaving: leaving, NewMembers: members, ConfigID: configID}, &rep, nil)
	return rep.Data, rep.Stat, err
}
