package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// javaEntries are what a Java store holds.
type javaEntries struct {
	pairs   []tls.Certificate
	trusted []*x509.Certificate
}

// magicJKS begins a store of Java's own format.
const magicJKS = 0xfeedfeed

// javaStore reads a store of either format: keytool writes PKCS12 since Java 9,
// whatever the file is called, and Java reads both under both names.
func (s named) javaStore(data []byte, password string) (javaEntries, error) {
	switch {
	case len(data) >= 4 && binary.BigEndian.Uint32(data) == magicJKS:
		return s.jks(data, password)
	case len(data) > 0 && data[0] == 0x30: // a DER sequence
		return s.pkcs12(data, password)
	}
	return javaEntries{}, s.fault("it is neither PKCS12 nor JKS; if it is PEM, set %s.type=PEM", s.key)
}

func (s named) jks(data []byte, password string) (javaEntries, error) {
	var out javaEntries
	store := keystore.New(keystore.WithOrderedAliases())
	if err := store.Load(bytes.NewReader(data), []byte(password)); err != nil {
		return out, s.fault("cannot read the JKS store: %w; is %s.password right?", err, s.key)
	}
	for _, alias := range store.Aliases() {
		switch {
		case store.IsPrivateKeyEntry(alias):
			// ZooKeeper too has one password for the store and its keys.
			entry, err := store.GetPrivateKeyEntry(alias, []byte(password))
			if err != nil {
				return out, s.fault("key %q: %w; it must have the password of the store", alias, err)
			}
			key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
			if err != nil {
				return out, s.fault("key %q: %w", alias, err)
			}
			var chain []*x509.Certificate
			for _, c := range entry.CertificateChain {
				cert, err := x509.ParseCertificate(c.Content)
				if err != nil {
					return out, s.fault("certificate of key %q: %w", alias, err)
				}
				chain = append(chain, cert)
			}
			pair, err := s.pair(key, chain)
			if err != nil {
				return out, err
			}
			out.pairs = append(out.pairs, pair)
		case store.IsTrustedCertificateEntry(alias):
			entry, err := store.GetTrustedCertificateEntry(alias)
			if err != nil {
				return out, s.fault("certificate %q: %w", alias, err)
			}
			cert, err := x509.ParseCertificate(entry.Certificate.Content)
			if err != nil {
				return out, s.fault("certificate %q: %w", alias, err)
			}
			out.trusted = append(out.trusted, cert)
		}
	}
	return out, nil
}

// pkcs12 reads a store that holds either one key with its chain, or certificates
// that keytool has marked as trusted. Both in one store, which Java can have, the
// library does not tell apart.
func (s named) pkcs12(data []byte, password string) (javaEntries, error) {
	var out javaEntries
	trusted, trustErr := pkcs12.DecodeTrustStore(data, password)
	if trustErr == nil {
		out.trusted = trusted
		return out, nil
	}
	if errors.Is(trustErr, pkcs12.ErrIncorrectPassword) {
		return out, s.fault("the PKCS12 store does not open with its password; see %s.password", s.key)
	}
	key, leaf, authorities, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return out, s.fault("cannot read the PKCS12 store: as one with a single private key: %w; as one of trusted certificates: %w; a store with more can be split by keytool -importkeystore -srcalias, or made a JKS store", err, trustErr)
	}
	pair, err := s.pair(key, append([]*x509.Certificate{leaf}, authorities...))
	if err != nil {
		return out, err
	}
	out.pairs = []tls.Certificate{pair}
	return out, nil
}
