package zktest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/zktest"
)

// The paths of all these ephemerals are 35 MB, more than one transaction can
// have. The end of their session must not be the end of its server
// (ZOOKEEPER-4306), neither when it is applied nor when the log is read again.
func TestEnsemble_ClosesASessionOfVeryManyEphemerals(t *testing.T) {
	const n, perMulti = 100_000, 2500
	e, err := zktest.New(zktest.Config{Servers: 1, Logger: quiet})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	connect := func() *zk.Conn {
		c, _, err := zk.Connect(e.Addrs(), 30*time.Second, zk.WithLogger(silent{}))
		require.NoError(t, err)
		return c
	}
	c := connect()
	acl, prefix := zk.WorldACL(zk.PermAll), "/"+strings.Repeat("p", 340)
	_, err = c.Create("/stays", nil, 0, acl)
	require.NoError(t, err)
	for at := 0; at < n; at += perMulti {
		var ops []any
		for i := range perMulti {
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("%s-%06d", prefix, at+i), Flags: zk.FlagEphemeral, Acl: acl})
		}
		_, err = c.Multi(ops...)
		require.NoError(t, err)
	}
	last := fmt.Sprintf("%s-%06d", prefix, n-1)
	there, _, err := c.Exists(last)
	require.NoError(t, err)
	require.True(t, there)
	c.Close()

	gone := func() {
		other := connect()
		defer other.Close()
		children, _, err := other.Children("/")
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"stays", "zookeeper"}, children)
	}
	gone()
	require.NoError(t, e.Kill(1))
	require.NoError(t, e.Restart(1))
	require.NoError(t, e.WaitServing(t.Context()))
	gone()
}
