package znode

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/x500"
	"github.com/quorate/quorate/server/proto"
)

// Policy says which identities there are and what they may do (spec
// client-protocol 5). The zero value is ZooKeeper's default: the schemes world,
// auth, ip and digest with SHA1, and nobody who may do everything. All servers of
// an ensemble need the same one, for the leader judges the identities that the
// others gave to their clients. It does not change once in use.
type Policy struct {
	// SkipACL allows everything to everyone; lists are still checked for form.
	SkipACL bool

	// NoDigest says that the digest scheme does not exist: nobody can have such an
	// identity, no list can name one, and those that do match nobody. zoo.cfg:
	// DigestAuthenticationProvider.enabled=false.
	NoDigest bool
	// DigestAlgorithm is the hash that digests are made with, by the name that
	// Java has for it; "" is SHA1. See DigestAlgorithms. zoo.cfg:
	// DigestAuthenticationProvider.digestAlg.
	DigestAlgorithm string
	// SuperDigest is the digest id, user:hash, whose owner may do everything; ""
	// is nobody's. zoo.cfg: DigestAuthenticationProvider.superDigest.
	SuperDigest string

	// X509 says that the scheme x509 exists: identities are the names of clients'
	// certificates, as RFC 2253 writes them.
	X509 bool
	// X509SuperUser is the name whose owner may do everything; "" is nobody's.
	// zoo.cfg: X509AuthenticationProvider.superUser.
	X509SuperUser string

	// SASL says that the scheme sasl exists: identities are authorization ids.
	SASL bool
	// SASLSuperUsers are the authorization ids whose owners may do everything.
	// zoo.cfg: superUser and superUser.N.
	SASLSuperUsers []string
	// AnySASLUser is the id in lists that means every SASL identity; "" is none.
	// zoo.cfg: letAnySaslUserDoX.
	AnySASLUser string
}

// digestAlgorithms are the hashes that a digest may be made with. Java compares
// their names without regard to case.
var digestAlgorithms = []struct {
	names []string
	make  func() hash.Hash
}{
	{[]string{"SHA1", "SHA-1", "SHA"}, sha1.New},
	{[]string{"SHA-224"}, sha256.New224},
	{[]string{"SHA-256"}, sha256.New},
	{[]string{"SHA-384"}, sha512.New384},
	{[]string{"SHA-512"}, sha512.New},
	{[]string{"SHA-512/224"}, sha512.New512_224},
	{[]string{"SHA-512/256"}, sha512.New512_256},
	{[]string{"SHA3-224"}, func() hash.Hash { return sha3.New224() }},
	{[]string{"SHA3-256"}, func() hash.Hash { return sha3.New256() }},
	{[]string{"SHA3-384"}, func() hash.Hash { return sha3.New384() }},
	{[]string{"SHA3-512"}, func() hash.Hash { return sha3.New512() }},
	{[]string{"MD5"}, md5.New},
}

// DigestAlgorithms returns the names that DigestAlgorithm may have, the default
// first. Upper and lower case do not matter.
func DigestAlgorithms() []string {
	var names []string
	for _, a := range digestAlgorithms {
		names = append(names, a.names...)
	}
	return names
}

// newHash returns the hash of that name, or nil.
func newHash(name string) hash.Hash {
	if name == "" {
		return sha1.New()
	}
	for _, a := range digestAlgorithms {
		if slices.ContainsFunc(a.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			return a.make()
		}
	}
	return nil
}

// Validate returns everything that is wrong with the policy, joined.
func (p *Policy) Validate() error {
	var faults []error
	if newHash(p.DigestAlgorithm) == nil {
		faults = append(faults, fmt.Errorf("DigestAlgorithm is %q; want one of %s",
			p.DigestAlgorithm, strings.Join(DigestAlgorithms(), ", ")))
	}
	if user, hash, _ := strings.Cut(p.SuperDigest, ":"); p.SuperDigest != "" && (user == "" || hash == "") {
		faults = append(faults, errors.New("SuperDigest is not user:digest"))
	}
	if p.X509SuperUser != "" && !x500.Valid(p.X509SuperUser) {
		faults = append(faults, fmt.Errorf("X509SuperUser is %q; want a name as RFC 2253 writes it, such as CN=admin,O=Example", p.X509SuperUser))
	}
	return errors.Join(faults...)
}

