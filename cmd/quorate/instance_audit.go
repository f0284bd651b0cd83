package main

import (
	"context"
	"time"

	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/server/audit"
)

// openAudit opens the audit log, if there is to be one.
func (in *instance) openAudit() error {
	if !in.cfg.Audit.Enabled {
		return nil
	}
	l, err := audit.Open(audit.Config{Path: in.cfg.Audit.File, Logger: in.log, Dropped: func(n int) {
		if s := in.server; s != nil {
			s.Metrics().AuditDropped.Add(n)
		}
	}})
	in.audit = l
	return err
}

// audited runs the server with its audit log around it: the log ends last.
func (in *instance) audited(run func() error) error {
	if in.audit == nil {
		return run()
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() { in.audit.Run(ctx); close(over) }()
	err := run()
	stop()
	<-over
	return err
}

// auditSelf logs what the server itself does.
func (in *instance) auditSelf(operation, result string) {
	if in.audit != nil {
		in.audit.Record(server.AuditEvent{Time: time.Now(), Operation: operation, Result: result})
	}
}
