package main

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/certs"
)

// tlsConfig is what the file says about clients that speak TLS.
type tlsConfig struct {
	Addr    string // secureClientPort with its address, host:port; empty: none
	Unified bool   // client.portUnification: clientPort takes TLS, too
	Certs   certs.Config
}

// wanted reports whether any client may speak TLS.
func (c *tlsConfig) wanted() bool { return c.Addr != "" || c.Unified }

// secureRules are the keys of TLS for clients.
var secureRules = map[string]configRule{
	"secureClientPort":        func(p *configParser, e configEntry) { p.number(e, 0, 65535, &p.securePort) },
	"secureClientPortAddress": func(p *configParser, e configEntry) { p.hostAlone(e, &p.secureHost) },
	"client.portUnification":  func(p *configParser, e configEntry) { p.flag(e, &p.cfg.TLS.Unified) },
	"client.certReload": func(p *configParser, e configEntry) {
		if reload := true; p.flag(e, &reload) {
			p.cfg.TLS.Certs.Fixed = !reload
		}
	},
	"ssl.keyStore.location": func(p *configParser, e configEntry) { p.text(e, "a file", &p.cfg.TLS.Certs.Keys.Location) },
	"ssl.keyStore.keyLocation": func(p *configParser, e configEntry) {
		p.text(e, "a file with a private key in PEM", &p.cfg.TLS.Certs.Keys.KeyLocation)
	},
	"ssl.keyStore.password":       func(p *configParser, e configEntry) { p.cfg.TLS.Certs.Keys.Password = e.Value },
	"ssl.keyStore.passwordPath":   func(p *configParser, e configEntry) { p.text(e, "a file", &p.cfg.TLS.Certs.Keys.PasswordPath) },
	"ssl.keyStore.type":           func(p *configParser, e configEntry) { p.cfg.TLS.Certs.Keys.Type = e.Value },
	"ssl.trustStore.location":     func(p *configParser, e configEntry) { p.text(e, "a file", &p.cfg.TLS.Certs.Trust.Location) },
	"ssl.trustStore.password":     func(p *configParser, e configEntry) { p.cfg.TLS.Certs.Trust.Password = e.Value },
	"ssl.trustStore.passwordPath": func(p *configParser, e configEntry) { p.text(e, "a file", &p.cfg.TLS.Certs.Trust.PasswordPath) },
	"ssl.trustStore.type":         func(p *configParser, e configEntry) { p.cfg.TLS.Certs.Trust.Type = e.Value },
	"ssl.clientAuth": func(p *configParser, e configEntry) {
		auth, err := certs.ParseClientAuth(e.Value)
		if err != nil {
			p.fault(e, "ssl.clientAuth: %v", err)
		}
		p.cfg.TLS.Certs.ClientAuth = auth
	},
	// Together in finishProtocols.
	"ssl.protocol":         func(*configParser, configEntry) {},
	"ssl.enabledProtocols": func(*configParser, configEntry) {},
	"ssl.ciphersuites":     takeCipherSuites,
	"ssl.crl":              takeRevocation,
	"ssl.ocsp":             takeRevocation,
	// That a name belongs to a server is for clients to verify; what it means here
	// is that no client's address is compared, whatever the next key says.
	"ssl.hostnameVerification": func(p *configParser, e configEntry) { p.flag(e, new(bool)) },
	"ssl.clientHostnameVerification": func(p *configParser, e configEntry) {
		p.flag(e, &p.cfg.TLS.Certs.VerifyClientHost)
	},
	"ssl.authProvider": func(p *configParser, e configEntry) {
		if e.Value != "x509" {
			p.fault(e, "ssl.authProvider=%s: only x509 exists; remove the line", clip(e.Value))
		}
	},
	"netty.server.outstandingHandshake.limit": func(p *configParser, e configEntry) {
		if e.Value == "-1" || e.Value == "0" {
			p.warn(e, "%s=%s: handshakes are always limited; the default holds", e.Key, e.Value)
			return
		}
		p.number(e, 1, 1<<20, &p.cfg.Service.HandshakesMax)
	},
}

func takeCipherSuites(p *configParser, e configEntry) {
	suites, unknown, err := certs.ParseCipherSuites(e.Value)
	switch {
	case err != nil:
		p.fault(e, "ssl.ciphersuites: %v", err)
	case len(unknown) > 0:
		p.warn(e, "ssl.ciphersuites: not known here, and left out: %s", strings.Join(unknown, ", "))
	}
	p.cfg.TLS.Certs.CipherSuites = suites
}

func takeRevocation(p *configParser, e configEntry) {
	if on := false; p.flag(e, &on) && on {
		p.fault(e, "%s=true is not supported: whether certificates have been revoked is not asked; give clients certificates that end soon, or take their authority out of the trust store", e.Key)
	}
}

// hostAlone stores a host name or an address, without a port.
func (p *configParser) hostAlone(e configEntry, host *string) {
	*host = strings.TrimSuffix(strings.TrimPrefix(e.Value, "["), "]")
	if *host == "" || strings.Contains(*host, ":") && net.ParseIP(*host) == nil {
		p.fault(e, "%s=%s: want a host name or an IP address without port", e.Key, clip(e.Value))
	}
}

// finishSecure puts together what the keys of TLS say.
func (p *configParser) finishSecure() {
	c := &p.cfg.TLS
	if e, ok := p.entries["secureClientPortAddress"]; ok && p.securePort == 0 {
		p.fault(e, "secureClientPortAddress is set but secureClientPort is not; add a line such as secureClientPort=2281")
	}
	if p.securePort != 0 {
		c.Addr = net.JoinHostPort(p.secureHost, strconv.Itoa(p.securePort))
	}
	if e, ok := p.entries["client.portUnification"]; ok && c.Unified && p.cfg.ClientAddr == "" {
		p.fault(e, "client.portUnification=true lets clientPort take TLS, too, but there is no clientPort")
	}
	p.finishProtocols()
	if e, ok := p.entries["ssl.hostnameVerification"]; ok && isFalse(e.Value) {
		c.Certs.VerifyClientHost = false
	}
	if !c.wanted() {
		for _, key := range []string{"ssl.keyStore.location", "ssl.trustStore.location", "X509AuthenticationProvider.superUser"} {
			if e, ok := p.entries[key]; ok {
				p.warn(e, "%s has no effect without secureClientPort or client.portUnification=true", key)
			}
		}
		return
	}
	p.cfg.Service.Policy.X509 = true
	e, ok := p.entries["secureClientPort"]
	if !ok {
		e = p.entries["client.portUnification"]
	}
	for _, err := range unjoined(c.Certs.Validate()) {
		p.fault(e, "%s: %v", e.Key, err)
	}
}

// finishProtocols reads the two keys that say which versions there are.
func (p *configParser) finishProtocols() {
	e, ok := p.entries["ssl.enabledProtocols"]
	if !ok {
		if e, ok = p.entries["ssl.protocol"]; !ok {
			return
		}
	}
	protocols, err := certs.ParseProtocols(p.entries["ssl.protocol"].Value, p.entries["ssl.enabledProtocols"].Value)
	switch {
	case err != nil:
		p.fault(e, "%s: %v", e.Key, err)
	case protocols.Min != 0 && protocols.Min < tls.VersionTLS12:
		p.warn(e, "%s allows versions of TLS before 1.2, which are broken", e.Key)
	}
	p.cfg.TLS.Certs.Protocols = protocols
}

func isFalse(value string) bool {
	return strings.EqualFold(value, "false") || strings.EqualFold(value, "no")
}

// unjoined returns the errors that errors.Join has made one of.
func unjoined(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
