package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
)

// Config says what the admin server serves. The zero value works.
type Config struct {
	// CommandURL is the path of the commands; default /commands, zoo.cfg
	// admin.commandURL.
	CommandURL string
	// IdleTimeout closes connections on which nothing happens; default 30 s,
	// zoo.cfg admin.idleTimeout.
	IdleTimeout time.Duration
	// NoCommands serves metrics only, NoMetrics commands only.
	NoCommands, NoMetrics bool
	// ProcessMetrics adds what is known of the process and Go's runtime, where
	// ZooKeeper has its JVM's (metricsProvider.exportJvmInfo).
	ProcessMetrics bool

	// InitialConfiguration is the text of the configuration, without its secrets.
	InitialConfiguration string
	// ClientAddr is host:port for clients; empty if none are served.
	ClientAddr string
	// LastSnapshot returns the newest snapshot; ok is false if there is none. Nil
	// means that there never is.
	LastSnapshot func() (at ensemble.Zxid, taken time.Time, ok bool)

	// Logger is where the log goes; nil means slog.Default().
	Logger *slog.Logger
}

// Limits of a request and its answer.
const (
	headerBytesMax   = 16 << 10
	headerTimeout    = 5 * time.Second
	requestTimeout   = 10 * time.Second
	answerTimeout    = time.Minute
	connectionsMax   = 100
	shutdownTimeout  = 2 * time.Second
	commandBytesMax  = 256 // of a command's name
	idleTimeoutFixed = 30 * time.Second
)

// Validate returns everything that is wrong with the config, joined.
func (c Config) Validate() error {
	var faults []error
	if c.CommandURL != "" && (!strings.HasPrefix(c.CommandURL, "/") || len(strings.TrimSuffix(c.CommandURL, "/")) < 2 || strings.ContainsAny(c.CommandURL, "{}?# ") || path.Clean(c.CommandURL) != strings.TrimSuffix(c.CommandURL, "/")) {
		faults = append(faults, fmt.Errorf("admin: CommandURL is %q; want a path such as /commands", c.CommandURL))
	}
	if strings.TrimSuffix(c.CommandURL, "/") == metricsPath {
		faults = append(faults, fmt.Errorf("admin: CommandURL is %q, where the metrics are", c.CommandURL))
	}
	if c.IdleTimeout < 0 {
		faults = append(faults, fmt.Errorf("admin: IdleTimeout is %v; it must not be negative", c.IdleTimeout))
	}
	return errors.Join(faults...)
}

// metricsPath is where Prometheus looks.
const metricsPath = "/metrics"

// Admin is the admin server of one server.
type Admin struct {
	cfg Config
	s   *server.Server
	log *slog.Logger
}

// New makes the admin server of s, which must have its quorum (server.Attach). It
// panics if cfg.Validate fails.
func New(cfg Config, s *server.Server) *Admin {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.CommandURL == "" {
		cfg.CommandURL = "/commands"
	}
	cfg.CommandURL = strings.TrimSuffix(cfg.CommandURL, "/")
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = idleTimeoutFixed
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Admin{cfg: cfg, s: s, log: cfg.Logger}
}

// Run serves on ln until ctx ends, and closes it. It returns nil after the end of
// ctx.
func (a *Admin) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: a.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout,
		WriteTimeout: answerTimeout, IdleTimeout: a.cfg.IdleTimeout, MaxHeaderBytes: headerBytesMax,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if srv.Shutdown(end) != nil {
			_ = srv.Close()
		}
	})
	err := srv.Serve(netutil.LimitListener(ln, connectionsMax))
	if !unhook() {
		<-stopped
		return nil
	}
	_ = srv.Close()
	return fmt.Errorf("admin server: %w", err)
}

// Handler returns what answers the requests, for who has an HTTP server of his own.
func (a *Admin) Handler() http.Handler {
	metrics := a.metrics()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodTrace:
			w.WriteHeader(http.StatusForbidden) // as ZooKeeper
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "commands are asked with GET", http.StatusMethodNotAllowed)
		case len(r.URL.Path) > len(a.cfg.CommandURL)+commandBytesMax:
			http.Error(w, "there is no command with so long a name", http.StatusRequestURITooLong)
		default:
			a.route(w, r, metrics)
		}
	})
}

// route gives a request to what is at its path. There are no redirects, as there
// are none in ZooKeeper: a client that follows none would be without an answer.
func (a *Admin) route(w http.ResponseWriter, r *http.Request, metrics http.Handler) {
	at := withoutDots(r.URL.Path)
	name, below := strings.CutPrefix(at, a.cfg.CommandURL+"/")
	switch {
	case at == metricsPath && !a.cfg.NoMetrics:
		metrics.ServeHTTP(w, r)
	case a.cfg.NoCommands:
		http.NotFound(w, r)
	case at == a.cfg.CommandURL || below && name == "":
		a.list(w)
	case below:
		a.command(w, r, name)
	default:
		http.NotFound(w, r)
	}
}

// withoutDots resolves the parts . and .. of a path. Empty parts stay: //commands
// is not /commands.
func withoutDots(p string) string {
	var parts []string
	for part := range strings.SplitSeq(p, "/") {
		switch part {
		case ".":
		case "..":
			parts = parts[:max(len(parts)-1, 0)]
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// list links to all commands.
func (a *Admin) list(w http.ResponseWriter) {
	var names []string
	for name, c := range byName {
		if name == c.names[0] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "<a href=\"%s/%s\">%s</a>\n<br/>\n", a.cfg.CommandURL, name, name)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(b.String()))
}

// command runs one command.
func (a *Admin) command(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(appendJSON(nil, a.execute(name, r.URL.Query()), 0))
}
