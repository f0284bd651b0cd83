package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

func sortedKeys(f files) []string { return slices.Sorted(maps.Keys(f)) }

// format is how a store is written.
type format uint8

const (
	formatPEM  format = iota
	formatJava        // PKCS12 or JKS; the first bytes tell
)

// format says what the type is, or the extension in lower case, as in Java.
func (s named) format() (format, error) {
	kind := strings.ToUpper(s.Type)
	if kind == "" {
		kind = map[string]string{".pem": "PEM", ".p12": "PKCS12", ".jks": "JKS", ".bcfks": "BCFKS"}[filepath.Ext(s.Location)]
	}
	switch kind {
	case "PEM":
		return formatPEM, nil
	case "PKCS12", "JKS":
		return formatJava, nil
	case "BCFKS":
		return 0, s.fault("stores of type BCFKS cannot be read; convert it with keytool -importkeystore -deststoretype PKCS12")
	case "":
		return 0, s.fault("its type is unknown, as the name does not end with .pem, .p12 or .jks; set %s.type to PEM, PKCS12 or JKS", s.key)
	}
	return 0, s.fault("%s.type=%s is none of PEM, PKCS12 and JKS", s.key, s.Type)
}

// contents returns what the store's file holds.
func (s named) contents(files files) ([]byte, error) {
	f := files[s.Location]
	switch {
	case errors.Is(f.err, fs.ErrNotExist):
		return nil, s.fault("there is no such file")
	case f.err != nil:
		return nil, s.fault("cannot read it: %w", f.err)
	}
	return f.data, nil
}

// password returns the password; empty is none.
func (s named) password(files files) (string, error) {
	if s.PasswordPath == "" {
		return s.Password, nil
	}
	f := files[s.PasswordPath]
	if f.err != nil {
		return "", s.fault("cannot read the file with its password, %s.passwordPath=%s: %w", s.key, s.PasswordPath, f.err)
	}
	return strings.TrimRight(string(f.data), " \t\r\n"), nil
}

// pairs returns the private keys of a key store, each with its certificates.
func (s named) pairs(files files) ([]tls.Certificate, error) {
	kind, err := s.format()
	if err != nil {
		return nil, err
	}
	data, err := s.contents(files)
	if err != nil {
		return nil, err
	}
	password, err := s.password(files)
	if err != nil {
		return nil, err
	}
	if kind == formatPEM {
		pair, err := s.pemPair(data, files, password)
		return []tls.Certificate{pair}, err
	}
	entries, err := s.javaStore(data, password)
	if err != nil {
		return nil, err
	}
	if len(entries.pairs) == 0 {
		return nil, s.fault("it holds no private key; a trust store is not a key store")
	}
	return entries.pairs, nil
}

// anchors returns the certificates that a trust store vouches for.
func (s named) anchors(files files) ([]*x509.Certificate, error) {
	kind, err := s.format()
	if err != nil {
		return nil, err
	}
	data, err := s.contents(files)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	if kind == formatPEM {
		certs, err = s.pemCertificates(data)
	} else {
		var password string
		if password, err = s.password(files); err == nil {
			var entries javaEntries
			entries, err = s.javaStore(data, password)
			certs = entries.trusted
			if err == nil && len(certs) == 0 && len(entries.pairs) > 0 {
				return nil, s.fault("it holds a private key, and no certificate that stands alone; put those of who signs the clients' into a store of their own (keytool -importcert) or a PEM file (keytool -exportcert -rfc)")
			}
		}
	}
	if err == nil && len(certs) == 0 {
		err = s.fault("it vouches for no certificate; add those of who signs the clients' (keytool -importcert, or a file of PEM blocks)")
	}
	return certs, err
}

// pair joins a key with its chain, the certificate of the key first.
func (s named) pair(key any, chain []*x509.Certificate) (tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, s.fault("its private key, a %T, cannot sign; TLS needs an RSA, ECDSA or Ed25519 key", key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	own := -1
	if ok {
		own = slices.IndexFunc(chain, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	}
	if own < 0 {
		return tls.Certificate{}, s.fault("none of its %d certificates belongs to its private key", len(chain))
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: chain[own], Certificate: [][]byte{chain[own].Raw}}
	for i, c := range chain {
		if i != own && !bytes.Equal(c.Raw, chain[own].Raw) {
			pair.Certificate = append(pair.Certificate, c.Raw)
		}
	}
	return pair, nil
}
