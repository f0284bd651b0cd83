package certs_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/quorate/quorate/internal/certs"
	"github.com/quorate/quorate/internal/certs/certstest"
)

// yard is a directory with an authority, a server and a client.
type yard struct {
	t                 *testing.T
	dir               string
	ca, server, alice *certstest.Pair
	now               time.Time
	log               bytes.Buffer
}

func newYard(t *testing.T) *yard {
	y := &yard{t: t, dir: t.TempDir(), ca: certstest.Authority(t, "the authority"), now: time.Now()}
	y.server = y.ca.Issue(t, pkix.Name{CommonName: "server"})
	y.alice = y.ca.Issue(t, pkix.Name{CommonName: "alice"})
	return y
}

func (y *yard) path(name string) string { return filepath.Join(y.dir, name) }

func (y *yard) write(name string, parts ...[]byte) string {
	certstest.Write(y.t, y.path(name), parts...)
	return y.path(name)
}

// config is a config in PEM.
func (y *yard) config() certs.Config {
	return certs.Config{
		Keys:   certs.Store{Location: y.write("key.pem", y.server.StorePEM(y.t))},
		Trust:  certs.Store{Location: y.write("trust.pem", y.ca.CertPEM())},
		Now:    func() time.Time { return y.now },
		Logger: slog.New(slog.NewTextHandler(&y.log, nil)),
	}
}

func (y *yard) open(cfg certs.Config) *certs.Source {
	y.t.Helper()
	s, err := certs.Open(cfg)
	require.NoError(y.t, err)
	return s
}

// shake does a handshake over a real socket and returns what the client saw, and
// the server; the error is the server's, or else the client's.
func shake(t *testing.T, server, client *tls.Config) (seen, shown tls.ConnectionState, err error) {
	t.Helper()
	ln, dialErr := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, dialErr)
	defer ln.Close()
	type result struct {
		state tls.ConnectionState
		err   error
	}
	done := make(chan result, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			done <- result{err: err}
			return
		}
		defer nc.Close()
		conn := tls.Server(nc, server)
		_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
		err = conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("."))
		}
		done <- result{conn.ConnectionState(), err}
	}()
	nc, dialErr := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, dialErr)
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	conn := tls.Client(nc, client)
	if err = conn.Handshake(); err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	seen = conn.ConnectionState()
	_ = nc.Close()
	r := <-done
	if r.err != nil {
		err = r.err
	}
	return seen, r.state, err
}

func (y *yard) client(with ...*certstest.Pair) *tls.Config {
	c := &tls.Config{RootCAs: y.ca.Pool(), ServerName: "localhost"}
	for _, p := range with {
		c.Certificates = append(c.Certificates, p.TLS())
	}
	return c
}

func TestCerts_PEMStores(t *testing.T) {
	y := newYard(t)
	middle := y.ca.IssueAs(t, &x509.Certificate{Subject: pkix.Name{CommonName: "middle"}, IsCA: true, BasicConstraintsValid: true})
	y.server = middle.Issue(t, pkix.Name{CommonName: "server"})
	whole := y.config()
	apart := y.config()
	apart.Keys = certs.Store{Location: y.write("cert.pem", y.server.CertPEM()), KeyLocation: y.write("only.key", y.server.KeyPEM(t))}
	turned := y.config()
	turned.Keys.Location = y.write("turned.pem", y.server.KeyPEM(t), middle.CertPEM(), []byte("a comment\n"), y.server.CertPEM())
	whole.Keys.Location = y.write("whole.pem", y.server.CertPEM(), middle.CertPEM(), y.server.KeyPEM(t))
	apart.Keys.Location = y.write("cert.pem", y.server.CertPEM(), middle.CertPEM())
	for name, cfg := range map[string]certs.Config{"in one": whole, "apart": apart, "in another order": turned} {
		seen, shown, err := shake(t, y.open(cfg).Server(), y.client(y.alice))
		require.NoError(t, err, name)
		assert.Equal(t, "server", seen.PeerCertificates[0].Subject.CommonName, name)
		assert.Equal(t, "alice", shown.PeerCertificates[0].Subject.CommonName, name)
	}
}

func TestCerts_EncryptedKey(t *testing.T) {
	y := newYard(t)
	der, err := pkcs8.MarshalPrivateKey(y.server.Key, []byte("secret"), nil)
	require.NoError(t, err)
	key := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
	cfg := y.config()
	cfg.Keys.Location = y.write("encrypted.pem", y.server.CertPEM(), key)
	_, err = certs.Open(cfg)
	assert.ErrorContains(t, err, "is encrypted; say the password by ssl.keyStore.password")
	cfg.Keys.Password = "wrong"
	_, err = certs.Open(cfg)
	assert.ErrorContains(t, err, "is ssl.keyStore.password right?")
	cfg.Keys.PasswordPath = y.write("password", []byte("secret\n")) // wins
	_, _, err = shake(t, y.open(cfg).Server(), y.client(y.alice))
	require.NoError(t, err)
}

