package main

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/certs"
	"github.com/quorate/quorate/server"
)

const lone = "dataDir=/d\nclientPort=2181\n"

func TestConfig_KeysOfTLS(t *testing.T) {
	cfg := requireConfig(t, lone+`
secureClientPort=2281
secureClientPortAddress=[::1]
client.portUnification=true
client.certReload=false
zookeeper.ssl.keyStore.location=/k.p12
ssl.keyStore.password=a=b
ssl.keyStore.passwordPath=/k.password
ssl.keyStore.type=JKS
ssl.trustStore.location=/t
ssl.trustStore.password=
ssl.trustStore.passwordPath=/t.password
ssl.trustStore.type=pem
ssl.clientAuth=WANT
ssl.protocol=TLSv1.3
ssl.enabledProtocols=TLSv1.3,TLSv1.2
ssl.ciphersuites=TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
ssl.crl=false
ssl.ocsp=false
ssl.clientHostnameVerification=true
ssl.authProvider=x509
X509AuthenticationProvider.superUser=CN=root
netty.server.outstandingHandshake.limit=250
`, "")
	assert.Empty(t, cfg.Warnings)
	assert.Equal(t, tlsConfig{
		Addr: "[::1]:2281", Unified: true,
		Certs: certs.Config{
			Keys:       certs.Store{Location: "/k.p12", Password: "a=b", PasswordPath: "/k.password", Type: "JKS"},
			Trust:      certs.Store{Location: "/t", PasswordPath: "/t.password", Type: "pem"},
			ClientAuth: certs.Want, VerifyClientHost: true, Fixed: true,
			Protocols:    certs.Protocols{Min: tls.VersionTLS12, Max: tls.VersionTLS13},
			CipherSuites: certs.CipherSuites{tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		},
	}, cfg.TLS)
	assert.Equal(t, server.Config{HandshakesMax: 250, Policy: server.Policy{X509: true, X509SuperUser: "CN=root"}}, cfg.Service)
}

func TestConfig_TLSAlone(t *testing.T) {
	cfg := requireConfig(t, "dataDir=/d\nsecureClientPort=2281\nssl.keyStore.location=/k.pem\nssl.keyStore.keyLocation=/k.key\nssl.clientAuth=none\n"+
		"ssl.hostnameVerification=false\nssl.clientHostnameVerification=true\n", "")
	assert.Empty(t, cfg.Warnings, "clients are served")
	assert.Empty(t, cfg.ClientAddr)
	assert.Equal(t, ":2281", cfg.TLS.Addr)
	assert.Equal(t, "/k.key", cfg.TLS.Certs.Keys.KeyLocation)
	assert.False(t, cfg.TLS.Certs.VerifyClientHost, "as in Java, the first key turns both off")
	assert.False(t, cfg.TLS.Certs.Fixed)
}

func TestConfig_FaultsOfTLS(t *testing.T) {
	const port = "secureClientPort=2281\nssl.keyStore.location=/k.pem\nssl.trustStore.location=/t.pem\n"
	for text, want := range map[string]string{
		"secureClientPort=2281":                           "zoo.cfg:3: secureClientPort: ssl.keyStore.location is missing",
		"secureClientPort=2281\nssl.keyStore.location=/k": "set ssl.keyStore.type to PEM, PKCS12 or JKS",
		"secureClientPortAddress=::1":                     "zoo.cfg:3: secureClientPortAddress is set but secureClientPort is not",
		"secureClientPortAddress=a:b":                     "zoo.cfg:3: secureClientPortAddress=a:b: want a host name",
		"client.portUnification=true":                     "zoo.cfg:3: client.portUnification: ssl.keyStore.location is missing",
		port + "ssl.clientAuth=yes":                       `zoo.cfg:6: ssl.clientAuth: "yes" is none of`,
		port + "ssl.protocol=SSL":                         "zoo.cfg:6: ssl.protocol: ",
		port + "ssl.enabledProtocols=TLSv1.1,TLSv1.3":     "zoo.cfg:6: ssl.enabledProtocols: ",
		port + "ssl.ciphersuites=x":                       "zoo.cfg:6: ssl.ciphersuites: none of these is known: x",
		port + "ssl.crl=true":                             "zoo.cfg:6: ssl.crl=true is not supported",
		port + "ssl.ocsp=true":                            "zoo.cfg:6: ssl.ocsp=true is not supported",
		port + "ssl.authProvider=mine":                    "zoo.cfg:6: ssl.authProvider=mine: only x509 exists",
		port + "ssl.context.supplier.class=a.B":           "zoo.cfg:6: ssl.context.supplier.class is not supported yet",
		port + "ssl.quorum.keyStore.location=a.B":         "TLS between servers comes later",
		port + "ssl.keyStore.loction=/k":                  "see docs/operating.md; did you mean ssl.keyStore.location?",
		port + "X509AuthenticationProvider.superUser=bob": "X509SuperUser is \"bob\"",
	} {
		_, err := parseText(lone+text+"\n", "")
		assert.ErrorContains(t, err, want, text)
	}
	_, err := parseText(lone+"ssl.quorum.keyStore.location=/k\n", "")
	assert.NotContains(t, err.Error(), "did you mean", "it is no typing error")
	_, err = parseText("dataDir=/d\nclient.portUnification=true\n", "")
	assert.ErrorContains(t, err, "zoo.cfg:2: client.portUnification=true lets clientPort take TLS, too, but there is no clientPort")
}

func TestConfig_WarningsOfTLS(t *testing.T) {
	cfg := requireConfig(t, lone+"ssl.keyStore.location=/k.pem\nssl.trustStore.location=/k.pem\nrequireClientAuthScheme=sasl\n"+
		"X509AuthenticationProvider.superUser=CN=a\n", "")
	require.Len(t, cfg.Warnings, 4)
	assert.Contains(t, cfg.Warnings[0], "zoo.cfg:5: requireClientAuthScheme has no effect: ZooKeeper does not act on it either")
	assert.Contains(t, cfg.Warnings[1], "zoo.cfg:3: ssl.keyStore.location has no effect without secureClientPort")
	assert.Contains(t, cfg.Warnings[3], "zoo.cfg:6: X509AuthenticationProvider.superUser has no effect without")
	cfg = requireConfig(t, "dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=/k.pem\nssl.clientAuth=none\nssl.protocol=TLSv1.1\n"+
		"ssl.ciphersuites=TLS_RSA_WITH_AES_128_CBC_SHA,TLS_DHE_X\nnetty.server.outstandingHandshake.limit=-1\n", "")
	assert.Contains(t, strings.Join(cfg.Warnings, "\n"), "zoo.cfg:5: ssl.protocol allows versions of TLS before 1.2")
	assert.Contains(t, strings.Join(cfg.Warnings, "\n"), "zoo.cfg:6: ssl.ciphersuites: not known here, and left out: TLS_DHE_X")
	assert.Contains(t, strings.Join(cfg.Warnings, "\n"), "handshakes are always limited")
}

func TestConfig_KeysOfAuthentication(t *testing.T) {
	cfg := requireConfig(t, lone+`
java.security.auth.login.config=/etc/jaas.conf
zookeeper.sasl.serverconfig=ZooKeeper
SASLAuthenticationProvider.superPassword=secret
authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider
authProvider.e=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider
authProvider.4=org.apache.zookeeper.server.auth.DigestAuthenticationProvider
superUser=root
superUser.2=admin
letAnySaslUserDoX=anybody
allowSaslFailedClients=true
enforce.auth.enabled=true
enforce.auth.schemes=sasl, digest
ensembleAuthName=orders, payments
session.secret=a secret of all servers
`, "")
	assert.Empty(t, cfg.Warnings)
	assert.Equal(t, jaasConfig{Path: "/etc/jaas.conf", Section: "ZooKeeper", SuperPassword: "secret"}, cfg.JAAS)
	assert.True(t, cfg.Service.SASL.AllowFailed)
	cfg.Service.SASL, cfg.Service.Secret = nil, nil
	assert.Equal(t, server.Config{
		Policy:       server.Policy{SASL: true, X509: true, SASLSuperUsers: []string{"root", "admin"}, AnySASLUser: "anybody"},
		EnforceAuth:  []string{"sasl", "digest"},
		EnsembleAuth: true, EnsembleNames: []string{"orders", "payments"},
	}, cfg.Service)

	cfg = requireConfig(t, lone+"sasl.jaas=/j\nsessionRequireClientSASLAuth=true\nenforce.auth.enabled=true\nenforce.auth.schemes=ip\n", "")
	assert.Equal(t, []string{"sasl"}, cfg.Service.EnforceAuth, "the older key wins, as in Java")
	assert.Contains(t, strings.Join(cfg.Warnings, "\n"), "add a line session.secret=")
	assert.Equal(t, jaasConfig{Path: "/j", Section: "Server"}, cfg.JAAS)
	assert.True(t, cfg.Service.Policy.SASL)
}

func TestConfig_FaultsOfAuthentication(t *testing.T) {
	for text, want := range map[string]string{
		"authProvider.1=x": "zoo.cfg:3: authProvider.1=x: the schemes of such a class do not exist here",
		"authProvider.1=org.apache.zookeeper.server.auth.KeyAuthenticationProvider": "do not exist here",
		"enforce.auth.enabled=true":                                "zoo.cfg:3: enforce.auth.enabled=true: say in enforce.auth.schemes which",
		"enforce.auth.enabled=true\nenforce.auth.schemes=ip,x509":  `zoo.cfg:4: enforce.auth.schemes: the scheme "x509" needs secureClientPort`,
		"enforce.auth.enabled=true\nenforce.auth.schemes=kerberos": `the scheme "kerberos" is none by which clients authenticate`,
		"sessionRequireClientSASLAuth=true":                        `zoo.cfg:3: sessionRequireClientSASLAuth: the scheme "sasl" needs users`,
		"sasl.jaas=/a\njava.security.auth.login.config=/b":         "zoo.cfg:4: the JAAS file is named here and by sasl.jaas",
		"superUser=": "zoo.cfg:3: superUser is empty",
	} {
		_, err := parseText(lone+text+"\n", "")
		assert.ErrorContains(t, err, want, text)
	}
}

func TestConfig_WarningsOfAuthentication(t *testing.T) {
	cfg := requireConfig(t, lone+"superUser.1=a\nauthProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n"+
		"enforce.auth.schemes=ip\nensembleAuthName=a\nkerberos.removeHostFromPrincipal=true\n", "")
	all := strings.Join(cfg.Warnings, "\n")
	require.Len(t, cfg.Warnings, 5, all)
	for _, want := range []string{"zoo.cfg:3: superUser.1 has no effect without users", "zoo.cfg:4: authProvider.1 has no effect without users",
		"zoo.cfg:5: enforce.auth.schemes has no effect", "zoo.cfg:6: ensembleAuthName has no effect", "Kerberos is not supported"} {
		assert.Contains(t, all, want)
	}
}