// has reports whether there are identities of a scheme that stands in lists.
func (p *Policy) has(scheme string) bool {
	switch scheme {
	case SchemeIP:
		return true
	case SchemeDigest:
		return !p.NoDigest
	case SchemeX509:
		return p.X509
	case SchemeSASL:
		return p.SASL
	}
	return false
}

// proven reports whether identities of a scheme have been proven by their owner,
// so that scheme auth stands for them: an address has not.
func (p *Policy) proven(scheme string) bool { return scheme != SchemeIP && p.has(scheme) }

// Authenticate returns the identities that an auth request of a connection from
// addr adds. Digest accepts any user:password but null; who proves to know the password
// of SuperDigest is also super. The code is ErrAuthFailed for a scheme that does
// not exist, or whose identities come in another way, else OK.
func (p *Policy) Authenticate(scheme string, auth []byte, addr netip.Addr) ([]proto.ID, proto.ErrCode) {
	switch {
	case scheme == SchemeDigest && auth != nil && p.has(scheme):
		id := p.digestID(auth)
		if p.SuperDigest != "" && id.ID == p.SuperDigest {
			return []proto.ID{{Scheme: SchemeSuper}, id}, proto.OK
		}
		return []proto.ID{id}, proto.OK
	case scheme == SchemeIP:
		return []proto.ID{IPID(addr)}, proto.OK
	}
	return nil, proto.ErrAuthFailed
}

// X509IDs returns the identities of a connection whose client has shown a
// certificate with this subject, as RFC 2253 writes it.
func (p *Policy) X509IDs(subject string) []proto.ID {
	id := proto.ID{Scheme: SchemeX509, ID: subject}
	if p.X509SuperUser != "" && subject == p.X509SuperUser {
		return []proto.ID{{Scheme: SchemeSuper, ID: subject}, id}
	}
	return []proto.ID{id}
}

// SASLIDs returns the identities of a connection that has completed SASL with
// this authorization id.
func (p *Policy) SASLIDs(authorizationID string) []proto.ID {
	ids := []proto.ID{{Scheme: SchemeSASL, ID: authorizationID}}
	if slices.Contains(p.SASLSuperUsers, authorizationID) {
		ids = append(ids, proto.ID{Scheme: SchemeSuper})
	}
	return ids
}

// digestID returns the identity that the digest scheme gives to auth, which is
// user:password. The user ends at the first colon.
func (p *Policy) digestID(auth []byte) proto.ID {
	user, _, _ := bytes.Cut(auth, []byte(":"))
	h := newHash(p.DigestAlgorithm)
	h.Write(auth)
	sum := base64.StdEncoding.EncodeToString(h.Sum(nil))
	return proto.ID{Scheme: SchemeDigest, ID: string(user) + ":" + sum}
}

// DigestID returns the identity that the digest scheme gives to a user by
// default: user:base64(SHA1("user:password")).
func DigestID(user, password string) proto.ID {
	return new(Policy).digestID([]byte(user + ":" + password))
}

// Check reports whether a connection with these identities may do what the
// permission bits say, any of them, to a node with this list. An empty list
// allows everything, and so does an identity of scheme super.
func (p *Policy) Check(list []proto.ACL, perm int32, ids []proto.ID) bool {
	if p.SkipACL || len(list) == 0 {
		return true
	}
	for i := range list {
		if list[i].Perms&perm != 0 && list[i].ID.Scheme == SchemeWorld && list[i].ID.ID == anyone {
			return true
		}
	}
	for _, id := range ids {
		if id.Scheme == SchemeSuper {
			return true
		}
		if !p.has(id.Scheme) {
			continue
		}
		for i := range list {
			if list[i].Perms&perm != 0 && list[i].ID.Scheme == id.Scheme && p.matches(id, list[i].ID.ID) {
				return true
			}
		}
	}
	return false
}

// matches reports whether a list's id of the same scheme means the identity.
func (p *Policy) matches(id proto.ID, want string) bool {
	switch id.Scheme {
	case SchemeIP:
		addr, err := netip.ParseAddr(id.ID)
		prefix, ok := ipPrefix(want)
		return err == nil && ok && prefix.Contains(addr.Unmap())
	case SchemeSASL:
		return id.ID == want || id.ID == saslSuper || p.AnySASLUser != "" && want == p.AnySASLUser
	}
	return id.ID == want
}

// saslSuper is the authorization id that every list of scheme sasl lets pass.
const saslSuper = "super"
