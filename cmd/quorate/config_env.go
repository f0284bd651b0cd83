package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/ensemble"
)

// The variables of ZooKeeper's official container image, which its start script
// turns into a zoo.cfg. We do without the file, but for the one that a volume may
// have put into ZOO_CONF_DIR: then that counts, as there, and the variables do not.

// envVariable is a variable that stands for one key.
type envVariable struct {
	Name, Key string
	Default   string // of the image; "" leaves ours
}

var envVariables = []envVariable{
	{"ZOO_DATA_DIR", "dataDir", "/data"},
	{"ZOO_DATA_LOG_DIR", "dataLogDir", "/datalog"},
	{"ZOO_TICK_TIME", "tickTime", "2000"},
	{"ZOO_INIT_LIMIT", "initLimit", "5"},
	{"ZOO_SYNC_LIMIT", "syncLimit", "2"},
	{"ZOO_AUTOPURGE_PURGEINTERVAL", "autopurge.purgeInterval", ""},
	{"ZOO_AUTOPURGE_SNAPRETAINCOUNT", "autopurge.snapRetainCount", ""},
	{"ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", ""},
	{"ZOO_STANDALONE_ENABLED", "standaloneEnabled", ""},
	{"ZOO_ADMINSERVER_ENABLED", "admin.enableServer", ""},
	{"ZOO_4LW_COMMANDS_WHITELIST", "4lw.commands.whitelist", ""},
}

// envOthers are the variables that are not one key each. Those of the second line
// have no meaning here.
var envOthers = []string{"ZOO_MY_ID", "ZOO_SERVERS", "ZOO_CFG_EXTRA", "ZOO_CONF_DIR",
	"ZOO_LOG_DIR", "ZOO_LOG4J_PROP", "ZOOCFG", "ZOOCFGDIR", "ZOOBINDIR"}

const (
	envConfDir    = "/conf"
	envClientPort = "2181"
)

