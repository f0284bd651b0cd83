package certs_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/certs"
)

func TestCerts_Protocols(t *testing.T) {
	for _, c := range []struct {
		newest, enabled string
		want            certs.Protocols
		fault           string
	}{
		{"", "", certs.Protocols{}, ""},
		{"TLS", "", certs.Protocols{}, ""},
		{"TLSv1.3", "", certs.Protocols{}, ""},
		{"TLSv1.2", "", certs.Protocols{Min: tls.VersionTLS12, Max: tls.VersionTLS12}, ""},
		{"TLSv1.2", "TLSv1.3", certs.Protocols{Min: tls.VersionTLS13, Max: tls.VersionTLS13}, ""},
		{"", "TLSv1.3, TLSv1.2,TLSv1.1", certs.Protocols{Min: tls.VersionTLS11, Max: tls.VersionTLS13}, ""},
		{"", "TLSv1.1,TLSv1.3", certs.Protocols{}, "leaves out a version"},
		{"SSLv3", "", certs.Protocols{}, `"SSLv3" is none of`},
		{"", "TLSv1.2,", certs.Protocols{}, `"" is none of`},
	} {
		got, err := certs.ParseProtocols(c.newest, c.enabled)
		if c.fault != "" {
			assert.ErrorContains(t, err, c.fault)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
	}
}

func TestCerts_ClientAuthInAnyCase(t *testing.T) {
	for text, want := range map[string]certs.ClientAuth{"": certs.Need, "NEED": certs.Need, "want": certs.Want, "None": certs.None} {
		got, err := certs.ParseClientAuth(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := certs.ParseClientAuth("no")
	assert.ErrorContains(t, err, `"no" is none of need, want and none`)
}

func TestCerts_CipherSuites(t *testing.T) {
	suites, unknown, err := certs.ParseCipherSuites("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_DHE_RSA_WITH_AES_128_GCM_SHA256")
	require.NoError(t, err)
	assert.Equal(t, []string{"TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"}, unknown)
	y := newYard(t)
	cfg := y.config()
	cfg.CipherSuites = suites
	seen, _, err := shake(t, y.open(cfg).Server(), y.client(y.alice))
	require.NoError(t, err)
	assert.Equal(t, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, seen.CipherSuite)
	assert.Equal(t, uint16(tls.VersionTLS12), seen.Version, "no suite of TLS 1.3 is listed")

	cfg.CipherSuites, _, err = certs.ParseCipherSuites("TLS_AES_128_GCM_SHA256")
	require.NoError(t, err)
	client := y.client(y.alice)
	client.MaxVersion = tls.VersionTLS12
	_, _, err = shake(t, y.open(cfg).Server(), client)
	assert.Error(t, err, "no suite of TLS 1.2 is listed")
	cfg.Protocols.Max = tls.VersionTLS12
	assert.ErrorContains(t, cfg.Validate(), "ssl.ciphersuites: no handshake is possible")

	_, _, err = certs.ParseCipherSuites("SSL_NULL")
	assert.ErrorContains(t, err, "none of these is known: SSL_NULL")
}

func TestCerts_ProtocolsAreKept(t *testing.T) {
	y := newYard(t)
	cfg := y.config()
	cfg.Protocols = certs.Protocols{Min: tls.VersionTLS13, Max: tls.VersionTLS13}
	config := y.open(cfg).Server()
	client := y.client(y.alice)
	seen, _, err := shake(t, config, client)
	require.NoError(t, err)
	assert.Equal(t, uint16(tls.VersionTLS13), seen.Version)
	client.MaxVersion = tls.VersionTLS12
	_, _, err = shake(t, config, client)
	assert.ErrorContains(t, err, "unsupported versions")
}
