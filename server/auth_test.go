package server

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/sasl"
	"github.com/quorate/quorate/server/sasl/sasltest"
)

func withSASL(cfg Config) Config {
	users := sasl.Users{"bob": "bobsecret", "root": "rootsecret"}
	cfg.SASL = &SASL{Users: func() sasl.Users { return users }}
	cfg.Policy.SASL, cfg.Policy.SASLSuperUsers = true, []string{"root"}
	return cfg
}

// saslToken sends a token and returns the answer to it.
func (c *rawClient) saslToken(xid int32, token []byte) (proto.ReplyHeader, []byte) {
	c.t.Helper()
	c.write(request(xid, proto.OpSASL, &proto.SASLRequest{Token: token}))
	h, body := c.reply()
	require.Equal(c.t, xid, h.Xid)
	require.Zero(c.t, h.Zxid)
	var reply proto.SASLReply
	require.NoError(c.t, proto.Unmarshal(body, &reply))
	require.Len(c.t, body, len(proto.Marshal(&reply)))
	return h, reply.Token
}

// login does a whole exchange.
func (c *rawClient) login(user, password string) (proto.ReplyHeader, []byte) {
	c.t.Helper()
	h, challenge := c.saslToken(100, []byte{})
	require.Equal(c.t, proto.OK, h.Err)
	response, proof := sasltest.Client{User: user, Password: password}.Respond(c.t, challenge)
	h, token := c.saslToken(101, response)
	if h.Err == proto.OK && token != nil {
		require.Equal(c.t, string(proof), string(token))
	}
	return h, token
}

func (c *rawClient) mustBeClosed() {
	c.t.Helper()
	_, err := c.frame()
	require.Error(c.t, err)
}

func TestAuth_SASLIsAnIdentity(t *testing.T) {
	e := newEnsemble(t, 1, withSASL(Config{}))
	ip := proto.ClientInfo{Scheme: "ip", User: "127.0.0.1"}
	bob := open(t, e.members[0].addr)
	h, _ := bob.login("bob", "bobsecret")
	require.Equal(t, proto.OK, h.Err)
	assert.Equal(t, []proto.ClientInfo{ip, {Scheme: "sasl", User: "bob"}}, whoAmI(bob))
	acl := []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "sasl", ID: "bob"}}}
	bob.mustDo(1, proto.OpCreate, &proto.CreateRequest{Path: "/his", ACL: acl}, &proto.PathReply{})
	bob.mustDo(2, proto.OpGetData, read("/his", false), &proto.DataReply{})

	root := open(t, e.members[0].addr)
	assert.Equal(t, proto.ErrNoAuth, root.do(2, proto.OpGetData, read("/his", false), nil).Err)
	root.login("root", "rootsecret")
	assert.Equal(t, []proto.ClientInfo{ip, {Scheme: "sasl", User: "root"}, {Scheme: "super"}}, whoAmI(root))
	root.mustDo(3, proto.OpGetData, read("/his", false), &proto.DataReply{})

	h, token := bob.saslToken(3, []byte{}) // once is enough, as Java has it
	assert.Equal(t, proto.ErrAuthFailed, h.Err)
	assert.Nil(t, token)
	bob.mustBeClosed()
}

func TestAuth_SASLFailures(t *testing.T) {
	for name, c := range map[string]struct {
		allow   bool
		enforce []string
		want    proto.ErrCode
	}{
		"as a rule":              {false, nil, proto.ErrAuthFailed},
		"mandatory":              {true, []string{"digest", "sasl"}, proto.ErrSessionClosedRequireSASL},
		"allowed":                {true, nil, proto.OK},
		"another is mandatory":   {false, []string{"digest"}, proto.ErrAuthFailed},
		"allowed, and mandatory": {true, []string{"sasl"}, proto.ErrSessionClosedRequireSASL},
	} {
		cfg := withSASL(Config{EnforceAuth: c.enforce})
		cfg.SASL.AllowFailed = c.allow
		e := newEnsemble(t, 1, cfg)
		client := open(t, e.members[0].addr)
		h, token := client.login("bob", "wrong")
		assert.Equal(t, c.want, h.Err, name)
		assert.Nil(t, token, name)
		assert.EqualValues(t, 1, e.members[0].s.stats.authFailed.Load(), name)
		if c.want != proto.OK {
			client.mustBeClosed()
			continue
		}
		assert.Len(t, whoAmI(client), 1, name)
		h, token = client.saslToken(3, []byte{})
		assert.Equal(t, proto.OK, h.Err, "there is no second try, and no harm")
		assert.Nil(t, token)
	}
}

func TestAuth_SASLThatIsNotConfigured(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	h, token := c.saslToken(1, []byte("\x60\x01"))
	assert.Equal(t, proto.OK, h.Err)
	assert.Nil(t, token)
	c.create(2, "/x", "", 0)
	c.write(request(3, proto.OpSASL, &proto.SASLRequest{}))
	c.mustBeClosed()
}

func TestAuth_AKerberosClientIsRefused(t *testing.T) {
	e := newEnsemble(t, 1, withSASL(Config{}))
	c := open(t, e.members[0].addr)
	h, token := c.saslToken(1, []byte("\x60\x82\x02\x10\x06\x09\x2a"))
	assert.Equal(t, proto.ErrAuthFailed, h.Err)
	assert.Nil(t, token)
	c.mustBeClosed()
}