func TestCerts_RSAKeyInItsOwnBlock(t *testing.T) {
	y := newYard(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, y.server.Cert, y.ca.Cert, key.Public(), y.ca.Key)
	require.NoError(t, err)
	cfg := y.config()
	cfg.Keys.Location = y.write("rsa.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	_, _, err = shake(t, y.open(cfg).Server(), y.client(y.alice))
	require.NoError(t, err)
}

// jks writes a JKS store.
func (y *yard) jks(name string, pair *certstest.Pair, trusted *certstest.Pair, password string) string {
	y.t.Helper()
	store := keystore.New()
	if pair != nil {
		der, err := x509.MarshalPKCS8PrivateKey(pair.Key)
		require.NoError(y.t, err)
		require.NoError(y.t, store.SetPrivateKeyEntry("server", keystore.PrivateKeyEntry{CreationTime: y.now, PrivateKey: der,
			CertificateChain: []keystore.Certificate{{Type: "X509", Content: pair.Cert.Raw}}}, []byte(password)))
	}
	if trusted != nil {
		require.NoError(y.t, store.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{CreationTime: y.now,
			Certificate: keystore.Certificate{Type: "X509", Content: trusted.Cert.Raw}}))
	}
	var b bytes.Buffer
	require.NoError(y.t, store.Store(&b, []byte(password)))
	return y.write(name, b.Bytes())
}

func TestCerts_JavaStores(t *testing.T) {
	y := newYard(t)
	p12, err := pkcs12.Modern.Encode(y.server.Key, y.server.Cert, []*x509.Certificate{y.ca.Cert}, "changeit")
	require.NoError(t, err)
	trust12, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{y.ca.Cert}, "changeit")
	require.NoError(t, err)
	jksKeys, jksTrust := y.jks("key.jks", y.server, nil, "changeit"), y.jks("trust.jks", nil, y.ca, "changeit")
	for name, paths := range map[string][2]string{
		"JKS":               {jksKeys, jksTrust},
		"PKCS12":            {y.write("key.p12", p12), y.write("trust.p12", trust12)},
		"PKCS12 called JKS": {y.write("key2.jks", p12), y.write("trust2.jks", trust12)},
	} {
		cfg := y.config()
		cfg.Keys = certs.Store{Location: paths[0], Password: "changeit"}
		cfg.Trust = certs.Store{Location: paths[1], Password: "changeit"}
		_, shown, err := shake(t, y.open(cfg).Server(), y.client(y.alice))
		require.NoError(t, err, name)
		assert.Equal(t, "alice", shown.PeerCertificates[0].Subject.CommonName, name)

		cfg.Keys.Password = "wrong"
		_, err = certs.Open(cfg)
		assert.ErrorContains(t, err, "ssl.keyStore.location="+paths[0], name)
		assert.ErrorContains(t, err, "ssl.keyStore.password", name)
	}
}

func TestCerts_StoresOfKeytool(t *testing.T) {
	if _, err := exec.LookPath("keytool"); err != nil {
		t.Skip("keytool is not installed")
	}
	y := newYard(t)
	keytool := func(args ...string) {
		out, err := exec.Command("keytool", append(args, "-storepass", "changeit", "-noprompt")...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	keytool("-genkeypair", "-keystore", y.path("own.jks"), "-alias", "server", "-keyalg", "EC", "-dname", "CN=own", "-ext", "san=dns:localhost")
	keytool("-exportcert", "-keystore", y.path("own.jks"), "-alias", "server", "-rfc", "-file", y.path("own.pem"))
	y.write("alice.pem", y.alice.CertPEM())
	keytool("-importcert", "-keystore", y.path("trust.p12"), "-alias", "alice", "-file", y.path("alice.pem"))
	cfg := y.config()
	cfg.Keys = certs.Store{Location: y.path("own.jks"), Password: "changeit"}
	cfg.Trust = certs.Store{Location: y.path("trust.p12"), Password: "changeit"}
	client := y.client()
	client.InsecureSkipVerify = true
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // whoever signs is asked for
		pair := y.alice.TLS()
		return &pair, nil
	}
	seen, shown, err := shake(t, y.open(cfg).Server(), client)
	require.NoError(t, err)
	assert.Equal(t, "own", seen.PeerCertificates[0].Subject.CommonName)
	assert.Equal(t, "alice", shown.PeerCertificates[0].Subject.CommonName, "the trust store may name a client itself")
}

func TestCerts_WhatClientsMustShow(t *testing.T) {
	y := newYard(t)
	stranger := certstest.Authority(t, "a stranger").Issue(t, pkix.Name{CommonName: "alice"})
	for _, c := range []struct {
		auth            certs.ClientAuth
		none, bad, good bool // does a client with that certificate get in
	}{
		{certs.Need, false, false, true},
		{certs.Want, true, false, true},
		{certs.None, true, true, true},
	} {
		cfg := y.config()
		cfg.ClientAuth = c.auth
		config := y.open(cfg).Server()
		_, shown, err := shake(t, config, y.client())
		assert.Equal(t, c.none, err == nil, "no certificate, %v: %v", c.auth, err)
		assert.Empty(t, shown.PeerCertificates)
		bad := y.client()
		bad.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair := stranger.TLS()
			return &pair, nil
		}
		_, _, err = shake(t, config, bad)
		assert.Equal(t, c.bad, err == nil, "a stranger's, %v: %v", c.auth, err)
		_, shown, err = shake(t, config, y.client(y.alice))
		assert.Equal(t, c.good, err == nil, "a good one, %v: %v", c.auth, err)
		assert.Equal(t, c.auth != certs.None, len(shown.PeerCertificates) > 0)
	}
}

