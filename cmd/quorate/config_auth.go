package main

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/server/sasl"
)

// jaasConfig is where the users are who may authenticate by SASL.
type jaasConfig struct {
	Path          string // empty: nobody may
	Section       string
	SuperPassword string // of the user super, in place of what the file says
}

// authRules are the keys that say who clients can be and must be.
var authRules = map[string]configRule{
	"X509AuthenticationProvider.superUser": func(p *configParser, e configEntry) {
		p.text(e, "the subject of a certificate", &p.cfg.Service.Policy.X509SuperUser)
	},
	"superUser": takeSASLSuperUser,
	"letAnySaslUserDoX": func(p *configParser, e configEntry) {
		p.text(e, "the id that stands for every SASL user in ACLs", &p.cfg.Service.Policy.AnySASLUser)
	},
	"sasl.jaas":                       func(p *configParser, e configEntry) { p.text(e, "a JAAS file", &p.cfg.JAAS.Path) },
	"java.security.auth.login.config": func(p *configParser, e configEntry) { p.text(e, "a JAAS file", &p.cfg.JAAS.Path) },
	"sasl.serverconfig":               func(p *configParser, e configEntry) { p.text(e, "the name of a section", &p.cfg.JAAS.Section) },
	"SASLAuthenticationProvider.superPassword": func(p *configParser, e configEntry) {
		p.text(e, "the password of the user super", &p.cfg.JAAS.SuperPassword)
	},
	"allowSaslFailedClients":       func(p *configParser, e configEntry) { p.flag(e, &p.allowFailed) },
	"sessionRequireClientSASLAuth": func(p *configParser, e configEntry) { p.flag(e, &p.requireSASL) },
	"enforce.auth.enabled":         func(p *configParser, e configEntry) { p.flag(e, &p.enforce) },
	"enforce.auth.schemes": func(p *configParser, e configEntry) {
		for scheme := range strings.SplitSeq(e.Value, ",") {
			p.schemes = append(p.schemes, strings.TrimSpace(scheme))
		}
	},
	"ensembleAuthName": func(p *configParser, e configEntry) {
		for name := range strings.SplitSeq(e.Value, ",") {
			p.cfg.Service.EnsembleNames = append(p.cfg.Service.EnsembleNames, strings.TrimSpace(name))
		}
	},
}

// familyRules are for all keys that begin so.
var familyRules = map[string]configRule{
	"authProvider.": takeAuthProvider,
	"superUser.":    takeSASLSuperUser,
}

// familyRule finds the rule of a key by how it begins.
func familyRule(key string) (configRule, bool) {
	family, _, found := strings.Cut(key, ".")
	rule, ok := familyRules[family+"."]
	return rule, ok && found
}

func takeSASLSuperUser(p *configParser, e configEntry) {
	if user := ""; p.text(e, "the name of a SASL user", &user) {
		p.cfg.Service.Policy.SASLSuperUsers = append(p.cfg.Service.Policy.SASLSuperUsers, user)
	}
}

// providerPackage is where ZooKeeper's own providers are.
const providerPackage = "org.apache.zookeeper.server.auth."

// takeAuthProvider turns on what a class of ZooKeeper's would do.
func takeAuthProvider(p *configParser, e configEntry) {
	name, ours := strings.CutPrefix(e.Value, providerPackage)
	switch {
	case !ours:
	case name == "SASLAuthenticationProvider":
		p.cfg.Service.Policy.SASL = true
		return
	case name == "X509AuthenticationProvider":
		p.cfg.Service.Policy.X509 = true
		return
	case name == "EnsembleAuthenticationProvider":
		p.cfg.Service.EnsembleAuth = true
		return
	case name == "IPAuthenticationProvider", name == "DigestAuthenticationProvider": // are always there
		return
	}
	p.fault(e, "%s=%s: the schemes of such a class do not exist here; want %sSASLAuthenticationProvider, X509AuthenticationProvider, EnsembleAuthenticationProvider, DigestAuthenticationProvider or IPAuthenticationProvider",
		e.Key, clip(e.Value), providerPackage)
}

// finishAuth puts together what the keys say about who clients must be.
func (p *configParser) finishAuth() {
	c := &p.cfg.Service
	if p.has("sasl.jaas") && p.has("java.security.auth.login.config") {
		p.fault(p.entries["java.security.auth.login.config"], "the JAAS file is named here and by sasl.jaas; remove one of the two")
	}
	if p.cfg.JAAS.Path != "" {
		if p.cfg.JAAS.Section == "" {
			p.cfg.JAAS.Section = sasl.DefaultSection
		}
		c.Policy.SASL = true
		c.SASL = &server.SASL{AllowFailed: p.allowFailed} // the users follow when the file is read
	}
	p.warnWithoutJAAS()
	if e, ok := p.entries["ensembleAuthName"]; ok && !c.EnsembleAuth {
		p.warn(e, "ensembleAuthName has no effect without a line such as authProvider.1=%sEnsembleAuthenticationProvider", providerPackage)
	}
	p.finishEnforcement()
}

// warnWithoutJAAS tells of keys for users of whom there are none.
func (p *configParser) warnWithoutJAAS() {
	if p.cfg.JAAS.Path != "" {
		return
	}
	for key, e := range p.sortedEntries() {
		family, _, _ := strings.Cut(key, ".")
		if family == "superUser" || key == "letAnySaslUserDoX" || key == "allowSaslFailedClients" && p.allowFailed ||
			e.Value == providerPackage+"SASLAuthenticationProvider" {
			p.warn(e, "%s has no effect without users; name a JAAS file by sasl.jaas", key)
		}
	}
}

// sortedEntries yields all entries by key.
func (p *configParser) sortedEntries() iter.Seq2[string, configEntry] {
	return func(yield func(string, configEntry) bool) {
		for _, key := range slices.Sorted(maps.Keys(p.entries)) {
			if !yield(key, p.entries[key]) {
				return
			}
		}
	}
}

// finishEnforcement decides of which schemes clients must have an identity, as
// ZooKeeper does: sessionRequireClientSASLAuth wins.
func (p *configParser) finishEnforcement() {
	c := &p.cfg.Service
	key := "enforce.auth.enabled"
	switch {
	case p.requireSASL:
		key = "sessionRequireClientSASLAuth"
		c.EnforceAuth = []string{"sasl"}
	case !p.enforce:
		if e, ok := p.entries["enforce.auth.schemes"]; ok {
			p.warn(e, "enforce.auth.schemes has no effect without enforce.auth.enabled=true")
		}
		return
	case len(p.schemes) == 0:
		p.fault(p.entries[key], "enforce.auth.enabled=true: say in enforce.auth.schemes which, for example sasl,x509")
	default:
		key = "enforce.auth.schemes"
		c.EnforceAuth = p.schemes
	}
	remedies := map[string]string{
		"sasl":   "needs users: name a JAAS file by sasl.jaas",
		"x509":   "needs secureClientPort",
		"digest": "has been turned off by DigestAuthenticationProvider.enabled=false",
	}
	exists := map[string]bool{"ip": true, "digest": !c.Policy.NoDigest, "x509": c.Policy.X509, "sasl": c.SASL != nil}
	for _, scheme := range slices.Compact(slices.Sorted(slices.Values(c.EnforceAuth))) {
		if exists[scheme] {
			continue
		}
		remedy := remedies[scheme]
		if remedy == "" {
			remedy = "is none by which clients authenticate; want ip, digest, x509 or sasl"
		}
		p.fault(p.entries[key], "%s: the scheme %q %s", key, clip(scheme), remedy)
	}
}
