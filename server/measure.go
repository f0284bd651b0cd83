package server

import (
	"strings"
	"time"

	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/zab"
)

// namespace returns the first part of a path, by which ZooKeeper counts bytes;
// none for the root.
func namespace(path string) (string, bool) {
	if len(path) < 2 || path[0] != '/' {
		return "", false
	}
	path = path[1:]
	if slash := strings.IndexByte(path, '/'); slash >= 0 {
		path = path[:slash]
	}
	return path, path != ""
}

// statBytes is what a read counts beside path and data: a Stat.
const statBytes = 68

// nsSummary is a member of a set of summaries, kept by one goroutine that mostly
// wants the same one again.
type nsSummary struct {
	ns string
	at *metric.Summary
}

func (n *nsSummary) observe(set *metric.Set[metric.Summary], path string, bytes int) {
	ns, ok := namespace(path)
	if !ok {
		return
	}
	if n.at == nil || n.ns != ns {
		n.ns, n.at = strings.Clone(ns), set.Get(ns) // the path's own bytes are not kept
	}
	n.at.Observe(int64(bytes))
}

// measureRead counts what a read of a node gave away. Serve's goroutine calls it.
func (c *Conn) measureRead(path string, bytes int) {
	c.readBytes.observe(c.s.metrics.ReadBytes, path, len(path)+bytes+statBytes)
}

// measureTxn measures a transaction that was applied: how long it took to get
// here, by the clocks of two servers, and what it wrote. A difference below 0 is
// one of the clocks.
func (s *Server) measureTxn(txn zab.Txn, h *proto.TxnHeader, rec proto.Record) {
	if late := s.cfg.Time().UnixMilli() - h.Time; late >= 0 {
		s.metrics.PropagationLatency.Took(time.Duration(late) * time.Millisecond)
	}
	s.digests.add(Digest{txn.Zxid, txn.Chain})
	s.measureWrite(rec)
}

func (s *Server) measureWrite(rec proto.Record) {
	switch r := rec.(type) {
	case *proto.CreateTxn:
		s.wrote(r.Path, len(r.Data))
	case *proto.CreateContainerTxn:
		s.wrote(r.Path, len(r.Data))
	case *proto.CreateTTLTxn:
		s.wrote(r.Path, len(r.Data))
	case *proto.SetDataTxn:
		s.wrote(r.Path, len(r.Data))
	case *proto.DeleteTxn:
		s.wrote(r.Path, 0)
	case *proto.MultiTxn:
		for _, sub := range r.Txns {
			s.measureWrite(sub.Record)
		}
	}
}

func (s *Server) wrote(path string, bytes int) {
	s.writtenBytes.observe(s.metrics.WrittenBytes, path, len(path)+bytes)
}

// watchesFired returns the summary of how many watches an event fires.
func (s *Server) watchesFired(t proto.EventType) *metric.Summary {
	switch t {
	case proto.EventNodeCreated:
		return s.metrics.NodeCreatedWatches
	case proto.EventNodeDeleted:
		return s.metrics.NodeDeletedWatches
	case proto.EventNodeDataChanged:
		return s.metrics.NodeChangedWatches
	}
	return s.metrics.ChildrenWatches
}
