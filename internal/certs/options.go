package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ParseClientAuth reads the value of ssl.clientAuth: need, want or none in any
// case; empty means need.
func ParseClientAuth(text string) (ClientAuth, error) {
	switch strings.ToLower(text) {
	case "need", "":
		return Need, nil
	case "want":
		return Want, nil
	case "none":
		return None, nil
	}
	return Need, fmt.Errorf("%q is none of need, want and none", text)
}

// tls translates to Go's word.
func (a ClientAuth) tls() tls.ClientAuthType {
	switch a {
	case Want:
		return tls.VerifyClientCertIfGiven
	case None:
		return tls.NoClientCert
	}
	return tls.RequireAndVerifyClientCert
}

// Protocols are the versions of TLS from Min to Max, as package tls numbers them;
// 0 stands for 1.2 and for 1.3.
type Protocols struct{ Min, Max uint16 }

func (p Protocols) span() (least, most uint16) {
	least, most = p.Min, p.Max
	if least == 0 {
		least = tls.VersionTLS12
	}
	if most == 0 {
		most = tls.VersionTLS13
	}
	return least, most
}

// versions are Java's names.
var versions = []struct {
	name string
	id   uint16
}{
	{"TLSv1", tls.VersionTLS10}, {"TLSv1.1", tls.VersionTLS11},
	{"TLSv1.2", tls.VersionTLS12}, {"TLSv1.3", tls.VersionTLS13},
}

// ParseProtocols reads the values of ssl.protocol, which names the newest version,
// and of ssl.enabledProtocols, a list that wins over it. Both may be empty.
func ParseProtocols(newest, enabled string) (Protocols, error) {
	if enabled == "" {
		switch newest {
		case "", "TLS", "TLSv1.3":
			return Protocols{}, nil
		}
		return parseVersions(newest)
	}
	return parseVersions(strings.Split(enabled, ",")...)
}

func parseVersions(names ...string) (Protocols, error) {
	var p Protocols
	have := map[uint16]bool{}
	for _, name := range names {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(versions, func(v struct {
			name string
			id   uint16
		}) bool {
			return v.name == name
		})
		if i < 0 {
			return p, fmt.Errorf("%q is none of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3", name)
		}
		id := versions[i].id
		have[id] = true
		if p.Min == 0 || id < p.Min {
			p.Min = id
		}
		p.Max = max(p.Max, id)
	}
	for id := p.Min; id <= p.Max; id++ {
		if !have[id] {
			return p, fmt.Errorf("%s leaves out a version between two; list them without a gap", strings.Join(names, ","))
		}
	}
	return p, nil
}

// CipherSuites are those that may be negotiated. Nil means Go's choice.
type CipherSuites []uint16

// ParseCipherSuites reads the value of ssl.ciphersuites, names with commas in
// between. Those that are known to others but not here are returned apart, for a
// warning: as long as one is left, they only cannot be negotiated.
func ParseCipherSuites(text string) (suites CipherSuites, unknown []string, err error) {
	if text == "" {
		return nil, nil, nil
	}
	all := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		suites = append(suites, all[i].ID)
	}
	if suites == nil {
		return nil, nil, fmt.Errorf("none of these is known: %s; TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 and TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 are, for example",
			strings.Join(unknown, ", "))
	}
	return suites, unknown, nil
}

// split tells suites of TLS 1.3 from the others.
func (s CipherSuites) split() (new, old []uint16) {
	for _, suite := range tls.CipherSuites() {
		if slices.Contains(s, suite.ID) && slices.Contains(suite.SupportedVersions, tls.VersionTLS13) {
			new = append(new, suite.ID)
		}
	}
	for _, id := range s {
		if !slices.Contains(new, id) {
			old = append(old, id)
		}
	}
	return new, old
}

// fit reports whether a handshake is possible with these versions.
func (s CipherSuites) fit(p Protocols) error {
	if s == nil {
		return nil
	}
	least, most := p.span()
	new, old := s.split()
	if (most < tls.VersionTLS13 || len(new) == 0) && (least > tls.VersionTLS12 || len(old) == 0) {
		return errors.New("no handshake is possible: there is no suite for the enabled protocols")
	}
	return nil
}

// apply limits c to the versions and the suites. Go lets nobody choose among the
// suites of TLS 1.3, so that version is on if one of them is listed, with all.
func (s CipherSuites) apply(p Protocols, c *tls.Config) {
	c.MinVersion, c.MaxVersion = p.span()
	if s == nil {
		return
	}
	new, old := s.split()
	if len(new) == 0 {
		c.MaxVersion = min(c.MaxVersion, tls.VersionTLS12)
	}
	if len(old) == 0 {
		c.MinVersion = tls.VersionTLS13
	}
	c.CipherSuites = old
}