// loadEnvConfig makes a configuration of environment variables, given as
// NAME=value. It writes the file myid where there is none yet.
func loadEnvConfig(environ []string) (*serverConfig, error) {
	env := map[string]string{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	dir := env["ZOO_CONF_DIR"]
	if dir == "" {
		dir = envConfDir
	}
	if path := filepath.Join(dir, "zoo.cfg"); fileExists(path) {
		cfg, err := loadServerConfig(path)
		if err == nil && (env["ZOO_SERVERS"] != "" || env["ZOO_CFG_EXTRA"] != "") {
			cfg.Warnings = append(cfg.Warnings, path+" is there, so the variables ZOO_* do not count")
		}
		return cfg, err
	}
	list := envEntries(env)
	if err := writeMyID(list.valueOf("dataDir"), env["ZOO_MY_ID"]); err != nil {
		return nil, err
	}
	cfg, err := parseEntries("environment", slices.Values(list), configWorld{ReadMyID: readMyID, FreePort: freeLoopbackPort})
	if err != nil {
		return nil, err
	}
	cfg.Warnings = append(cfg.Warnings, envTypos(env)...)
	return cfg, nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// entryList are the entries of a configuration that is put together: of two with
// the same key the later one counts.
type entryList []configEntry

func (l *entryList) set(source, key, value string) {
	l.put(configEntry{Key: strings.TrimPrefix(key, "zookeeper."), Value: value, Source: source})
}

func (l *entryList) put(e configEntry) {
	if i := slices.IndexFunc(*l, func(old configEntry) bool { return old.Key == e.Key }); i >= 0 {
		(*l)[i] = e
		return
	}
	*l = append(*l, e)
}

func (l entryList) valueOf(key string) string {
	for _, e := range l {
		if e.Key == key {
			return e.Value
		}
	}
	return ""
}

// envEntries is what the image's start script would write into zoo.cfg, and what
// the flags of the Java machine would set, which count least.
func envEntries(env map[string]string) entryList {
	var l entryList
	for _, name := range []string{"JVMFLAGS", "SERVER_JVMFLAGS"} {
		for _, flag := range strings.Fields(env[name]) {
			key, value, ok := strings.Cut(strings.TrimPrefix(flag, "-D"), "=")
			if ok && strings.HasPrefix(flag, "-D") && isConfigProperty(key) {
				l.put(configEntry{Key: strings.TrimPrefix(key, "zookeeper."), Value: value, Source: name, Property: true})
			}
		}
	}
	for _, v := range envVariables {
		value := env[v.Name]
		if value == "" {
			value = v.Default
		}
		if value != "" {
			l.set(v.Name, v.Key, value)
		}
	}
	for _, line := range strings.Fields(env["ZOO_SERVERS"]) {
		key, value, _ := strings.Cut(line, "=")
		l.set("ZOO_SERVERS", key, value)
	}
	for _, line := range strings.Fields(env["ZOO_CFG_EXTRA"]) {
		key, value, _ := strings.Cut(line, "=")
		l.set("ZOO_CFG_EXTRA", key, value)
	}
	if own := l.valueOf("server." + envMyID(env["ZOO_MY_ID"])); !strings.Contains(own, ";") && l.valueOf("clientPort") == "" {
		l.set("the default", "clientPort", envClientPort)
	}
	return l
}

// isConfigProperty reports whether a Java system property is for the server and
// not for Java.
func isConfigProperty(key string) bool {
	if strings.HasPrefix(key, "zookeeper.") {
		return true
	}
	_, ours := configRules[key]
	return ours
}

// propertyKeys are properties that ZooKeeper's scripts, its logging, JMX and its
// clients have. They are no keys of zoo.cfg, and are unknown there.
var propertyKeys = map[string]foreignKey{
	"root.logger":           {Why: logWhy},
	"console.threshold":     {Why: logWhy},
	"log.":                  {Why: logWhy},
	"tracelog.":             {Why: logWhy},
	"auditlog.":             {Why: "audit.enable and audit.file say what is audited, and where to"},
	"jmx.log4j.disable":     {Harmless: "true", Why: "there is no JMX"},
	"jmx.":                  {Why: "there is no JMX"},
	"client.secure":         {Why: clientWhy},
	"clientCnxnSocket":      {Why: clientWhy},
	"configuration":         {Why: clientWhy},
	"disableAutoWatchReset": {Why: clientWhy},
	"hostProvider.":         {Why: clientWhy},
	"kinit":                 {Why: clientWhy},
	"request.timeout":       {Why: clientWhy},
	"server.principal":      {Why: clientWhy},
	"server.realm":          {Why: clientWhy},
	"shuffleDnsResponse":    {Why: clientWhy},
}

const (
	logWhy    = "the log is lines on standard error"
	clientWhy = "it is for Java's clients"
)

// noKey tells of a property that is no key. Java does not mind those that nobody
// asks for, and a container that came up with ZooKeeper is to come up with us.
func (p *configParser) noKey(e configEntry) bool {
	if r, ok := ruleIn(propertyKeys, e.Key); ok {
		if r.Harmless == "" || !strings.EqualFold(e.Value, r.Harmless) {
			p.warn(e, "-Dzookeeper.%s has no effect: %s", clip(e.Key), r.Why)
		}
		return true
	}
	if isKey(e.Key) {
		return false
	}
	if near := nearestKey(e.Key); near != "" {
		p.warn(e, "-Dzookeeper.%s has no effect: it is unknown; did you mean %s?", clip(e.Key), near)
		return true
	}
	p.warn(e, "-Dzookeeper.%s has no effect: it is unknown, neither ZooKeeper's nor ours", clip(e.Key))
	return true
}

// isKey reports whether there is a rule for a key.
func isKey(key string) bool {
	_, ours := configRules[key]
	_, family := familyRule(key)
	_, foreign := foreignRule(key)
	_, number := memberKind(key)
	_, err := strconv.ParseUint(number, 10, 63)
	return ours || family || foreign || number != "" && err == nil
}

func envMyID(value string) string {
	if value == "" {
		return "1"
	}
	return value
}

// writeMyID makes the file myid say what ZOO_MY_ID says. One that says something
// else is left alone, and is a fault: another server's data would be taken for ours.
func writeMyID(dataDir, value string) error {
	id, err := strconv.ParseInt(envMyID(value), 10, 64)
	if err != nil || id < 0 {
		return fmt.Errorf("ZOO_MY_ID=%s: want this server's id, a number", clip(value))
	}
	path := filepath.Join(dataDir, "myid")
	data, err := readMyID(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return describeFileError(path, "the file with this server's id", err)
	default:
		is, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err == nil && value != "" && is != id {
			return fmt.Errorf("%s says that the data is of server %v, and ZOO_MY_ID is %v; give each server a directory of its own, or correct ZOO_MY_ID",
				path, ensemble.ServerID(is), ensemble.ServerID(id))
		}
		return nil
	}
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return fmt.Errorf("make the data directory: %w; ZOO_DATA_DIR names another", err)
	}
	if err := os.WriteFile(path, []byte(strconv.FormatInt(id, 10)+"\n"), 0o644); err != nil {
		return fmt.Errorf("write the file with this server's id: %w", err)
	}
	return nil
}

// envTypos warns of variables that look like one that we know and are none. Others
// that begin with ZOO_ are somebody else's: container platforms set some.
func envTypos(env map[string]string) (warnings []string) {
	known := slices.Clone(envOthers)
	for _, v := range envVariables {
		known = append(known, v.Name)
	}
	for name := range env {
		if !strings.HasPrefix(name, "ZOO") || slices.Contains(known, name) {
			continue
		}
		for _, k := range known {
			if editDistance(name, k, 3) < 3 {
				warnings = append(warnings, fmt.Sprintf("environment: unknown variable %s; did you mean %s?", clip(name), k))
				break
			}
		}
	}
	slices.Sort(warnings)
	return warnings
}
