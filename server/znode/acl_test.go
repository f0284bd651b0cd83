package znode

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/server/proto"
)

func TestDigestID_IsZooKeepers(t *testing.T) {
	// The well-known example of ZooKeeper's documentation.
	assert.Equal(t, proto.ID{Scheme: "digest", ID: "super:D/InIHSb7yEEbrWz8b9l71RjZJU="}, DigestID("super", "test"))
}

func TestFixup_Table(t *testing.T) {
	u, v := DigestID("u", "p"), DigestID("v", "p")
	ids := []proto.ID{{Scheme: "ip", ID: "10.0.0.1"}, u, {Scheme: "super"}, v}
	for name, c := range map[string]struct {
		in, want []proto.ACL
		ids      []proto.ID
	}{
		"open":                     {in: proto.OpenACL, want: proto.OpenACL},
		"null":                     {in: nil},
		"empty":                    {in: []proto.ACL{}},
		"null id":                  {in: []proto.ACL{{Perms: 1, Malformed: true}}},
		"malformed, whatever else": {in: []proto.ACL{{Perms: 1, ID: proto.ID{Scheme: "world", ID: "anyone"}, Malformed: true}}},
		"world:foo":                {in: aclOf("31:world:foo")},
		"super":                    {in: aclOf("31:super:")},
		"unknown scheme":           {in: aclOf("31:kerberos:x")},
		"no scheme":                {in: aclOf("31::x")},
		"one bad among good":       {in: aclOf("31:world:anyone", "1:ip:x")},
		"unknown bits are kept":    {in: aclOf("96:world:anyone"), want: aclOf("96:world:anyone")},
		"duplicates collapse":      {in: aclOf("1:ip:1.2.3.4", "2:ip:1.2.3.4", "1:ip:1.2.3.4"), want: aclOf("1:ip:1.2.3.4", "2:ip:1.2.3.4")},
		"order is kept":            {in: aclOf("1:digest:z:1", "1:digest:a:1"), want: aclOf("1:digest:z:1", "1:digest:a:1")},
		"auth without ids":         {in: aclOf("31:auth:")},
		"auth with ip only":        {in: aclOf("31:auth:"), ids: ids[:1]},
		"auth with super only":     {in: aclOf("31:auth:"), ids: ids[2:3]},
		"auth expands":             {in: aclOf("8:auth:whatever", "1:world:anyone"), ids: ids, want: []proto.ACL{{Perms: 8, ID: u}, {Perms: 8, ID: v}, aclOf("1:world:anyone")[0]}},
		"auth and the same":        {in: []proto.ACL{{Perms: 8, ID: u}, aclOf("8:auth:")[0]}, ids: ids[:2], want: []proto.ACL{{Perms: 8, ID: u}}},
		"digest without colon":     {in: aclOf("1:digest:user")},
		"digest with two colons":   {in: aclOf("1:digest:a:b:c")},
		"digest without hash":      {in: aclOf("1:digest:a:")},
		"digest with colon behind": {in: aclOf("1:digest:a:b:"), want: aclOf("1:digest:a:b:")},
		"ip with bits":             {in: aclOf("1:ip:10.0.0.0/8", "1:ip:::1/128", "1:ip:fe80::/10"), want: aclOf("1:ip:10.0.0.0/8", "1:ip:::1/128", "1:ip:fe80::/10")},
		"ip with zeros and signs":  {in: aclOf("1:ip:010.0.0.+1/08"), want: aclOf("1:ip:010.0.0.+1/08")},
		"ip of three numbers":      {in: aclOf("1:ip:10.0.1")},
		"ip with a number too big": {in: aclOf("1:ip:10.0.0.256")},
		"ip with too many bits":    {in: aclOf("1:ip:10.0.0.0/33")},
		"ip with bad bits":         {in: aclOf("1:ip:10.0.0.0/-1")},
		"ip without address":       {in: aclOf("1:ip:localhost")},
		"ip with zone":             {in: aclOf("1:ip:fe80::1%eth0")},
	} {
		t.Run(name, func(t *testing.T) {
			got, code := new(Policy).Fixup(c.in, c.ids)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want == nil, code == proto.ErrInvalidACL)
		})
	}
}