// SASL tokens are answered in their turn, whatever is around them.
func TestAuth_SASLKeepsItsPlace(t *testing.T) {
	e := newEnsemble(t, 1, withSASL(Config{}))
	c := open(t, e.members[0].addr)
	h, challenge := c.saslToken(1, []byte{})
	require.Equal(t, proto.OK, h.Err)
	response, proof := sasltest.Client{User: "bob", Password: "bobsecret"}.Respond(t, challenge)
	release := e.hold()
	acl := []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}
	c.write(bytes.Join([][]byte{
		request(2, proto.OpCreate, createOf("/before", "", 0)),
		request(3, proto.OpSASL, &proto.SASLRequest{Token: response}),
		request(4, proto.OpCreate, &proto.CreateRequest{Path: "/behind", ACL: acl}),
	}, nil))
	release()
	c.expect(2, &proto.PathReply{})
	var reply proto.SASLReply
	c.expect(3, &reply)
	assert.Equal(t, string(proof), string(reply.Token))
	assert.Equal(t, proto.OK, c.expect(4, &proto.PathReply{}).Err, "the create has the identity")
}

func TestAuth_NobodyIsAnsweredWithoutAuthentication(t *testing.T) {
	e := newEnsemble(t, 1, withSASL(Config{EnforceAuth: []string{"sasl", "digest"}}))
	addr := e.members[0].addr
	for op, rec := range map[proto.OpCode]proto.Record{
		proto.OpCreate: createOf("/x", "", 0), proto.OpGetData: read("/", true), proto.OpPing: &proto.Empty{},
		proto.OpSetWatches: &proto.SetWatchesRequest{}, proto.OpSync: &proto.PathRequest{Path: "/"}, proto.OpWhoAmI: &proto.Empty{},
		proto.OpCloseSession: &proto.Empty{}, proto.OpMulti: &proto.MultiRequest{}, 999: &proto.Empty{},
	} {
		c := open(t, addr)
		c.write(append(request(7, op, rec), request(8, op, rec)...))
		h, body := c.reply()
		assert.Equal(t, proto.ReplyHeader{Xid: 7, Err: proto.ErrSessionClosedRequireSASL}, h, op.String())
		assert.Empty(t, body, op.String())
		c.mustBeClosed()
	}
	again := open(t, addr)
	again.login("bob", "bobsecret")
	again.create(1, "/bob", "", 0)

	c := open(t, addr) // all at once
	c.write(append(request(proto.XidAuth, proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte("a:b")}),
		request(1, proto.OpCreate, createOf("/a", "", 0))...))
	c.expect(proto.XidAuth, nil)
	assert.Equal(t, proto.OK, c.expect(1, &proto.PathReply{}).Err)
	c.mustDo(2, proto.OpCloseSession, &proto.Empty{}, nil)

	wrong := open(t, addr)
	assert.Equal(t, proto.ErrAuthFailed, wrong.do(proto.XidAuth, proto.OpAuth, &proto.AuthRequest{Scheme: "x509"}, nil).Err)
	wrong.mustBeClosed()
	assert.EqualValues(t, 0, e.members[0].s.inflight.Load(), "every request is accounted for")
}

func TestAuth_EnforcedAddressesAreEverybodys(t *testing.T) {
	e := newEnsemble(t, 1, Config{EnforceAuth: []string{"ip"}})
	open(t, e.members[0].addr).create(1, "/x", "", 0)
}

func TestAuth_EnforcedSchemesMustExist(t *testing.T) {
	for _, c := range []Config{
		{EnforceAuth: []string{"sasl"}}, {EnforceAuth: []string{"x509"}}, {EnforceAuth: []string{"world"}},
		{EnforceAuth: []string{"digest"}, Policy: Policy{NoDigest: true}},
	} {
		assert.ErrorContains(t, c.Validate(), "by which no client can authenticate")
	}
}

func TestAuth_EnsembleNames(t *testing.T) {
	ask := func(e *ensembleFake, name string) *rawClient {
		c := open(t, e.members[0].addr)
		c.write(request(proto.XidAuth, proto.OpAuth, &proto.AuthRequest{Scheme: "ensemble", Auth: []byte(name)}))
		return c
	}
	named := newEnsemble(t, 1, Config{EnsembleAuth: true, EnsembleNames: []string{"orders", "payments"}})
	for _, name := range []string{"", "orders", "payments"} {
		c := ask(named, name)
		assert.Equal(t, proto.OK, c.expect(proto.XidAuth, nil).Err)
		assert.Len(t, whoAmI(c), 1, "it is no identity")
	}
	ask(named, "other").mustBeClosed()
	m := named.members[0].s.metrics
	assert.Equal(t, []int64{2, 1, 1}, []int64{m.EnsembleAuthSuccess.Value(), m.EnsembleAuthFail.Value(), m.EnsembleAuthSkip.Value()})
	assert.Equal(t, proto.OK, ask(newEnsemble(t, 1, Config{EnsembleAuth: true}), "any").expect(proto.XidAuth, nil).Err)
	c := ask(newEnsemble(t, 1, Config{}), "orders")
	assert.Equal(t, proto.ErrAuthFailed, c.expect(proto.XidAuth, nil).Err, "the scheme does not exist")
	c.mustBeClosed()
}

// zeros is randomness that is none.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAuth_NoncesComeFromConfigRand(t *testing.T) {
	challenge := func(cfg Config) string {
		e := newEnsemble(t, 1, withSASL(cfg))
		_, token := open(t, e.members[0].addr).saslToken(1, []byte{})
		return string(token)
	}
	assert.Contains(t, challenge(Config{Rand: zeros{}}), `nonce="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`)
	assert.NotEqual(t, challenge(Config{}), challenge(Config{}))
}
