package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// adminConfig is what admin.* and metricsProvider.* say.
type adminConfig struct {
	Enabled     bool   // default true
	Host        string // default 127.0.0.1; ZooKeeper's is every address
	Port        int    // default 8080; 0 is any free one
	PortAsked   bool   // somebody wrote it down, so that a port in use is a fault
	CommandURL  string
	IdleTimeout time.Duration

	Metrics        bool // /metrics on the admin port; default true
	ProcessMetrics bool // default true

	// ExporterPort is a further port with metrics only, that of ZooKeeper's
	// PrometheusMetricsProvider; -1 is none, the default.
	ExporterHost string // default 0.0.0.0
	ExporterPort int

	// Text is the configuration as it was read, without secrets.
	Text string
}

// auditConfig is what audit.* say.
type auditConfig struct {
	Enabled bool
	File    string // empty is stderr
}

var adminDefault = adminConfig{
	Enabled: true, Host: "127.0.0.1", Port: 8080, CommandURL: "/commands", IdleTimeout: 30 * time.Second,
	Metrics: true, ProcessMetrics: true, ExporterHost: "0.0.0.0", ExporterPort: -1,
}

// addr returns where the admin server listens.
func (a adminConfig) addr() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

func (a adminConfig) exporterAddr() string {
	return net.JoinHostPort(a.ExporterHost, strconv.Itoa(a.ExporterPort))
}

// metricsPort is where ZooKeeper's exporter listens unless told otherwise.
const metricsPort = 7000

var adminRules = map[string]configRule{
	"admin.enableServer":  func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Admin.Enabled) },
	"admin.serverAddress": func(p *configParser, e configEntry) { p.host(e, &p.cfg.Admin.Host) },
	"admin.serverPort": func(p *configParser, e configEntry) {
		p.cfg.Admin.PortAsked = p.number(e, 0, 65535, &p.cfg.Admin.Port)
	},
	"admin.commandURL": func(p *configParser, e configEntry) {
		if len(e.Value) < 2 || e.Value[0] != '/' || strings.ContainsAny(e.Value, "{}?# ") || strings.Contains(e.Value, "//") || strings.Contains(e.Value, "/.") {
			p.fault(e, "admin.commandURL=%s: want a path such as /commands", clip(e.Value))
			return
		}
		p.cfg.Admin.CommandURL = e.Value
	},
	"admin.idleTimeout":             func(p *configParser, e configEntry) { p.milliseconds(e, 1, &p.cfg.Admin.IdleTimeout) },
	"audit.enable":                  func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Audit.Enabled) },
	"audit.file":                    func(p *configParser, e configEntry) { p.text(e, "a file", &p.cfg.Audit.File) },
	"metricsProvider.className":     takeMetricsProvider,
	"metricsProvider.httpHost":      func(p *configParser, e configEntry) { p.host(e, &p.cfg.Admin.ExporterHost) },
	"metricsProvider.httpPort":      func(p *configParser, e configEntry) { p.number(e, 0, 65535, new(int)) },
	"metricsProvider.exportJvmInfo": func(p *configParser, e configEntry) { p.flag(e, &p.cfg.Admin.ProcessMetrics) },
}

// The classes that ZooKeeper has for metrics.
const (
	prometheusProvider = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
	defaultProvider    = "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider"
	nullProvider       = "org.apache.zookeeper.metrics.impl.NullMetricsProvider"
)

func takeMetricsProvider(p *configParser, e configEntry) {
	switch e.Value {
	case prometheusProvider:
		p.cfg.Admin.ExporterPort = metricsPort
	case nullProvider:
		p.cfg.Admin.Metrics = false
	case defaultProvider:
	default:
		p.fault(e, "metricsProvider.className=%s: there are %s, %s and %s", clip(e.Value), prometheusProvider, defaultProvider, nullProvider)
	}
}

// finishAdmin puts together what stands in several lines.
func (p *configParser) finishAdmin() {
	if e, ok := p.entries["metricsProvider.httpPort"]; ok {
		port, err := strconv.Atoi(e.Value)
		switch {
		case err != nil: // reported already
		case p.cfg.Admin.ExporterPort < 0:
			p.warn(e, "metricsProvider.httpPort has no effect without metricsProvider.className=%s; metrics are at http://%s/metrics",
				prometheusProvider, p.cfg.Admin.addr())
		default:
			p.cfg.Admin.ExporterPort = port
		}
	}
	if e, ok := p.entries["audit.file"]; ok && !p.cfg.Audit.Enabled {
		p.warn(e, "audit.file has no effect without audit.enable=true")
	}
	p.cfg.Admin.Text = p.text4Admin()
}

// secretKeys are parts of keys whose values are nobody's business.
var secretKeys = []string{"password", "passwd", "secret", "gossip.key", "superdigest"}

// text4Admin prints the configuration as it was read, with secrets blotted out.
func (p *configParser) text4Admin() string {
	var list []configEntry
	for _, e := range p.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b configEntry) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key)) })
	var b strings.Builder
	for _, e := range list {
		value := e.Value
		for _, part := range secretKeys {
			if strings.Contains(strings.ToLower(e.Key), part) {
				value = "***"
			}
		}
		fmt.Fprintf(&b, "%s=%s\n", e.Key, value)
	}
	return b.String()
}

// host stores a host name or an IP address.
func (p *configParser) host(e configEntry, host *string) bool {
	h := strings.TrimSuffix(strings.TrimPrefix(e.Value, "["), "]")
	if h == "" || strings.ContainsAny(h, " /") || strings.Contains(h, ":") && net.ParseIP(h) == nil {
		p.fault(e, "%s=%s: want a host name or an IP address without port", e.Key, clip(e.Value))
		return false
	}
	*host = h
	return true
}
