package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

func newServerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "server zoo.cfg",
		Short: "Run one server of an ensemble, from ZooKeeper's own configuration file",
		Long: `Run one server, from ZooKeeper's own zoo.cfg and the file myid in its dataDir.
It logs to stderr and runs until it is told to end (SIGINT, SIGTERM).

A server whose dataDir is empty counts in no quorum until a leader has
synchronized it, unless all participants are there, as they are when an ensemble
is started for the first time. A file named "initialize" in dataDir says that
the server is a new one of a new ensemble, and may count at once.`,
		Example: `  quorate server /etc/zookeeper/conf/zoo.cfg`,
		Args:    exactArgs(1, "one argument, the path of zoo.cfg"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := loadServerConfig(args[0])
			if err != nil {
				return usageError{err}
			}
			in, err := newInstance(cfg, newLogger(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			return in.run(c.Context())
		},
	}
}

func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
