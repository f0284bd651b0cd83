// Command quorate runs ZooKeeper's service: one server of an ensemble, a whole
// ensemble on one machine, and the tools to look at them. See the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of every subcommand.
const (
	exitOK    = 0
	exitNotOK = 1
	exitUsage = 2
)

// usageError marks a mistake in the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// codeError ends the command with a code of its own; what is wrong has been printed.
type codeError struct {
	error
	code int
}

// quietError says that what is wrong has been printed already.
type quietError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything it touches as arguments. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var quiet quietError
	var coded codeError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		if coded.code == exitHarness || errors.Is(err, errInterrupted) {
			_, _ = fmt.Fprintf(stderr, "quorate: %v\n", err)
		}
		return coded.code
	case errors.As(err, &quiet):
		return exitNotOK
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "quorate: %v\n", err)
		return exitUsage
	default:
		_, _ = fmt.Fprintf(stderr, "quorate: %v\n", err)
		return exitNotOK
	}
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "quorate",
		Short: "ZooKeeper's service: leader election, atomic broadcast, znodes",
		Example: `  quorate local                     a quorum of three on this machine
  quorate server /etc/zoo.cfg       one server of an ensemble
  quorate status -s host:2181       how an ensemble is doing
  quorate cli -s host:2181          znodes, as with zkCli.sh`,
		Version:      version(),
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s -h)", err, c.CommandPath())}
	})
	root.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usageError{fmt.Errorf("there is no command %q (see quorate -h)", args[0])}
	}
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	root.AddCommand(newLocalCommand(), newServerCommand(), newStatusCommand(), newCLICommand(), newSimCommand())
	return root
}

// version is that of the module, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value
		}
	}
	return v
}

// exactArgs is cobra.ExactArgs with our exit code and a sentence that says what
// is missing.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return usageError{fmt.Errorf("%s wants %s, and got %d arguments (see %s -h)", c.CommandPath(), what, len(args), c.CommandPath())}
	}
}
