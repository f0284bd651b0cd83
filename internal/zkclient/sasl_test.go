package zkclient

import (
	"bufio"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/sasl"
)

// newSASLFake is a server that wants a password, and then answers every read.
func newSASLFake(t *testing.T, users sasl.Users) *fake {
	return newFake(t, time.Minute, func(number int, in *bufio.Reader, out net.Conn) {
		d := sasl.NewDigest(users, [sasl.NonceBytes]byte{byte(number)})
		for {
			h, body, err := nextRequest(in)
			if err != nil {
				return
			}
			reply, code := proto.Record(&proto.DataReply{}), proto.OK
			if h.Op == proto.OpSASL {
				var req proto.SASLRequest
				if proto.Unmarshal(body, &req) != nil {
					return
				}
				token, err := d.Step(req.Token)
				if reply = (&proto.SASLReply{Token: token}); err != nil {
					code = proto.ErrAuthFailed
				}
			} else if user, ok := d.User(); !ok || user == "" {
				code = proto.ErrSessionClosedRequireSASL
			}
			_, _ = out.Write(proto.AppendReply(nil, proto.ReplyHeader{Xid: h.Xid, Err: code}, reply))
			if code != proto.OK {
				return
			}
		}
	})
}

func TestSASL_EveryConnectionBeginsWithTheProof(t *testing.T) {
	for user, password := range map[string]string{"bob": "bobsecret", `q"uo\te`: "p:a,s=s", "j\u00f6rg": "gr\u00fc\u00df", "\u65e5\u672c": "\u8a9e"} {
		f := newSASLFake(t, sasl.Users{user: password})
		c := dial(t, Config{Servers: f.addr, SASL: &SASL{user, password}})
		_, _, err := c.Get(testContext(t), "/x", false)
		require.NoError(t, err, user)
	}
}

func TestSASL_Refused(t *testing.T) {
	f := newSASLFake(t, sasl.Users{"bob": "bobsecret"})
	_, err := Dial(testContext(t), Config{Servers: f.addr, SASL: &SASL{"bob", "wrong"}})
	require.ErrorIs(t, err, proto.ErrAuthFailed)
	require.Equal(t, 1, f.accepted(), "the password will be as wrong again")
}

func TestSASL_ServerWithoutThePasswordIsNoServer(t *testing.T) {
	f := newFake(t, time.Minute, func(_ int, in *bufio.Reader, out net.Conn) {
		for _, token := range []string{`realm="zk-sasl-md5",nonce="n",algorithm=md5-sess`, "rspauth=0123456789abcdef0123456789abcdef"} {
			h, _, err := nextRequest(in)
			if err != nil {
				return
			}
			_, _ = out.Write(proto.AppendReply(nil, proto.ReplyHeader{Xid: h.Xid}, &proto.SASLReply{Token: []byte(token)}))
		}
	})
	_, err := Dial(testContext(t), Config{Servers: f.addr, SASL: &SASL{"bob", "bobsecret"}})
	require.ErrorIs(t, err, proto.ErrAuthFailed)
	require.ErrorContains(t, err, "does not know the password itself")
}

func FuzzSASLChallenge(f *testing.F) {
	f.Add(`realm="zk-sasl-md5",nonce="x",charset=utf-8,algorithm=md5-sess`)
	f.Add(`nonce="\"`)
	f.Add(`a,b=,=c,"`)
	f.Fuzz(func(_ *testing.T, challenge string) {
		_, _, _ = SASL{"u", "p"}.respond([]byte(challenge), "c")
	})
}
