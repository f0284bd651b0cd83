// Package certstest makes certificates for tests.
package certstest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Pair is a certificate with its key, and who signed it.
type Pair struct {
	Cert   *x509.Certificate
	Key    crypto.Signer
	Signer *Pair // nil: itself
}

// Authority makes a certificate that may sign others.
func Authority(t testing.TB, name string) *Pair {
	t.Helper()
	return issue(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
}

// Issue signs a certificate for the name, which is good for servers and clients
// on loopback.
func (p *Pair) Issue(t testing.TB, subject pkix.Name) *Pair {
	t.Helper()
	return issue(t, p, &x509.Certificate{
		Subject: subject, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature,
	})
}

// IssueAs signs whatever the template says.
func (p *Pair) IssueAs(t testing.TB, template *x509.Certificate) *Pair {
	t.Helper()
	return issue(t, p, template)
}

func issue(t testing.TB, signer *Pair, c *x509.Certificate) *Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	}
	parent, signing := c, crypto.Signer(key)
	if signer != nil {
		parent, signing = signer.Cert, signer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signing)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &Pair{Cert: cert, Key: key, Signer: signer}
}

// CertPEM returns the certificate in PEM.
func (p *Pair) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw})
}

// KeyPEM returns the key in PEM.
func (p *Pair) KeyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// StorePEM returns certificate and key in one, as ZooKeeper wants them.
func (p *Pair) StorePEM(t testing.TB) []byte {
	t.Helper()
	return append(p.CertPEM(), p.KeyPEM(t)...)
}

// TLS returns the pair for a tls.Config, with the chain up to and without the
// last signer.
func (p *Pair) TLS() tls.Certificate {
	c := tls.Certificate{PrivateKey: p.Key, Leaf: p.Cert}
	for ; p != nil && (p.Signer != nil || len(c.Certificate) == 0); p = p.Signer {
		c.Certificate = append(c.Certificate, p.Cert.Raw)
	}
	return c
}

// Pool returns a pool with the certificate alone.
func (p *Pair) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Cert)
	return pool
}

// Write writes a file as a careful operator does: whole or not at all.
func Write(t testing.TB, path string, parts ...[]byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", bytes.Join(parts, nil), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}
