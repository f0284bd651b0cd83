package cli

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/server/proto"
)

// full is a node with all that clients can know of it.
type full struct {
	node
	data []byte
	acl  []proto.ACL // nil if it was not asked for
	gone bool        // deleted while it was read
}

// read takes one node: its children, its data and, if wanted, its ACL, each as it is at
// that moment.
func read(ctx context.Context, c *zkclient.Client, path string, acl bool) (full, error) {
	f := full{node: node{path: path}}
	var err error
	if f.data, f.stat, err = c.Get(ctx, path, false); err == nil {
		if f.children, _, err = c.Children(ctx, path, false); err == nil && acl {
			f.acl, _, err = c.ACL(ctx, path)
		}
	}
	if zkclient.Code(err) == noNode {
		f.gone, err = true, nil
	}
	slices.Sort(f.children)
	return f, err
}

// catchUp syncs, so that what is read is not older than the command. A server without
// a quorum cannot, and is read as it is.
func catchUp(ctx context.Context, c *zkclient.Client, path string) error {
	if err := c.Sync(ctx, path); zkclient.Code(err) != proto.ErrNotReadOnly {
		return err
	}
	return nil
}

// sameData tells null from empty, as servers do.
func sameData(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func sameACL(a, b []proto.ACL) bool { return slices.Equal(a, b) }

// masked says that a server has put x in the place of a digest, as it does for those
// who may not administer the node (spec client-protocol 5). No digest is that short.
func masked(acl []proto.ACL) bool {
	return slices.ContainsFunc(acl, func(e proto.ACL) bool { return e.ID.Scheme == "digest" && strings.HasSuffix(e.ID.ID, ":x") })
}

// levelMax is how many nodes with their data are in memory at a time: each has up to a
// megabyte.
const levelMax = 256
