package server

import (
	"errors"
	"io"
	"log/slog"
	"slices"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/sasl"
	"github.com/quorate/quorate/server/znode"
)

// SASL says how clients may authenticate by SASL, mechanism DIGEST-MD5.
type SASL struct {
	// Users returns those who may, with their passwords; the map is not changed
	// any more. Any goroutine calls it, at the beginning of each exchange.
	Users func() sasl.Users
	// AllowFailed lets a client stay that has failed, without the identity; zoo.cfg
	// allowSaslFailedClients. It has no effect where Config.EnforceAuth names sasl.
	AllowFailed bool
}

// Encrypted says that the connection's bytes come through TLS, and what the
// subject of the certificate is with which the client has proved who it is, as
// package x500 prints it; empty means that the client has none. It must be called
// before the first Receive.
func (c *Conn) Encrypted(subject string) {
	c.mu.Lock()
	c.encrypted = true
	c.mu.Unlock()
	// A certificate without a subject names nobody: all of those would be one.
	if p := &c.s.cfg.Policy; p.X509 && subject != "" {
		if !c.addIDs(p.X509IDs(subject)) {
			c.s.complain(slog.LevelWarn, "the subject of a client's certificate is too long to be an identity", "remote", c.remote, "bytes", len(subject))
		}
	}
}

// admitted reports whether a request of this kind may be answered: anything if
// nobody has to authenticate or the client has, else only what authenticates (spec
// client-protocol 1.6). c.mu is held, or the caller is Serve.
func (c *Conn) admitted(op proto.OpCode) bool {
	schemes := c.s.cfg.EnforceAuth
	if len(schemes) == 0 || op == proto.OpAuth || op == proto.OpSASL {
		return true
	}
	return slices.ContainsFunc(c.ids, func(id proto.ID) bool { return slices.Contains(schemes, id.Scheme) })
}

// turnAway answers a request that is not admitted and closes the connection. The
// session lives on until it expires.
func (c *Conn) turnAway(in incoming, h proto.RequestHeader) {
	c.s.complain(slog.LevelWarn, "closing a connection that has not authenticated", "remote", c.remote, "want", c.s.cfg.EnforceAuth, "op", h.Op)
	c.answer(in, proto.ReplyHeader{Xid: h.Xid, Err: proto.ErrSessionClosedRequireSASL}, last, nil)
}

// auth adds identities to the connection. The answer keeps its place among the
// others: kazoo takes whatever comes at that place for it.
func (c *Conn) auth(in incoming, h proto.RequestHeader) {
	var req proto.AuthRequest
	if err := proto.Unmarshal(in.frame[requestHeaderBytes:], &req); err != nil {
		c.misbehaved("auth: " + err.Error())
		c.drop(in, 0)
		c.finish("auth: " + err.Error())
		return
	}
	if req.Scheme == schemeEnsemble && c.s.cfg.EnsembleAuth {
		c.ensemble(in, h, string(req.Auth))
		return
	}
	ids, code := c.s.cfg.Policy.Authenticate(req.Scheme, req.Auth, c.remote.Addr())
	if code == proto.OK && !c.addIDs(ids) {
		code = proto.ErrAuthFailed
	}
	head := proto.ReplyHeader{Xid: h.Xid, Err: code}
	how := answerKind(0)
	if code != proto.OK {
		how = last
		c.s.stats.authFailed.Add(1)
		c.s.complain(slog.LevelWarn, "authentication failed; closing the connection", "remote", c.remote, "scheme", clip(req.Scheme), "err", code)
	}
	c.answer(in, head, how, nil)
}

// clip shortens what a client sent for a line of the log.
func clip(s string) string {
	const bytesMax = 100
	if len(s) <= bytesMax {
		return s
	}
	return s[:bytesMax] + "…"
}

// schemeEnsemble is no identity: the client says the name of the ensemble that it
// wants to talk to.
const schemeEnsemble = "ensemble"

// ensemble lets a client go on that is right here, or does not care. Any other is
// left without an answer: that one would be the end of the session, and another
// server may be the right one.
func (c *Conn) ensemble(in incoming, h proto.RequestHeader, name string) {
	names, m := c.s.cfg.EnsembleNames, c.s.metrics
	switch {
	case name == "" || names == nil:
		m.EnsembleAuthSkip.Inc()
	case slices.Contains(names, name):
		m.EnsembleAuthSuccess.Inc()
	default:
		m.EnsembleAuthFail.Inc()
		c.s.complain(slog.LevelWarn, "closing a connection that was meant for another ensemble; see ensembleAuthName", "remote", c.remote, "wants", clip(name), "is", names)
		c.drop(in, 0)
		c.finish("another ensemble was wanted")
		return
	}
	c.answer(in, proto.ReplyHeader{Xid: h.Xid}, 0, nil)
}

// sasl takes the next token of an exchange. Like auth it answers in its turn.
func (c *Conn) sasl(in incoming, h proto.RequestHeader) {
	var req proto.SASLRequest
	err := proto.Unmarshal(in.frame[requestHeaderBytes:], &req)
	if err == nil && req.Token == nil {
		err = errors.New("the token is null")
	}
	if err != nil {
		c.drop(in, 0)
		c.finish("sasl: " + err.Error())
		return
	}
	head := proto.ReplyHeader{Xid: h.Xid}
	if c.s.cfg.SASL == nil { // as ZooKeeper does
		c.answer(in, head, 0, &proto.SASLReply{})
		return
	}
	token, err := c.exchange(req.Token)
	if err == nil {
		c.answer(in, head, 0, &proto.SASLReply{Token: token})
		return
	}
	c.s.stats.authFailed.Add(1)
	mandatory := slices.Contains(c.s.cfg.EnforceAuth, znode.SchemeSASL)
	stays := c.s.cfg.SASL.AllowFailed && !mandatory
	c.s.complain(slog.LevelWarn, "SASL authentication failed", "remote", c.remote, "err", err, "stays", stays)
	how := answerKind(0)
	switch {
	case stays:
	case mandatory:
		head.Err, how = proto.ErrSessionClosedRequireSASL, last
	default:
		head.Err, how = proto.ErrAuthFailed, last
	}
	c.answer(in, head, how, &proto.SASLReply{})
}

// exchange takes a token and returns the answer to it.
func (c *Conn) exchange(token []byte) (answer []byte, err error) {
	if c.digest == nil {
		var nonce [sasl.NonceBytes]byte
		if _, err := io.ReadFull(c.s.cfg.Rand, nonce[:]); err != nil {
			return nil, err
		}
		c.digest = sasl.NewDigest(c.s.cfg.SASL.Users(), nonce)
	}
	if answer, err = c.digest.Step(token); err != nil {
		return nil, err
	}
	if user, ok := c.digest.User(); ok {
		if !c.addIDs(c.s.cfg.Policy.SASLIDs(user)) {
			return nil, errors.New("too many identities on the connection")
		}
		c.s.log.Debug("client authenticated by SASL", "remote", c.remote, "user", user)
	}
	return answer, nil
}

// addIDs adds identities that the connection does not have yet. It reports false
// if they are too many.
func (c *Conn) addIDs(ids []proto.ID) bool {
	have := append([]proto.ID(nil), c.ids...)
	for _, id := range ids {
		if !slices.Contains(have, id) {
			have = append(have, id)
		}
	}
	if len(have) > authIDsMax || len(encodeIDs(have)) > authIDsBytesMax {
		return false
	}
	c.mu.Lock()
	c.setIDs(have)
	c.mu.Unlock()
	return true
}
