package zkclient

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// SASL is a name and a password for the mechanism DIGEST-MD5 (RFC 2831), as
// ZooKeeper's servers check it: for the service zookeeper in the realm zk-sasl-md5.
type SASL struct{ User, Password string }

const (
	saslRealm  = "zk-sasl-md5"
	saslTarget = "zookeeper/" + saslRealm
)

// login proves to the server who the client is, and has it prove that it knows the
// password, too. It comes before everything else on a connection.
func (l *link) login(s SASL) error {
	challenge, err := l.saslStep(nil)
	if err != nil {
		return err
	}
	if challenge == nil {
		return fmt.Errorf("%w: the server has no SASL", proto.ErrAuthFailed)
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	response, proof, err := s.respond(challenge, base64.StdEncoding.EncodeToString(nonce))
	if err != nil {
		return fmt.Errorf("%w: %w", proto.ErrAuthFailed, err)
	}
	answer, err := l.saslStep(response)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(answer, proof) != 1 {
		return fmt.Errorf("%w: the server does not know the password itself", proto.ErrAuthFailed)
	}
	return nil
}

// saslStep sends a token and returns the server's, nil if it is null. Nothing else is
// under way.
func (l *link) saslStep(token []byte) ([]byte, error) {
	if token == nil {
		token = []byte{}
	}
	l.c.mu.Lock()
	l.c.xid = max(l.c.xid+1, 1)
	xid := l.c.xid
	l.c.mu.Unlock()
	if err := l.writeRequest(xid, proto.OpSASL, proto.Marshal(&proto.SASLRequest{Token: token})); err != nil {
		return nil, err
	}
	if err := l.out.Flush(); err != nil {
		return nil, err
	}
	frame, err := readFrame(l.in, saslBytesMax)
	if err != nil {
		return nil, err
	}
	var h proto.ReplyHeader
	body, err := proto.UnmarshalHeader(frame, &h)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	case h.Xid != xid:
		return nil, fmt.Errorf("%w: reply %d where %d is due", ErrProtocol, h.Xid, xid)
	case h.Err == proto.ErrAuthFailed || h.Err == proto.ErrSessionClosedRequireSASL:
		return nil, fmt.Errorf("%w: the server refuses the name or the password", proto.ErrAuthFailed)
	case h.Err != proto.OK:
		return nil, fmt.Errorf("SASL: %w", h.Err)
	}
	var rep proto.SASLReply
	if err := proto.Unmarshal(body, &rep); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return rep.Token, nil
}

// saslBytesMax is more than a challenge has.
const saslBytesMax = 16 << 10

// respond answers a challenge, and says with what the server has to answer.
func (s SASL) respond(challenge []byte, cnonce string) (response, proof []byte, err error) {
	said, err := saslDirectives(string(challenge))
	if err != nil {
		return nil, nil, err
	}
	nonce := said["nonce"]
	switch {
	case nonce == "":
		return nil, nil, errors.New("the challenge has no nonce")
	case said["algorithm"] != "md5-sess":
		return nil, nil, fmt.Errorf("the challenge is for the algorithm %q, want md5-sess", said["algorithm"])
	case said["realm"] != "" && said["realm"] != saslRealm:
		return nil, nil, fmt.Errorf("the challenge is for the realm %q, want %s", said["realm"], saslRealm)
	}
	secret := md5.Sum(bytes.Join([][]byte{narrow(s.User), []byte(saslRealm), narrow(s.Password)}, []byte(":")))
	a1 := md5.Sum(fmt.Appendf(secret[:], ":%s:%s", nonce, cnonce))
	value := func(method string) []byte {
		a2 := md5.Sum([]byte(method + ":" + saslTarget))
		sum := md5.Sum(fmt.Appendf(nil, "%x:%s:00000001:%s:auth:%x", a1, nonce, cnonce, a2))
		return hex.AppendEncode(nil, sum[:])
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	response = fmt.Appendf(nil, `charset=utf-8,username="%s",realm="%s",nonce="%s",nc=00000001,cnonce="%s",digest-uri="%s",maxbuf=65536,response=%s,qop=auth`,
		quote(s.User), saslRealm, quote(nonce), cnonce, saslTarget, value("AUTHENTICATE"))
	return response, append([]byte("rspauth="), value("")...), nil
}

// narrow encodes in ISO 8859-1 what can be, as RFC 2831 2.1.2.1 wants it hashed.
func narrow(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return []byte(s)
		}
		out = append(out, byte(r))
	}
	return out
}

// saslDirectives takes name=value,name="value" apart.
func saslDirectives(text string) (map[string]string, error) {
	said := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, ", \t") {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errors.New("the challenge has a part without a value")
		}
		var value strings.Builder
		if !strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest+",", ',')
			value.WriteString(rest[:end])
			text = rest[end:]
		} else {
			i := 1
			for ; i < len(rest) && rest[i] != '"'; i++ {
				if rest[i] == '\\' && i+1 < len(rest) {
					i++
				}
				value.WriteByte(rest[i])
			}
			if i >= len(rest) {
				return nil, errors.New("the challenge has a quote that is not closed")
			}
			text = rest[i+1:]
		}
		said[strings.ToLower(strings.TrimSpace(name))] = value.String()
	}
	return said, nil
}
