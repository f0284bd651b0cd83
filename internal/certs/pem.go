package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"

	"github.com/youmark/pkcs8"
)

// pemPair reads a certificate with its chain, in any order, and the key: from the
// same file, or the one that KeyLocation names.
func (s named) pemPair(data []byte, files files, password string) (tls.Certificate, error) {
	chain, err := s.pemCertificates(data)
	if err != nil {
		return tls.Certificate{}, err
	}
	if len(chain) == 0 {
		return tls.Certificate{}, s.fault("it holds no block CERTIFICATE; put this server's certificate there, and those of who signed it behind it")
	}
	if s.KeyLocation != "" {
		f := files[s.KeyLocation]
		switch {
		case errors.Is(f.err, fs.ErrNotExist):
			return tls.Certificate{}, s.fault("there is no file %s.keyLocation=%s", s.key, s.KeyLocation)
		case f.err != nil:
			return tls.Certificate{}, s.fault("cannot read %s.keyLocation=%s: %w", s.key, s.KeyLocation, f.err)
		}
		data = f.data
	}
	key, err := s.pemKey(data, password)
	if err != nil {
		return tls.Certificate{}, err
	}
	return s.pair(key, chain)
}

// pemCertificates returns all certificates of a file; other blocks are left out.
func (s named) pemCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, s.fault("its certificate number %d: %w", len(certs)+1, err)
			}
			certs = append(certs, cert)
		case "TRUSTED CERTIFICATE":
			return nil, s.fault("a block TRUSTED CERTIFICATE is OpenSSL's own; convert it with openssl x509 -in FILE")
		}
	}
	return certs, nil
}

// pemKey returns the first private key of a file.
func (s named) pemKey(data []byte, password string) (key any, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, s.fault("its private key is encrypted in OpenSSL's old way; convert it with openssl pkcs8 -topk8")
			}
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, s.fault("its private key is encrypted in OpenSSL's old way; convert it with openssl pkcs8 -topk8")
			}
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			if password == "" {
				return nil, s.fault("its private key is encrypted; say the password by %s.password or %s.passwordPath", s.key, s.key)
			}
			if key, _, err = pkcs8.ParsePrivateKey(block.Bytes, []byte(password)); err != nil {
				return nil, s.fault("cannot decrypt its private key: %w; is %s.password right? The key must be encrypted by PBES2, as openssl pkcs8 -topk8 -v2 aes256 does", err, s.key)
			}
		default:
			continue
		}
		if err != nil {
			return nil, s.fault("its private key: %w", err)
		}
		return key, nil
	}
	return nil, s.fault("it holds no private key; put the key's block behind the certificate, or name its file in %s.keyLocation", s.key)
}
