package certs

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Store says where keys or certificates are. Its zero value is none.
type Store struct {
	// Location is the file.
	Location string
	// KeyLocation is the file with the private key of a key store in PEM; empty
	// means that the key is in Location too, as ZooKeeper has it.
	KeyLocation string
	// Password decrypts the store. PasswordPath is a file that holds it, without
	// what white space ends the file, and wins over Password.
	Password, PasswordPath string
	// Type is PEM, PKCS12 or JKS; empty means what Location's extension says:
	// .pem, .p12 or .jks. As in Java, a store called JKS may also be PKCS12, and
	// the other way round.
	Type string
}

// ClientAuth says what is asked of clients.
type ClientAuth uint8

// What may be asked of clients.
const (
	Need ClientAuth = iota // a certificate that the trust store vouches for
	Want                   // the same, or none
	None                   // nothing; what a client shows is not looked at
)

// Config is what a Source is made of. Keys is required, and Trust unless
// ClientAuth is None.
type Config struct {
	// Prefix is what the keys begin with in errors; empty means "ssl.".
	Prefix      string
	Keys, Trust Store
	ClientAuth  ClientAuth
	// VerifyClientHost also demands that a client's certificate names the
	// address that the client comes from.
	VerifyClientHost bool
	// Protocols and CipherSuites limit what may be negotiated; their zero values
	// stand for TLS 1.2 and 1.3 with Go's choice of suites.
	Protocols    Protocols
	CipherSuites CipherSuites
	// Fixed means that the files are never looked at again.
	Fixed bool

	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// Logger hears of reloads; nil means slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = "ssl."
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate returns everything that is wrong with the config, joined, without a
// look at the files.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Keys.Location == "" {
		fault("%skeyStore.location is missing: name the file with this server's certificate and key", c.Prefix)
	}
	if c.ClientAuth != None && c.Trust.Location == "" {
		fault("%strustStore.location is missing: name the file with the certificates of who signs those of the clients, or set %sclientAuth=none",
			c.Prefix, c.Prefix)
	}
	for _, s := range c.stores() {
		if s.Location == "" {
			continue
		}
		if _, err := s.format(); err != nil {
			faults = append(faults, err)
		}
	}
	if c.Keys.KeyLocation != "" && c.Keys.Location != "" {
		if f, err := (named{c.Keys, c.Prefix + "keyStore"}).format(); err == nil && f != formatPEM {
			fault("%skeyStore.keyLocation is set, but %s holds its key itself; remove the line", c.Prefix, c.Keys.Location)
		}
	}
	if err := c.CipherSuites.fit(c.Protocols); err != nil {
		fault("%sciphersuites: %w", c.Prefix, err)
	}
	return errors.Join(faults...)
}

// named is a store with what its keys begin with.
type named struct {
	Store
	key string
}

func (c Config) stores() []named {
	return []named{{c.Keys, c.Prefix + "keyStore"}, {c.Trust, c.Prefix + "trustStore"}}
}

// fault makes an error that begins with the key and the file.
func (s named) fault(format string, args ...any) error {
	return fmt.Errorf("%s.location=%s: %w", s.key, s.Location, fmt.Errorf(format, args...))
}
