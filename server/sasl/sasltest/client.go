// Package sasltest is a client of DIGEST-MD5 for tests. It is written after RFC 2831
// alone, so that it is a second opinion.
package sasltest

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Client is who answers a challenge. The zero value of a field but the first two
// stands for what an honest client says.
type Client struct {
	User, Password string

	Nonce, Cnonce, Realm, URI, Qop, Count string
	Authzid                               string
	Tail                                  string // behind the response
}

var directive = regexp.MustCompile(`(\w+)=("[^"]*"|[^,]*)`)

// Respond answers a challenge, and returns the proof that the server has to send.
func (c Client) Respond(t testing.TB, challenge []byte) (response, proof []byte) {
	t.Helper()
	said := map[string]string{}
	for _, m := range directive.FindAllStringSubmatch(string(challenge), -1) {
		said[m[1]] = strings.Trim(m[2], `"`)
	}
	require.Equal(t, "md5-sess", said["algorithm"])
	require.Equal(t, "utf-8", said["charset"])
	set := func(s *string, def string) {
		if *s == "" {
			*s = def
		}
	}
	set(&c.Nonce, said["nonce"])
	set(&c.Realm, said["realm"])
	set(&c.Cnonce, "OA6MHXh6VqTrRk")
	set(&c.URI, "zookeeper/zk-sasl-md5")
	set(&c.Qop, "auth")
	set(&c.Count, "00000001")
	authzid := ""
	if c.Authzid != "" {
		authzid = `,authzid="` + c.Authzid + `"`
	}
	response = fmt.Appendf(nil, `charset=utf-8,username="%s",realm="%s",nonce="%s",nc=%s,cnonce="%s",digest-uri="%s",maxbuf=65536,response=%s,qop=%s%s%s`,
		quote(c.User), quote(c.Realm), c.Nonce, c.Count, c.Cnonce, c.URI, c.value("AUTHENTICATE"), c.Qop, authzid, c.Tail)
	return response, []byte("rspauth=" + c.value(""))
}

func quote(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

func (c Client) value(method string) string {
	inner := md5.Sum([]byte(narrow(c.User) + ":" + narrow(c.Realm) + ":" + narrow(c.Password)))
	a1 := string(inner[:]) + ":" + c.Nonce + ":" + c.Cnonce
	if c.Authzid != "" {
		a1 += ":" + c.Authzid
	}
	return hash(strings.Join([]string{hash(a1), c.Nonce, c.Count, c.Cnonce, c.Qop, hash(method + ":" + c.URI)}, ":"))
}

func hash(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// narrow encodes in ISO 8859-1 what fits into it.
func narrow(s string) string {
	var b []byte
	for _, r := range s {
		if r > 0xff {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}
