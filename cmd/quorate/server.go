package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

func newServerCommand() *cobra.Command {
	fromEnv := false
	c := &cobra.Command{
		Use:   "server zoo.cfg | server --from-env",
		Short: "Run one server of an ensemble, from ZooKeeper's own configuration file",
		Long: `Run one server, from ZooKeeper's own zoo.cfg and the file myid in its dataDir.
It logs to stderr and runs until it is told to end (SIGINT, SIGTERM).

A server whose dataDir is empty counts in no quorum until a leader has
synchronized it, unless all participants are there, as they are when an ensemble
is started for the first time. A file named "initialize" in dataDir says that
the server is a new one of a new ensemble, and may count at once.

With --from-env the configuration comes from the environment variables of
ZooKeeper's official container image: ZOO_MY_ID, ZOO_SERVERS, ZOO_TICK_TIME,
ZOO_INIT_LIMIT, ZOO_SYNC_LIMIT, ZOO_MAX_CLIENT_CNXNS, ZOO_STANDALONE_ENABLED,
ZOO_ADMINSERVER_ENABLED, ZOO_AUTOPURGE_PURGEINTERVAL,
ZOO_AUTOPURGE_SNAPRETAINCOUNT, ZOO_4LW_COMMANDS_WHITELIST, ZOO_DATA_DIR (/data),
ZOO_DATA_LOG_DIR (/datalog), ZOO_CFG_EXTRA (any lines of zoo.cfg, separated by
blanks), and -Dzookeeper.key=value in JVMFLAGS and SERVER_JVMFLAGS. A zoo.cfg in
ZOO_CONF_DIR (/conf) goes before all of them.`,
		Example: `  quorate server /etc/zookeeper/conf/zoo.cfg

  ZOO_MY_ID=1 ZOO_DATA_DIR=/tmp/q ZOO_DATA_LOG_DIR=/tmp/q quorate server --from-env`,
		Args: func(c *cobra.Command, args []string) error {
			if fromEnv {
				return exactArgs(0, "no argument beside --from-env")(c, args)
			}
			return exactArgs(1, "one argument, the path of zoo.cfg, or --from-env")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			var cfg *serverConfig
			var err error
			if fromEnv {
				cfg, err = loadEnvConfig(os.Environ())
			} else {
				cfg, err = loadServerConfig(args[0])
			}
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
	c.Flags().BoolVar(&fromEnv, "from-env", false, "take the configuration from the variables ZOO_* instead of a file")
	return c
}

func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