func TestCerts_ClientHostIsVerified(t *testing.T) {
	y := newYard(t)
	cfg := y.config()
	cfg.VerifyClientHost = true
	config := y.open(cfg).Server()
	_, _, err := shake(t, config, y.client(y.alice))
	require.NoError(t, err)
	elsewhere := y.ca.IssueAs(t, &x509.Certificate{Subject: pkix.Name{CommonName: "alice"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}})
	_, _, err = shake(t, config, y.client(elsewhere))
	assert.ErrorContains(t, err, "127.0.0.1")
}

func TestCerts_SaysHowLongACertificateIsGood(t *testing.T) {
	for want, until := range map[string]time.Duration{
		"level=INFO msg=\"this server's certificate\"":                15 * 24 * time.Hour,
		"level=WARN msg=\"this server's certificate ends soon":        13 * 24 * time.Hour,
		"level=WARN msg=\"this server's certificate is not valid now": -time.Minute,
	} {
		y := newYard(t)
		y.server = y.ca.IssueAs(t, &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, NotBefore: y.now.Add(-time.Hour), NotAfter: y.now.Add(until)})
		y.open(y.config())
		assert.Contains(t, y.log.String(), want)
	}
}

func TestCerts_ReloadsWhatHasChanged(t *testing.T) {
	y := newYard(t)
	s := y.open(y.config())
	config := s.Server()
	who := func() string {
		t.Helper()
		seen, _, err := shake(t, config, y.client(y.alice))
		require.NoError(t, err)
		return seen.PeerCertificates[0].Subject.CommonName
	}
	require.Equal(t, "server", who())
	y.write("key.pem", y.ca.Issue(t, pkix.Name{CommonName: "newer"}).StorePEM(t))
	assert.Equal(t, "server", who(), "the files are looked at once a second")
	y.now = y.now.Add(time.Second)
	assert.Equal(t, "newer", who())
	assert.Equal(t, 1, strings.Count(y.log.String(), "certificates reloaded"))

	other := certstest.Authority(t, "another")
	y.write("trust.pem", other.CertPEM())
	y.now = y.now.Add(time.Second)
	_, _, err := shake(t, config, y.client(y.alice))
	assert.Error(t, err, "alice's authority is trusted no more")
	_, _, err = shake(t, config, y.client(other.Issue(t, pkix.Name{CommonName: "eve"})))
	assert.NoError(t, err)
}

func TestCerts_ABrokenFileKeepsTheOldOne(t *testing.T) {
	y := newYard(t)
	config := y.open(y.config()).Server()
	good := y.server.StorePEM(t)
	stranger := y.ca.Issue(t, pkix.Name{CommonName: "newer"})
	for i, broken := range [][]byte{nil, good[:len(good)/2], append(y.server.CertPEM(), stranger.KeyPEM(t)...)} {
		y.write("key.pem", broken)
		for range 3 {
			y.now = y.now.Add(time.Second)
			seen, _, err := shake(t, config, y.client(y.alice))
			require.NoError(t, err)
			require.Equal(t, "server", seen.PeerCertificates[0].Subject.CommonName)
		}
		assert.Equal(t, i+1, strings.Count(y.log.String(), "cannot use the new certificates"), "reported once: %s", y.log.String())
	}
	assert.Contains(t, y.log.String(), "ssl.keyStore.location="+y.path("key.pem"))
	y.write("key.pem", stranger.StorePEM(t))
	y.now = y.now.Add(time.Second)
	seen, _, err := shake(t, config, y.client(y.alice))
	require.NoError(t, err)
	assert.Equal(t, "newer", seen.PeerCertificates[0].Subject.CommonName)
}

