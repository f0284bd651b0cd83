package sasl

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What a client must say to be talking to a ZooKeeper.
const (
	Realm  = "zk-sasl-md5"
	target = "zookeeper/" + Realm // digest-uri, in any case
)

// NonceBytes is how much randomness a Digest wants.
const NonceBytes = 30

// tokenBytesMax limits what a client may send, as Java does.
const tokenBytesMax = 4096

// Users are the passwords of those who may authenticate, by name.
type Users map[string]string

// Digest is one client's exchange: an empty token, which is answered by a
// challenge, and a response to it. It is for one goroutine.
type Digest struct {
	users Users
	nonce string
	step  step
	user  string
}

type step uint8

const (
	fresh      step = iota
	challenged      // the response is expected
	proven          // the user is known
	failed          // no token is taken any more
)

// NewDigest begins an exchange. The nonce must never have been used before. Users
// is only read.
func NewDigest(users Users, nonce [NonceBytes]byte) *Digest {
	return &Digest{users: users, nonce: base64.StdEncoding.EncodeToString(nonce[:])}
}

// ErrKerberos says that a client speaks GSSAPI.
var ErrKerberos = errors.New("the client speaks Kerberos (GSSAPI), and this server only DIGEST-MD5")

// Step takes the client's next token and returns the answer. After an error
// nothing is taken any more; its text is for the log, and names no password.
func (d *Digest) Step(token []byte) (answer []byte, err error) {
	at := d.step
	d.step = failed
	switch {
	case len(token) > tokenBytesMax:
		return nil, fmt.Errorf("a token of %d bytes; want at most %d", len(token), tokenBytesMax)
	case at == fresh && len(token) > 0 && token[0] == 0x60: // the tag of RFC 2743, 3.1
		return nil, ErrKerberos
	case at == fresh:
		// A client that has something to say before it was asked is asked all the
		// same (RFC 2831, 2.2).
		d.step = challenged
		return fmt.Appendf(nil, `realm="%s",nonce="%s",charset=utf-8,algorithm=md5-sess`, Realm, d.nonce), nil
	case at == challenged:
		if answer, err = d.verify(token); err == nil {
			d.step = proven
		}
		return answer, err
	}
	return nil, errors.New("a token behind the end of the exchange")
}

// User returns who the client has proved to be; false before that.
func (d *Digest) User() (name string, ok bool) { return d.user, d.step == proven }

// verify checks a response and returns the server's proof that it knows the
// password, too.
func (d *Digest) verify(token []byte) (proof []byte, err error) {
	r, err := parseDirectives(token)
	if err != nil {
		return nil, err
	}
	if err := d.check(r); err != nil {
		return nil, err
	}
	user := string(r["username"])
	password, known := d.users[user]
	want := responseValue("AUTHENTICATE", user, password, d.nonce, r)
	if subtle.ConstantTimeCompare(want, r["response"]) != 1 || !known {
		return nil, fmt.Errorf("wrong user or password; the user is said to be %q", user)
	}
	d.user = user
	return append([]byte("rspauth="), responseValue("", user, password, d.nonce, r)...), nil
}

// check tests all that must be true of a response beside the password.
func (d *Digest) check(r directives) error {
	for _, name := range []string{"username", "nonce", "cnonce", "response"} {
		if r[name] == nil {
			return fmt.Errorf("no %s in the response", name)
		}
	}
	if charset, ok := r["charset"]; ok && string(charset) != "utf-8" {
		return fmt.Errorf("charset is %q; want utf-8", charset)
	}
	if realm := string(r["realm"]); realm != Realm {
		return fmt.Errorf("realm is %q; want %s", realm, Realm)
	}
	if string(r["nonce"]) != d.nonce {
		return errors.New("another nonce than the server's")
	}
	if qop, ok := r["qop"]; ok && string(qop) != "auth" {
		return fmt.Errorf("qop is %q; want auth", qop)
	}
	if uri := string(r["digest-uri"]); !strings.EqualFold(uri, target) {
		return fmt.Errorf("digest-uri is %q; want %s", uri, target)
	}
	if size, ok := r["maxbuf"]; ok {
		if _, err := strconv.ParseInt(string(size), 10, 32); err != nil {
			return fmt.Errorf("maxbuf is %q; want a number", size)
		}
	}
	return nil
}

// responseValue is the proof of RFC 2831, 2.1.2.1, by the method AUTHENTICATE for
// a client and none for the server. The nonce count is always 1: nonces are used
// once.
func responseValue(method, user, password, nonce string, r directives) []byte {
	secret := md5.New()
	secret.Write(latin1(user))
	secret.Write([]byte(":" + Realm + ":"))
	secret.Write(latin1(password))
	a1 := md5.New()
	a1.Write(secret.Sum(nil))
	fmt.Fprintf(a1, ":%s:%s", nonce, r["cnonce"])
	if id, ok := r["authzid"]; ok {
		fmt.Fprintf(a1, ":%s", id)
	}
	a2 := md5.Sum(fmt.Appendf(nil, "%s:%s", method, r["digest-uri"]))
	sum := md5.Sum(fmt.Appendf(nil, "%x:%s:00000001:%s:auth:%x", a1.Sum(nil), nonce, r["cnonce"], a2))
	return hex.AppendEncode(nil, sum[:])
}

// latin1 encodes names and passwords in ISO 8859-1 if they can be (RFC 2831,
// 2.1.2.1), else in UTF-8.
func latin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return []byte(s)
		}
		out = append(out, byte(r))
	}
	return out
}
