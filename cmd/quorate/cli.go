package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/zkclient"
)

// cliFlags are the flags of quorate cli, before they are understood.
type cliFlags struct {
	servers, timeout, output, history string
	readOnly, failFast                bool
	auths                             []string
	tls                               bool
	ca, cert, key                     string
	sasl                              string
}

func newCLICommand() *cobra.Command {
	var f cliFlags
	c := &cobra.Command{
		Use:   "cli [flags] [command [argument…]]",
		Short: "Look at znodes and change them: zkCli's commands, and more",
		Long: `Look at znodes and change them. With a command it is executed; without one, commands
come line by line from standard input, or from you, if that is a terminal. Commands
and their options are those of ZooKeeper's zkCli.sh. "quorate cli help COMMAND"
explains one. Flags of this page stand before the command.

` + strings.TrimSpace(cli.Overview()) + `

The exit code is 0 if all went well, 1 if something did not, and 2 for wrong usage.
With -o json each result is one line of JSON; an error is a sentence on standard error.`,
		Example: `  quorate cli                                        a shell
  quorate cli -s zk1:2181,zk2:2181/app ls -R /       one command, below /app
  quorate cli -o json get -s /app | jq .stat.version
  quorate cli < commands.txt                         many, on one session
  quorate cli watch -f /app                          what happens below /app
  quorate cli export /app > app.jsonl                and import app.jsonl /copy`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return cli.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := f.options()
			if err != nil {
				return usageError{err}
			}
			opt.In, opt.Out, opt.Err = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
			return runCLI(c, opt, args)
		},
	}
	flags := c.Flags()
	flags.SetInterspersed(false) // what stands behind the command is the command's
	flags.StringVarP(&f.servers, "server", "s", "127.0.0.1:2181", "client addresses of one or more servers, and a path to begin at: host:port,…/chroot")
	flags.StringVar(&f.timeout, "timeout", "10s", "session timeout, and how long a command waits for a server: 10s, or a number of milliseconds")
	flags.BoolVarP(&f.readOnly, "readonly", "r", false, "be content with a server that has no quorum")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.StringArrayVar(&f.auths, "auth", nil, "an identity, scheme:auth, as digest:user:password; may be given several times")
	flags.StringVar(&f.sasl, "sasl", "", "file with a line user:password, for servers with SASL (DIGEST-MD5)")
	flags.BoolVar(&f.failFast, "fail-fast", false, "end a script at the first line that fails")
	flags.StringVar(&f.history, "history", "", "file that keeps the lines of the shell (default ~/.quorate_history, - for none)")
	flags.BoolVar(&f.tls, "tls", false, "connect with TLS, with the authorities of the system")
	flags.StringVar(&f.ca, "tls-ca", "", "connect with TLS; PEM file of the authorities to trust")
	flags.StringVar(&f.cert, "tls-cert", "", "PEM file of a certificate of yours, for TLS")
	flags.StringVar(&f.key, "tls-key", "", "PEM file of its key")
	return c
}

// runCLI hands over to the shell. What is wrong has been printed when it returns.
func runCLI(c *cobra.Command, opt cli.Options, args []string) error {
	shell := cli.New(opt)
	var code int
	in, fromFile := opt.In.(*os.File)
	out, toFile := opt.Out.(*os.File)
	switch {
	case len(args) > 0:
		code = shell.RunOnce(c.Context(), args)
	case fromFile && toFile && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())):
		code = shell.RunInteractive(c.Context(), cli.SystemTerminal(in, out))
	default:
		code = shell.RunScript(c.Context())
	}
	if code != exitOK {
		return codeError{errors.New("quorate cli: not ok"), code}
	}
	return nil
}

// options understands the flags.
func (f cliFlags) options() (cli.Options, error) {
	opt := cli.Options{Servers: f.servers, ReadOnly: f.readOnly, JSON: f.output == "json", FailFast: f.failFast, Version: version()}
	if f.output != "text" && f.output != "json" {
		return opt, fmt.Errorf("-o %q: want text or json", f.output)
	}
	if f.servers == "erver" { // zkCli's -server, of which pflag makes -s erver
		return opt, errors.New("write --server host:port, with two dashes, or -s host:port")
	}
	if _, _, err := zkclient.ParseConnectString(f.servers); err != nil {
		return opt, fmt.Errorf("-s: %w", err)
	}
	var err error
	if opt.Timeout, err = parseTimeout(f.timeout); err != nil {
		return opt, err
	}
	for _, a := range f.auths {
		scheme, auth, ok := strings.Cut(a, ":")
		if !ok || scheme == "" {
			return opt, errors.New("--auth: want scheme:auth, as digest:user:password")
		}
		opt.Auth = append(opt.Auth, zkclient.Auth{Scheme: scheme, Data: []byte(auth)})
	}
	if opt.SASL, err = f.saslUser(); err != nil {
		return opt, err
	}
	if opt.TLS, err = f.tlsConfig(); err != nil {
		return opt, err
	}
	switch home, err := os.UserHomeDir(); {
	case f.history == "-", f.history == "" && err != nil:
	case f.history != "":
		opt.HistoryFile = f.history
	default:
		opt.HistoryFile = filepath.Join(home, ".quorate_history")
	}
	return opt, nil
}

// parseTimeout takes a duration, or milliseconds as zkCli does.
func parseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if ms, numberErr := strconv.ParseInt(s, 10, 32); numberErr == nil {
		d, err = time.Duration(ms)*time.Millisecond, nil
	}
	if err != nil || d < time.Millisecond || d > 24*time.Hour {
		return 0, fmt.Errorf("--timeout %q: want a time like 10s, from 1ms to 24h, or a number of milliseconds", s)
	}
	return d, nil
}

// saslUser reads a name and a password from a file: a command line is for all to see.
func (f cliFlags) saslUser() (*zkclient.SASL, error) {
	if f.sasl == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.sasl)
	if err != nil {
		return nil, fmt.Errorf("--sasl: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	user, password, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
	if !ok || user == "" {
		return nil, fmt.Errorf("--sasl %s: want a line user:password", f.sasl)
	}
	return &zkclient.SASL{User: user, Password: password}, nil
}

func (f cliFlags) tlsConfig() (*tls.Config, error) {
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	if !f.tls && f.ca == "" && f.cert == "" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--tls-ca %s: there is no PEM certificate in it", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
		// Certificates would be kept back from a server that does not name their
		// authority, and one with ssl.clientAuth=want would take us for nobody.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return cfg, nil
}