// For the race detector: handshakes look at files that change.
func TestCerts_HandshakesWhileFilesChange(t *testing.T) {
	y := newYard(t)
	cfg := y.config()
	start := time.Now()
	cfg.Now = func() time.Time { return start.Add(1000 * time.Since(start)) } // a look at every millisecond
	cfg.Logger = slog.New(slog.DiscardHandler)
	config := y.open(cfg).Server()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			store := y.server.StorePEM(t)
			if i%2 == 0 {
				store = store[:len(store)/2]
			}
			y.write("key.pem", store)
		}
	})
	client := y.client(y.alice)
	var shaking sync.WaitGroup
	for range 4 {
		shaking.Go(func() {
			for range 10 {
				_, _, err := shake(t, config, client)
				assert.NoError(t, err)
			}
		})
	}
	shaking.Wait()
	close(stop)
	wg.Wait()
}

func TestCerts_FixedFilesAreNotLookedAt(t *testing.T) {
	y := newYard(t)
	cfg := y.config()
	cfg.Fixed = true
	config := y.open(cfg).Server()
	y.write("key.pem", y.ca.Issue(t, pkix.Name{CommonName: "newer"}).StorePEM(t))
	y.now = y.now.Add(time.Hour)
	seen, _, err := shake(t, config, y.client(y.alice))
	require.NoError(t, err)
	assert.Equal(t, "server", seen.PeerCertificates[0].Subject.CommonName)
}

func TestCerts_SessionsAreNotResumed(t *testing.T) {
	y := newYard(t)
	config := y.open(y.config()).Server()
	client := y.client(y.alice)
	client.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	for range 3 {
		seen, _, err := shake(t, config, client)
		require.NoError(t, err)
		assert.False(t, seen.DidResume)
	}
}

func TestCerts_FaultsAreSentences(t *testing.T) {
	y := newYard(t)
	nothing := y.write("nothing.pem", []byte("hello\n"))
	for want, change := range map[string]func(*certs.Config){
		"ssl.keyStore.location is missing":                     func(c *certs.Config) { c.Keys = certs.Store{} },
		"or set ssl.clientAuth=none":                           func(c *certs.Config) { c.Trust = certs.Store{} },
		"/nowhere.pem: there is no such file":                  func(c *certs.Config) { c.Keys.Location = "/nowhere.pem" },
		"holds no block CERTIFICATE":                           func(c *certs.Config) { c.Keys.Location = nothing },
		"vouches for no certificate":                           func(c *certs.Config) { c.Trust.Location = nothing },
		"holds no private key":                                 func(c *certs.Config) { c.Keys.Location = y.write("c.pem", y.server.CertPEM()) },
		"set ssl.keyStore.type to PEM, PKCS12 or JKS":          func(c *certs.Config) { c.Keys.Location = "store" },
		"ssl.keyStore.type=DER is none of PEM, PKCS12 and JKS": func(c *certs.Config) { c.Keys.Type = "DER" },
		"type BCFKS cannot be read":                            func(c *certs.Config) { c.Trust.Location = "a.bcfks" },
		"set ssl.trustStore.type=PEM":                          func(c *certs.Config) { c.Trust.Type = "JKS" },
		"ssl.keyStore.passwordPath=/nowhere":                   func(c *certs.Config) { c.Keys.PasswordPath = "/nowhere" },
		"there is no file ssl.keyStore.keyLocation=/nowhere":   func(c *certs.Config) { c.Keys.KeyLocation = "/nowhere" },
		"is a directory":                                       func(c *certs.Config) { c.Trust = certs.Store{Location: y.dir, Type: "PEM"} },
		"it holds no private key; a trust store is not a key store": func(c *certs.Config) {
			c.Keys = certs.Store{Location: y.jks("t.jks", nil, y.ca, "changeit"), Password: "changeit"}
		},
		"into a store of their own": func(c *certs.Config) {
			p12, err := pkcs12.Modern.Encode(y.server.Key, y.server.Cert, nil, "changeit")
			require.NoError(t, err)
			c.Trust = certs.Store{Location: y.write("key.p12", p12), Password: "changeit"}
		},
		"the JKS store: got invalid digest": func(c *certs.Config) {
			c.Trust = certs.Store{Location: y.jks("t2.jks", nil, y.ca, "changeit"), Password: "wrong"}
		},
		"split by keytool": func(c *certs.Config) {
			c.Trust = certs.Store{Location: y.write("cut.p12", []byte{0x30, 0x03, 0x02, 0x01, 0x03}), Password: "changeit"}
		},
		"remove the line": func(c *certs.Config) {
			c.Keys = certs.Store{Location: y.jks("k.jks", y.server, nil, "changeit"), KeyLocation: nothing}
		},
	} {
		cfg := y.config()
		change(&cfg)
		_, err := certs.Open(cfg)
		assert.ErrorContains(t, err, want)
	}
}
