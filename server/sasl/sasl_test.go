package sasl_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/sasl"
	"github.com/quorate/quorate/server/sasl/sasltest"
)

var users = sasl.Users{"bob": "bobsecret", "super": "adminsecret", "zoë": "pässword", "zoe @x/y": "日本", `q"\`: `p"\`}

func newDigest() *sasl.Digest { return sasl.NewDigest(users, [sasl.NonceBytes]byte{1, 2, 3}) }

func TestDigest_WhoKnowsThePasswordGetsIn(t *testing.T) {
	for user, password := range users {
		d := newDigest()
		challenge, err := d.Step(nil)
		require.NoError(t, err)
		_, ok := d.User()
		assert.False(t, ok, "nobody is known yet")
		response, proof := sasltest.Client{User: user, Password: password}.Respond(t, challenge)
		got, err := d.Step(response)
		require.NoError(t, err)
		assert.Equal(t, string(proof), string(got))
		name, ok := d.User()
		assert.True(t, ok)
		assert.Equal(t, user, name)
	}
}

// What ZooKeeper 3.8.0 answered to these nonces.
func TestDigest_AnswersAsZooKeeperDid(t *testing.T) {
	for _, c := range []struct {
		nonce, proof string
		client       sasltest.Client
	}{
		{"k7ziekXKPH6lz7mpynf0Ygn5G9SVDiUsOKWoE0Cy", "1bf7eaa67b4efc28fae7e87fde1e9505", sasltest.Client{User: "bob", Password: "bobsecret"}},
		{"wnFJBmTevsYBOJv2u+eoSzFjE5LYhbb1p8VsVWrB", "61b518f6155405aac4666c5297fcbca4", sasltest.Client{User: "zoë", Password: "pässword"}},
		{"MnibJvSV4rkFD4zwKWO/zmlliXmsbHeUBZE3ej0T", "5db1c0e7484c0da23855de1664601bab", sasltest.Client{User: "bob", Password: "bobsecret", Authzid: "super"}},
		{"ApaVgahxG5jT3/ud35Hst3hGHBzRwtan2sCBxvXX", "5fc657b4fbeae3e54b0f2a651e6305fc", sasltest.Client{User: "bob", Password: "bobsecret", URI: "ZooKeeper/zk-sasl-md5"}},
	} {
		raw, err := base64.StdEncoding.DecodeString(c.nonce)
		require.NoError(t, err)
		d := sasl.NewDigest(users, [sasl.NonceBytes]byte(raw))
		challenge, err := d.Step([]byte{})
		require.NoError(t, err)
		assert.Equal(t, `realm="zk-sasl-md5",nonce="`+c.nonce+`",charset=utf-8,algorithm=md5-sess`, string(challenge))
		c.client.Cnonce = "abc"
		response, _ := c.client.Respond(t, challenge)
		got, err := d.Step(response)
		require.NoError(t, err)
		assert.Equal(t, "rspauth="+c.proof, string(got))
		user, _ := d.User()
		assert.Equal(t, c.client.User, user, "whoever else the client wants to be")
	}
}

func TestDigest_WhoDoesNotIsRefused(t *testing.T) {
	bob := func(change func(*sasltest.Client)) sasltest.Client {
		c := sasltest.Client{User: "bob", Password: "bobsecret"}
		change(&c)
		return c
	}
	for want, client := range map[string]sasltest.Client{
		`wrong user or password; the user is said to be "bob"`: bob(func(c *sasltest.Client) { c.Password = "x" }),
		`wrong user or password; the user is said to be "eve"`: {User: "eve"},
		`wrong user or password; the user is said to be ""`:    {},
		"another nonce":               bob(func(c *sasltest.Client) { c.Nonce = "old" }),
		`realm is "other"`:            bob(func(c *sasltest.Client) { c.Realm = "other" }),
		`digest-uri is "zookeeper/h"`: bob(func(c *sasltest.Client) { c.URI = "zookeeper/h" }),
		`qop is "auth-int"`:           bob(func(c *sasltest.Client) { c.Qop = "auth-int" }),
		"qop twice":                   bob(func(c *sasltest.Client) { c.Tail = ",qop=auth" }),
		"charset twice":               bob(func(c *sasltest.Client) { c.Tail = ",Charset=latin1" }),
		"wrong user":                  bob(func(c *sasltest.Client) { c.Count = "00000002" }),
		"no closing quote":            bob(func(c *sasltest.Client) { c.Tail = `,x="` }),
		"want a comma behind":         bob(func(c *sasltest.Client) { c.Tail = `,x="a"b` }),
		"is no name=value":            bob(func(c *sasltest.Client) { c.Tail = `,x y=1` }),
		"no value":                    bob(func(c *sasltest.Client) { c.Tail = `,x= ` }),
		"at most 4096":                bob(func(c *sasltest.Client) { c.Tail = strings.Repeat(",", 4096) }),
	} {
		d := newDigest()
		challenge, err := d.Step(nil)
		require.NoError(t, err)
		response, _ := client.Respond(t, challenge)
		_, err = d.Step(response)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, fmt.Sprint(err), "secret")
		_, ok := d.User()
		assert.False(t, ok)
		honest, _ := bob(func(*sasltest.Client) {}).Respond(t, challenge)
		_, err = d.Step(honest)
		assert.Error(t, err, "there is no second try")
	}
}

