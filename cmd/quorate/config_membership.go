package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/quorate/quorate/ensemble"
)

// finishMembership decides which of the three kinds of server this is, and who it is.
func (p *configParser) finishMembership() {
	switch {
	case p.hasMemberLines():
		p.finishEnsemble()
	case p.has("gossip.join"):
		p.cfg.Observer = true
		if p.peerType == "participant" {
			p.fault(p.entries["peerType"], "a server without server.N lines is an observer; remove this line, or list all servers to make it a participant")
		}
		if id, ok := p.readServerID(""); ok {
			p.cfg.ServerID = id
		}
	default:
		p.finishStandalone()
	}
	if p.cfg.Service.ExtendedTypes && p.cfg.ServerID > 254 {
		p.fault(p.entries["extendedTypesEnabled"], "extendedTypesEnabled needs server ids of at most 254, and this is server %d", p.cfg.ServerID)
	}
}

func (p *configParser) hasMemberLines() bool {
	for key := range p.entries {
		if kind, _ := memberKind(key); kind != "" {
			return true
		}
	}
	return false
}

func (p *configParser) finishEnsemble() {
	before := len(p.faults)
	view, err := p.lines.View(0)
	if err != nil && before == 0 { // a line that failed would only be missed a second time
		p.faultsOfView(err)
	}
	if len(p.faults) > before || view == nil {
		return
	}
	p.cfg.View = view
	ids := make([]string, 0, len(view.Members()))
	for _, m := range view.Members() {
		ids = append(ids, m.ID.String())
	}
	list := strings.Join(ids, ", ")
	p.cfg.Standalone = len(view.Members()) == 1 && p.standaloneEnabled
	id, ok := p.readServerID(list)
	if !ok {
		return
	}
	self, ok := view.Member(id)
	if !ok {
		p.faults = append(p.faults, fmt.Errorf("%s:1: this server is %d, but %s has no server.%d line; it lists %s",
			p.myIDPath(), id, p.cfg.Path, id, list))
		return
	}
	p.cfg.ServerID, p.cfg.Observer = id, self.Observer
	if e, ok := p.entries["peerType"]; ok && (p.peerType == "observer") != self.Observer {
		p.warn(e, "peerType=%s is overruled by server.%d=%s", p.peerType, id, self)
	}
}

// faultsOfView adds the line number to each fault that begins with a key of the file.
func (p *configParser) faultsOfView(err error) {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, f := range list {
		key := f.Error()
		if i := strings.IndexAny(key, " :="); i > 0 {
			key = key[:i]
		}
		if e, ok := p.entries[key]; ok {
			p.fault(e, "%v", f)
		} else {
			p.faultOf("%v", f)
		}
	}
}

// finishStandalone makes the ensemble of one, on ports that nobody else uses
// and nobody will ever dial.
func (p *configParser) finishStandalone() {
	p.cfg.Standalone = true
	if p.peerType == "observer" {
		p.fault(p.entries["peerType"], "an observer needs an ensemble to observe; add server.N lines, or gossip.join")
	}
	p.cfg.ServerID = 1
	if p.cfg.DataDir != "" {
		if _, err := p.world.ReadMyID(p.myIDPath()); !errors.Is(err, os.ErrNotExist) {
			if id, ok := p.readServerID(""); ok {
				p.cfg.ServerID = id
			}
		}
	}
	if len(p.faults) > 0 {
		return
	}
	addr := ensemble.Addr{Host: "127.0.0.1"}
	var err error
	if addr.QuorumPort, err = p.world.FreePort(); err == nil {
		addr.ElectionPort = addr.QuorumPort
		for range 100 { // the system may hand out the same port again
			if addr.ElectionPort, err = p.world.FreePort(); err != nil || addr.ElectionPort != addr.QuorumPort {
				break
			}
		}
	}
	if err != nil {
		p.faultOf("find two free loopback ports: %v", err)
		return
	}
	member := ensemble.Member{ID: p.cfg.ServerID, Weight: 1, Addrs: []ensemble.Addr{addr}}
	if p.cfg.View, err = ensemble.NewView(0, []ensemble.Member{member}); err != nil {
		p.faultOf("%v", err)
	}
}

func (p *configParser) myIDPath() string { return filepath.Join(p.cfg.DataDir, "myid") }

// readServerID reads myid. The list names the ids that would be right, if known.
func (p *configParser) readServerID(list string) (ensemble.ServerID, bool) {
	if p.cfg.DataDir == "" {
		return 0, false // dataDir is missing, and has been reported
	}
	want := "it must hold this server's id, a number"
	if list != "" {
		want = "it must hold this server's id, one of " + list
	}
	path := p.myIDPath()
	data, err := p.world.ReadMyID(path)
	if errors.Is(err, os.ErrNotExist) {
		p.faults = append(p.faults, fmt.Errorf("%s: there is no such file; %s (for example: echo 1 > %s)", path, want, path))
		return 0, false
	}
	if err != nil {
		p.faults = append(p.faults, describeFileError(path, "the file with this server's id", err))
		return 0, false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSpace(line)
	id, err := strconv.ParseInt(line, 10, 64)
	if err != nil || id < 0 {
		p.faults = append(p.faults, fmt.Errorf("%s:1: %q is not a server id; %s", path, clip(line), want))
		return 0, false
	}
	return ensemble.ServerID(id), true
}

func readMyID(path string) ([]byte, error) { return readLimited(path, myIDBytesMax) }

// freeLoopbackPort returns a port that was free a moment ago.
func freeLoopbackPort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
