package znode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// Scheme auth stands for all identities of a connection, in each part of a multi
// anew: a request of 100 KB must not become a transaction of 100 MB.
func TestMulti_ListsHaveALimitTogether(t *testing.T) {
	w := newWorld(t)
	var ids []proto.ID
	for i := range 60 {
		ids = append(ids, proto.ID{Scheme: SchemeDigest, ID: fmt.Sprintf("%s%d:x", strings.Repeat("u", 1000), i)})
	}
	creates := func(n int) *proto.MultiRequest {
		m := &proto.MultiRequest{}
		for i := range n {
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCreate2, Request: &proto.CreateRequest{
				Path: fmt.Sprintf("/n%d", i), ACL: []proto.ACL{{Perms: 31, ID: proto.ID{Scheme: SchemeAuth}}}}})
		}
		return m
	}
	res := w.do(alice, proto.OpMulti, creates(1000), ids...)
	require.Len(t, res.Multi, 1000)
	refused := 0
	for _, r := range res.Multi {
		if r.Err == proto.ErrInvalidACL {
			refused++
		}
	}
	assert.Equal(t, 1, refused)
	_, there := w.tree.Node("/n0")
	assert.False(t, there, "all or nothing")
	res = w.do(alice, proto.OpMulti, creates(50), ids...)
	assert.Equal(t, proto.OpCreate2, res.Multi[49].Type)
}