func TestDigest_EveryPartIsNeeded(t *testing.T) {
	challenge, err := newDigest().Step(nil)
	require.NoError(t, err)
	response, _ := sasltest.Client{User: "bob", Password: "bobsecret"}.Respond(t, challenge)
	parts := strings.Split(string(response), ",")
	for i, part := range parts {
		d := newDigest()
		_, _ = d.Step(nil)
		_, err := d.Step([]byte(strings.Join(append(append([]string{}, parts[:i]...), parts[i+1:]...), ",")))
		switch name, _, _ := strings.Cut(part, "="); name {
		case "charset", "nc", "maxbuf", "qop":
			assert.NoError(t, err, "%s has a default", name)
		default:
			assert.Error(t, err, name)
		}
	}
	for _, c := range [][2]string{{"charset=utf-8", "charset=latin1"}, {"maxbuf=65536", "maxbuf=many"}} {
		d := newDigest()
		_, _ = d.Step(nil)
		_, err := d.Step([]byte(strings.Replace(string(response), c[0], c[1], 1)))
		assert.ErrorContains(t, err, c[1][:6])
	}
	d := newDigest()
	_, _ = d.Step(nil)
	_, err = d.Step([]byte(" ,," + strings.ReplaceAll(strings.Join(parts, " ,\t"), "=", " = ")))
	assert.NoError(t, err, "blanks may stand around everything")
}

func TestDigest_TheEndIsTheEnd(t *testing.T) {
	d := newDigest()
	challenge, _ := d.Step(nil)
	response, _ := sasltest.Client{User: "bob", Password: "bobsecret"}.Respond(t, challenge)
	_, err := d.Step(response)
	require.NoError(t, err)
	_, err = d.Step(nil)
	assert.ErrorContains(t, err, "behind the end")
	_, ok := d.User()
	assert.False(t, ok)
}

func TestDigest_AsksWhoeverSpeaksFirst(t *testing.T) {
	d := newDigest()
	challenge, err := d.Step([]byte("username=x"))
	require.NoError(t, err)
	assert.Contains(t, string(challenge), "nonce=")
	_, err = newDigest().Step([]byte("\x60\x82\x02\x10\x06\x09"))
	assert.ErrorIs(t, err, sasl.ErrKerberos)
}

func FuzzDigestResponse(f *testing.F) {
	challenge, _ := newDigest().Step(nil)
	good, _ := sasltest.Client{User: "bob", Password: "bobsecret"}.Respond(f, challenge)
	for _, seed := range []string{string(good), `a="\`, `a=`, `=`, ` , a = "b" c="d"`, "username=\"b\\\"\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		d := newDigest()
		_, _ = d.Step(nil)
		answer, err := d.Step(response)
		user, ok := d.User()
		if ok != (err == nil) || ok != (len(answer) > 0) {
			t.Fatalf("%q: answer %q, err %v, user %q", response, answer, err, user)
		}
		if ok && !strings.Contains(string(response), "bob") {
			t.Fatalf("%q makes %q", response, user)
		}
	})
}
