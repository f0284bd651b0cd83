package znode

import (
	"fmt"
	"math/rand"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// allSchemes is a policy with everything configured.
var allSchemes = &Policy{
	X509: true, X509SuperUser: "CN=root", SASL: true, SASLSuperUsers: []string{"hdfs/nn@X", "ops"}, AnySASLUser: "everybody",
}

func sasl(id string) []proto.ID { return []proto.ID{{Scheme: "sasl", ID: id}} }

func TestPolicy_CheckKnowsAllSchemes(t *testing.T) {
	digest := DigestID("u", "p")
	for name, c := range map[string]struct {
		policy *Policy
		list   []proto.ACL
		ids    []proto.ID
		want   bool
	}{
		"x509":                       {allSchemes, aclOf("1:x509:CN=a,O=b"), allSchemes.X509IDs("CN=a,O=b"), true},
		"x509 in other words":        {allSchemes, aclOf("1:x509:CN=a, O=b"), allSchemes.X509IDs("CN=a,O=b"), false},
		"x509 super":                 {allSchemes, aclOf("1:digest:u:h"), allSchemes.X509IDs("CN=root"), true},
		"sasl":                       {allSchemes, aclOf("1:sasl:bob@X"), sasl("bob@X"), true},
		"sasl other":                 {allSchemes, aclOf("1:sasl:bob@X"), sasl("bob@Y"), false},
		"sasl any user":              {allSchemes, aclOf("1:sasl:everybody"), sasl("bob@Y"), true},
		"sasl named super":           {allSchemes, aclOf("1:sasl:bob"), sasl("super"), true},
		"sasl named super, digest":   {allSchemes, aclOf("1:digest:u:h"), sasl("super"), false},
		"sasl super user":            {allSchemes, aclOf("1:digest:u:h"), allSchemes.SASLIDs("ops"), true},
		"sasl not configured":        {&Policy{}, aclOf("1:sasl:bob"), sasl("bob"), false},
		"nobody is any user":         {&Policy{SASL: true}, aclOf("1:sasl:"), sasl("bob"), false},
		"digest switched off":        {&Policy{NoDigest: true}, []proto.ACL{{Perms: 1, ID: digest}}, []proto.ID{digest}, false},
		"skipACL":                    {&Policy{SkipACL: true}, aclOf("0:world:anyone"), nil, true},
		"super of whatever spelling": {&Policy{}, aclOf("0:world:anyone"), []proto.ID{{Scheme: "super", ID: "CN=root"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, c.policy.Check(c.list, proto.PermRead, c.ids))
		})
	}
}

func TestPolicy_FixupKnowsAllSchemes(t *testing.T) {
	ids := []proto.ID{{Scheme: "ip", ID: "10.0.0.1"}, {Scheme: "x509", ID: "CN=a"}, {Scheme: "sasl", ID: "bob"}, DigestID("u", "p"), {Scheme: "super"}}
	got, code := allSchemes.Fixup(aclOf("31:auth:"), ids)
	assert.Equal(t, proto.OK, code)
	assert.Equal(t, []proto.ACL{{Perms: 31, ID: ids[1]}, {Perms: 31, ID: ids[2]}, {Perms: 31, ID: ids[3]}}, got)
	got, _ = new(Policy).Fixup(aclOf("31:auth:"), ids)
	assert.Equal(t, []proto.ACL{{Perms: 31, ID: ids[3]}}, got, "only of schemes that exist")

	for _, list := range []string{"1:x509:CN=a,O=b", "1:sasl:bob", "1:sasl:hdfs/nn@X"} {
		got, code = allSchemes.Fixup(aclOf(list), nil)
		assert.Equal(t, proto.OK, code, list)
		assert.Equal(t, aclOf(list), got)
		_, code = new(Policy).Fixup(aclOf(list), nil)
		assert.Equal(t, proto.ErrInvalidACL, code, "%s without the scheme", list)
	}
	for _, list := range []string{"1:x509:bob", "1:sasl:a/b/c@X", "1:sasl:a@b@c", "1:sasl:a@b/c"} {
		_, code = allSchemes.Fixup(aclOf(list), nil)
		assert.Equal(t, proto.ErrInvalidACL, code, list)
	}
	_, code = (&Policy{NoDigest: true}).Fixup(aclOf("1:digest:u:h"), nil)
	assert.Equal(t, proto.ErrInvalidACL, code)
}

// A short list can ask for a long one: each auth entry stands for all identities.
func TestPolicy_FixupBoundsWhatAuthStandsFor(t *testing.T) {
	ids := []proto.ID{DigestID(strings.Repeat("u", 1000), "p"), DigestID("v", "p")}
	var list []proto.ACL
	for perms := range int32(200) {
		list = append(list, proto.ACL{Perms: perms, ID: proto.ID{Scheme: "auth"}})
	}
	_, code := new(Policy).Fixup(list, ids)
	assert.Equal(t, proto.OK, code)
	for perms := range int32(200) {
		list = append(list, proto.ACL{Perms: 1000 + perms, ID: proto.ID{Scheme: "auth"}})
	}
	_, code = new(Policy).Fixup(list, ids)
	assert.Equal(t, proto.ErrInvalidACL, code)
}

func TestPolicy_DigestAlgorithms(t *testing.T) {
	for alg, want := range map[string]string{ // of "u:p", by openssl dgst
		"":        "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=",
		"sha1":    "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=",
		"SHA-256": "u:/Y8xRBngpX5duYn15uUqIRaIaCviy5TEwSk419hCwuA=",
		"md5":     "u:wj9ntl1lUHd6RGlGHs+1Hg==",
	} {
		p := &Policy{DigestAlgorithm: alg}
		require.NoError(t, p.Validate())
		ids, code := p.Authenticate("digest", []byte("u:p"), netip.MustParseAddr("10.0.0.1"))
		assert.Equal(t, proto.OK, code)
		assert.Equal(t, []proto.ID{{Scheme: "digest", ID: want}}, ids, alg)
	}
	for _, alg := range DigestAlgorithms() {
		assert.NoError(t, (&Policy{DigestAlgorithm: alg}).Validate(), alg)
	}
	assert.Equal(t, "SHA1", DigestAlgorithms()[0])
	assert.ErrorContains(t, (&Policy{DigestAlgorithm: "MD2"}).Validate(), "want one of SHA1,")
	_, code := (&Policy{NoDigest: true}).Authenticate("digest", []byte("u:p"), netip.MustParseAddr("10.0.0.1"))
	assert.Equal(t, proto.ErrAuthFailed, code)
}

func TestPolicy_Validate(t *testing.T) {
	assert.NoError(t, allSchemes.Validate())
	err := (&Policy{SuperDigest: "super", X509SuperUser: "root"}).Validate()
	assert.ErrorContains(t, err, "SuperDigest is not user:digest")
	assert.ErrorContains(t, err, `X509SuperUser is "root"`)
}

// As Java prints addresses, for who compares them as text.
func TestIPID_IsJavas(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.9": "10.0.0.9", "::ffff:10.0.0.9": "10.0.0.9", "::1": "0:0:0:0:0:0:0:1",
		"fe80::a0b:1%eth0": "fe80:0:0:0:0:0:a0b:1", "2001:db8::": "2001:db8:0:0:0:0:0:0",
	} {
		id := IPID(netip.MustParseAddr(addr))
		assert.Equal(t, proto.ID{Scheme: "ip", ID: want}, id)
		assert.True(t, new(Policy).Check(aclOf("1:ip:"+id.ID), 1, []proto.ID{id}))
	}
}

// Against the bits, one by one.
func TestIPPrefix_AgainstBits(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	address := func() netip.Addr {
		bytes := make([]byte, pick(generator{rng}, 4, 4, 16))
		for i := range bytes {
			bytes[i] = pick[byte](generator{rng}, 0, 1, 128, 255)
		}
		addr, _ := netip.AddrFromSlice(bytes)
		return addr
	}
	inside := 0
	for range 20_000 {
		is, of := address(), address()
		bits := rng.Intn(of.BitLen() + 1)
		a, b := is.AsSlice(), of.AsSlice()
		want := len(a) == len(b)
		for i := 0; want && i < bits; i++ {
			want = a[i/8]>>(7-i%8)&1 == b[i/8]>>(7-i%8)&1
		}
		if want {
			inside++
		}
		list := []proto.ACL{{Perms: 1, ID: proto.ID{Scheme: "ip", ID: fmt.Sprintf("%s/%d", of, bits)}}}
		require.Equal(t, want, new(Policy).Check(list, 1, []proto.ID{IPID(is)}), "%s in %s/%d", is, of, bits)
	}
	require.Greater(t, inside, 1000)
}