func TestCheck_Table(t *testing.T) {
	u := DigestID("u", "p")
	ip := func(s string) []proto.ID { return []proto.ID{IPID(netip.MustParseAddr(s))} }
	for name, c := range map[string]struct {
		list []proto.ACL
		perm int32
		ids  []proto.ID
		want bool
	}{
		"empty list allows":        {nil, proto.PermAdmin, nil, true},
		"world":                    {aclOf("1:world:anyone"), proto.PermRead, nil, true},
		"world without the bit":    {aclOf("1:world:anyone"), proto.PermWrite, nil, false},
		"any of the bits":          {aclOf("1:world:anyone"), proto.PermRead | proto.PermAdmin, nil, true},
		"super":                    {aclOf("0:world:anyone"), proto.PermAdmin, []proto.ID{{Scheme: "super"}}, true},
		"digest":                   {[]proto.ACL{{Perms: 4, ID: u}}, proto.PermCreate, []proto.ID{{Scheme: "ip", ID: "1.1.1.1"}, u}, true},
		"another digest":           {[]proto.ACL{{Perms: 4, ID: u}}, proto.PermCreate, []proto.ID{DigestID("u", "q")}, false},
		"bit in another entry":     {[]proto.ACL{{Perms: 4, ID: u}, {Perms: 1, ID: proto.ID{Scheme: "world", ID: "anyone"}}}, 4, nil, false},
		"ip equal":                 {aclOf("1:ip:10.1.2.3"), 1, ip("10.1.2.3"), true},
		"ip other":                 {aclOf("1:ip:10.1.2.3"), 1, ip("10.1.2.4"), false},
		"ip in prefix":             {aclOf("1:ip:10.1.2.3/8"), 1, ip("10.200.0.1"), true},
		"ip not in prefix":         {aclOf("1:ip:10.1.2.3/9"), 1, ip("10.200.0.1"), false},
		"ip any":                   {aclOf("1:ip:0.0.0.0/0"), 1, ip("8.8.8.8"), true},
		"ip mapped connection":     {aclOf("1:ip:10.1.2.3"), 1, ip("::ffff:10.1.2.3"), true},
		"ip with zeros":            {aclOf("1:ip:010.00.0.+0/08"), 1, ip("10.1.2.3"), true},
		"ip mapped ACL":            {aclOf("1:ip:::ffff:10.0.0.0/104"), 1, ip("10.1.2.3"), true},
		"ipv6 however written":     {aclOf("1:ip:0:0:0:0:0:0:0:1"), 1, ip("::1"), true},
		"ipv6 is not in ipv4":      {aclOf("1:ip:0.0.0.0/0"), 1, ip("::1"), false},
		"id that is no address":    {aclOf("1:ip:0.0.0.0/0"), 1, []proto.ID{{Scheme: "ip", ID: "?"}}, false},
		"same id, another scheme":  {aclOf("1:ip:10.1.2.3"), 1, []proto.ID{{Scheme: "digest", ID: "10.1.2.3"}}, false},
		"scheme that is not there": {aclOf("1:x509:CN=a"), 1, []proto.ID{{Scheme: "x509", ID: "CN=a"}}, false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, new(Policy).Check(c.list, c.perm, c.ids)) })
	}
}

func TestAuthenticate_Schemes(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.9")
	root := DigestID("super", "pw")
	operators, nobodys := &Policy{SuperDigest: root.ID}, &Policy{}
	ids, code := operators.Authenticate("digest", []byte("super:pw"), addr)
	assert.Equal(t, []proto.ID{{Scheme: "super"}, root}, ids)
	assert.Equal(t, proto.OK, code)
	ids, _ = operators.Authenticate("digest", []byte("super:no"), addr)
	assert.Equal(t, []proto.ID{DigestID("super", "no")}, ids)
	ids, _ = nobodys.Authenticate("digest", []byte("a:b:c"), addr)
	assert.Equal(t, []proto.ID{DigestID("a", "b:c")}, ids, "split at the first colon")
	ids, _ = nobodys.Authenticate("digest", []byte("nocolon"), addr)
	assert.Equal(t, "nocolon", User(ids[0]))
	_, code = nobodys.Authenticate("digest", nil, addr)
	assert.Equal(t, proto.ErrAuthFailed, code, "null is no user and password")
	ids, _ = nobodys.Authenticate("ip", nil, addr)
	assert.Equal(t, []proto.ID{{Scheme: "ip", ID: "10.0.0.9"}}, ids)
	for _, scheme := range []string{"world", "super", "auth", "sasl", "x509", ""} {
		_, code = nobodys.Authenticate(scheme, nil, addr)
		assert.Equal(t, proto.ErrAuthFailed, code, scheme)
	}
}

func TestMask_HidesDigestsAndLeavesTheList(t *testing.T) {
	list := aclOf("31:digest:u:hash", "1:ip:1.2.3.4")
	assert.Equal(t, aclOf("31:digest:u:x", "1:ip:1.2.3.4"), Mask(list))
	assert.Equal(t, aclOf("31:digest:u:hash", "1:ip:1.2.3.4"), list)
	assert.Equal(t, "1.2.3.4", User(list[1].ID))
}
