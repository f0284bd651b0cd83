package ports

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFault_HintsAtTheCause(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for addr, hint := range map[string]string{
		taken.Addr().String(): "is another server using the port?",
		"192.0.2.1:0":         "is that an address of this machine?", // RFC 5737: nobody's
	} {
		_, err := net.Listen("tcp", addr)
		require.Error(t, err)
		fault := Fault("clients", addr, err)
		assert.ErrorIs(t, fault, err)
		assert.Equal(t, "listen for clients on "+addr+": "+err.Error()+": "+hint, fault.Error())
	}
	assert.ErrorContains(t, Fault("x", "a:80", syscall.EACCES), "Those below 1024 are mostly root's")
	assert.EqualError(t, Fault("x", "a:80", syscall.EMFILE), "listen for x on a:80: "+syscall.EMFILE.Error())
}
