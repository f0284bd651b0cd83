package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// fileBytesMax limits a file. The trust store of a JDK has 170 KB.
const fileBytesMax = 16 << 20

// Source gives servers their TLS configuration, always the newest. Make one with
// Open; it needs no farewell. Any goroutine may use it.
type Source struct {
	cfg     Config
	current atomic.Pointer[tls.Config] // never written to

	looking atomic.Bool // somebody looks at the files, and owns the next two
	looked  time.Time
	seen    [sha256.Size]byte // of what was read last, good or bad
}

// Open reads the files for the first time. Its error names the key, the file and
// what to do.
func Open(cfg Config) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg.withDefaults()}
	files := s.read()
	made, err := s.make(files)
	if err != nil {
		return nil, err
	}
	s.seen, s.looked = files.sum(), s.cfg.Now()
	s.current.Store(made)
	s.tell(made)
	return s, nil
}

// Server returns a configuration for any number of servers. A handshake that
// begins has what the files say then, or said up to a second ago.
func (s *Source) Server() *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		s.look()
		c := s.current.Load()
		if s.cfg.VerifyClientHost && s.cfg.ClientAuth != None {
			c = c.Clone()
			c.VerifyConnection = func(state tls.ConnectionState) error { return verifyHost(hello.Conn.RemoteAddr(), state) }
		}
		return c, nil
	}}
}

// verifyHost demands that the certificate of a client, if there is one, names the
// address it comes from. Names are not looked up: whoever owns the address would
// answer.
func verifyHost(from net.Addr, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	tcp, ok := from.(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("the client's certificate cannot be compared with its address %v", from)
	}
	return state.PeerCertificates[0].VerifyHostname(tcp.IP.String())
}

// look reads the files if that was not done within the last second. Who comes
// while another looks goes on with what there is.
func (s *Source) look() {
	if s.cfg.Fixed || !s.looking.CompareAndSwap(false, true) {
		return
	}
	defer s.looking.Store(false)
	now := s.cfg.Now()
	if since := now.Sub(s.looked); since >= 0 && since < lookEvery {
		return
	}
	s.looked = now
	files := s.read()
	if sum := files.sum(); sum != s.seen {
		s.seen = sum
		s.replace(files)
	}
}

func (s *Source) replace(files files) {
	made, err := s.make(files)
	if err != nil {
		s.cfg.Logger.Error("cannot use the new certificates; the old ones stay in force", "err", err)
		return
	}
	s.current.Store(made)
	s.cfg.Logger.Info("certificates reloaded", "keyStore", s.cfg.Keys.Location, "trustStore", s.cfg.Trust.Location)
	s.tell(made)
}

// file is what a file was found to hold, or why it could not be read.
type file struct {
	data []byte
	err  error
}

// files are all files of a Source, by path.
type files map[string]file

func (s *Source) paths() []string {
	var list []string
	for _, store := range s.cfg.stores() {
		for _, path := range []string{store.Location, store.KeyLocation, store.PasswordPath} {
			if path != "" {
				list = append(list, path)
			}
		}
	}
	return list
}

func (s *Source) read() files {
	all := files{}
	for _, path := range s.paths() {
		all[path] = readFile(path)
	}
	return all
}

func readFile(path string) file {
	f, err := os.Open(path)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return file{err: err}
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	switch {
	case err != nil:
		return file{err: err}
	case len(data) > fileBytesMax:
		return file{err: fmt.Errorf("it has more than %d bytes", fileBytesMax)}
	}
	return file{data: data}
}

// sum tells one state of the files from another.
func (f files) sum() [sha256.Size]byte {
	var all bytes.Buffer
	for _, path := range sortedKeys(f) {
		one := sha256.Sum256(f[path].data)
		fmt.Fprintf(&all, "%q %x %v\n", path, one, f[path].err)
	}
	return sha256.Sum256(all.Bytes())
}

// make makes a configuration of the files.
func (s *Source) make(files files) (*tls.Config, error) {
	stores := s.cfg.stores()
	c := &tls.Config{
		ClientAuth: s.cfg.ClientAuth.tls(), Time: s.cfg.Now,
		SessionTicketsDisabled: true,
	}
	s.cfg.CipherSuites.apply(s.cfg.Protocols, c)
	var err error
	if c.Certificates, err = stores[0].pairs(files); err != nil {
		return nil, err
	}
	if stores[1].Location != "" {
		anchors, err := stores[1].anchors(files)
		if err != nil {
			return nil, err
		}
		c.ClientCAs = x509.NewCertPool()
		for _, cert := range anchors {
			c.ClientCAs.AddCert(cert)
		}
	}
	return c, nil
}

// expiresSoon is how long before the end of a certificate its reading warns of it.
const expiresSoon = 14 * 24 * time.Hour

// tell logs what certificates are in force from now on.
func (s *Source) tell(c *tls.Config) {
	now := s.cfg.Now()
	for _, pair := range c.Certificates {
		about := []any{"file", s.cfg.Keys.Location, "subject", pair.Leaf.Subject, "notBefore", pair.Leaf.NotBefore, "notAfter", pair.Leaf.NotAfter}
		switch {
		case now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore):
			s.cfg.Logger.Warn("this server's certificate is not valid now; clients will refuse it", about...)
		case now.After(pair.Leaf.NotAfter.Add(-expiresSoon)):
			s.cfg.Logger.Warn("this server's certificate ends soon; put a new one in its place", about...)
		default:
			s.cfg.Logger.Info("this server's certificate", about...)
		}
	}
}
