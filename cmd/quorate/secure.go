package main

import (
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/internal/certs"
	"github.com/quorate/quorate/internal/ports"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/server/sasl"
)

// listen opens the ports for clients. What it has opened is closed by
// closeClients, also after an error.
func (in *instance) listen() (err error) {
	cfg := in.cfg
	if cfg.ClientAddr != "" {
		if in.clients, err = net.Listen("tcp", cfg.ClientAddr); err != nil {
			return ports.Fault("clients", cfg.ClientAddr, err)
		}
	}
	if !cfg.TLS.wanted() {
		return nil
	}
	cfg.TLS.Certs.Logger = in.log
	source, err := certs.Open(cfg.TLS.Certs)
	if err != nil {
		return err
	}
	if cfg.TLS.Unified {
		in.clients = server.Secure(in.clients, source.Server(), true)
	}
	if cfg.TLS.Addr != "" {
		ln, err := net.Listen("tcp", cfg.TLS.Addr)
		if err != nil {
			return ports.Fault("clients that speak TLS", cfg.TLS.Addr, err)
		}
		in.secure = server.Secure(ln, source.Server(), false)
	}
	return nil
}

// listeners returns the ports for clients that are open.
func (in *instance) listeners() (list []net.Listener) {
	for _, ln := range []net.Listener{in.clients, in.secure} {
		if ln != nil {
			list = append(list, ln)
		}
	}
	return list
}

// portOf returns a listener's port, 0 if there is none.
func portOf(ln net.Listener) int {
	if ln == nil {
		return 0
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// userFile is the file with those who may authenticate by SASL, and what was in
// it last. The file is looked at when a client begins, at most once a second; what
// cannot be used is reported once and leaves the old users.
type userFile struct {
	jaas jaasConfig
	log  *slog.Logger

	users   atomic.Pointer[sasl.Users]
	looking atomic.Bool // somebody looks at the file, and owns the next two
	looked  time.Time
	text    string // what was read last, good or bad
}

// usersEvery is how often the file is looked at, at most.
const usersEvery = time.Second

// openUsers reads the file for the first time.
func openUsers(jaas jaasConfig, log *slog.Logger) (*userFile, error) {
	f := &userFile{jaas: jaas, log: log, looked: time.Now()}
	text, users, err := f.read()
	f.text = text
	f.users.Store(&users)
	return f, err
}

// read returns the file's text, or the error in its place, and the users in it.
func (f *userFile) read() (text string, users sasl.Users, err error) {
	data, err := readLimited(f.jaas.Path, configBytesMax)
	if err != nil {
		err = describeFileError(f.jaas.Path, "the JAAS file", err)
		return err.Error(), nil, err
	}
	if users, err = sasl.ReadUsers(data, f.jaas.Section); err != nil {
		return string(data), nil, fmt.Errorf("%s: %w", f.jaas.Path, err)
	}
	if _, ok := users["super"]; ok && f.jaas.SuperPassword != "" {
		users["super"] = f.jaas.SuperPassword
	}
	return string(data), users, nil
}

// current returns the users as the file names them now, or did up to a second ago.
// Any goroutine may call it.
func (f *userFile) current() sasl.Users {
	if f.looking.CompareAndSwap(false, true) {
		if now := time.Now(); now.Sub(f.looked) >= usersEvery {
			f.looked = now
			f.look()
		}
		f.looking.Store(false)
	}
	return *f.users.Load()
}

// look reads the file again.
func (f *userFile) look() {
	text, users, err := f.read()
	if text == f.text {
		return
	}
	f.text = text
	if err != nil {
		f.log.Error("cannot use the changed JAAS file; the old users stay", "err", err)
		return
	}
	f.users.Store(&users)
	f.log.Info("users reloaded", "file", f.jaas.Path, "users", len(users))
}
