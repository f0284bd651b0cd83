package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/server/proto"
)

func TestSplitLine(t *testing.T) {
	for line, want := range map[string][]string{
		"":                        nil,
		"  \t ":                   nil,
		"# ls /":                  nil,
		"ls /":                    {"ls", "/"},
		" set  /a 'x y' ":         {"set", "/a", "x y"},
		`set /a "it's"`:           {"set", "/a", "it's"},
		`set /a {"a":"b"}`:        {"set", "/a", `{"a":"b"}`},
		`set /a '{"a": "b"}'`:     {"set", "/a", `{"a": "b"}`},
		`create /a ""`:            {"create", "/a", ""},
		`'a''b'`:                  {"a", "b"},
		`a"b c"`:                  {`a"b`, `c"`},
		`set /a "back\slash\n" #`: {"set", "/a", `back\slash\n`, "#"},
	} {
		got, err := splitLine(line)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
	}
	_, err := splitLine(`set /a "open`)
	require.ErrorIs(t, err, errOpenQuote)
}

func TestParseACL(t *testing.T) {
	a := &args{cmd: find("setAcl")}
	got, err := parseACL(a, "world:anyone:r,digest:u:abc=:cdrwa,ip:2001:db8::/32:rw,x509:CN=me,O=us:a,auth::")
	require.NoError(t, err)
	require.Equal(t, []proto.ACL{
		{Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}},
		{Perms: proto.PermAll, ID: proto.ID{Scheme: "digest", ID: "u:abc="}},
		{Perms: proto.PermRead | proto.PermWrite, ID: proto.ID{Scheme: "ip", ID: "2001:db8::/32"}},
		{Perms: proto.PermAdmin, ID: proto.ID{Scheme: "x509", ID: "CN=me,O=us"}},
		{Perms: 0, ID: proto.ID{Scheme: "auth"}},
	}, got)
	for _, bad := range []string{"", "world", "world:anyone", "world:anyone:z", "world:anyone:r,x"} {
		_, err := parseACL(a, bad)
		require.Error(t, err, bad)
	}
}

func TestSafe(t *testing.T) {
	require.Equal(t, "ordinary \u00fcber \u65e5\u672c", safe("ordinary \u00fcber \u65e5\u672c"))
	require.Equal(t, `a"b\c`, safe(`a"b\c`))
	for _, bad := range []string{"\x1b[31m", "a\rb", "\u009b31m", "\u202etxt", "\xff", "\u2028"} {
		got := safe(bad)
		require.NotEqual(t, bad, got)
		require.True(t, printable(got, ""), "%q", got)
	}
}

func TestQuota_Formats(t *testing.T) {
	require.Equal(t, quota{5, -1, -1, -1}, parseQuota([]byte("count=5,bytes=-1")), "ZooKeeper 3.4")
	q := quota{1, 2, 3, 4}
	require.Equal(t, q, parseQuota(q.encode()))
	require.Equal(t, quota{-1, -1, -1, -1}, parseQuota([]byte("nonsense,=;x=1;count=")))
}

func TestEnsembleConfig(t *testing.T) {
	c := newEnsembleConfig([]byte("server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888:participant;10.0.0.2:2182\nserver.3=[::1]:2888:3888:observer;2183;;x:2281\nserver.4=c:1:2:participant\nversion=100000000"))
	require.Equal(t, "100000000", c.Version)
	require.Equal(t, []string{"a:2181", "10.0.0.2:2182", "[::1]:2183"}, c.Clients)
}

func TestPaths(t *testing.T) {
	for _, root := range []string{"/", "/a", "/a/b"} {
		for _, rel := range []string{"", "/x", "/x/y"} {
			p := absolute(root, rel)
			require.NoError(t, checkPath(p))
			require.Equal(t, rel, relative(root, p), "%s %s", root, rel)
			require.True(t, below(root, p))
		}
	}
	require.False(t, below("/a", "/ab"))
}

func TestCommands_AreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		require.False(t, seen[strings.ToLower(c.name)], c.name)
		seen[strings.ToLower(c.name)] = true
		require.NotEmpty(t, c.short, c.name)
		require.NotEmpty(t, c.example, c.name)
		require.NotNil(t, c.run, c.name)
		require.GreaterOrEqual(t, c.paramsMax, c.paramsMin, c.name)
		// Every example is a line that the command understands.
		for line := range strings.Lines(c.example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
			line, _, _ = strings.Cut(line, "|")
			line, _, _ = strings.Cut(line, ">")
			line, _, _ = strings.Cut(line, "&&")
			words, err := splitLine(line)
			require.NoError(t, err, line)
			if find(words[0]) != c { // it shows the use from outside of the shell
				continue
			}
			_, err = parseArgs(c, words[1:])
			require.NoError(t, err, line)
		}
	}
	for _, name := range []string{"addWatch", "addauth", "close", "config", "connect", "create", "delete", "deleteall", "delquota",
		"get", "getAcl", "getAllChildrenNumber", "getEphemerals", "history", "listquota", "ls", "printwatches", "quit", "reconfig",
		"redo", "removewatches", "set", "setAcl", "setquota", "stat", "sync", "version", "whoami"} {
		require.True(t, seen[strings.ToLower(name)], "zkCli has %s", name)
	}
}

func TestUnknown_FindsWhatIsMeant(t *testing.T) {
	for typed, meant := range map[string]string{"craete": "create", "getacls": "getAcl", "rmwatches": "help lists all", "lsquota": "listquota", "tre": "tree"} {
		require.ErrorContains(t, unknown(typed), meant, typed)
	}
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"ls -sR /", "setAcl /x world:anyone:r,ip:::1:r", `set -v 1 -f x "/a b" 'c`, "get -bxsw -- -z", "tree --d=3", "\x1b[31m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitLine(line)
		if err != nil || len(words) == 0 {
			return
		}
		cmd := find(words[0])
		if cmd == nil {
			requireSafe(t, unknown(words[0]).Error())
			return
		}
		a, err := parseArgs(cmd, words[1:])
		if err == nil && len(a.params) > 1 {
			_, err = parseACL(a, a.params[1])
		}
		if err != nil {
			requireSafe(t, strings.ReplaceAll(err.Error(), "\n", ""))
		}
	})
}

// requireSafe says that what is printed cannot command a terminal.
func requireSafe(t *testing.T, s string) {
	if !utf8.ValidString(s) || !printable(s, "") {
		t.Errorf("printed as it is: %q", s)
	}
}

func TestWriteJSON_PrintsNoCommandsForTerminals(t *testing.T) {
	var out strings.Builder
	nasty := "/\x1b[31m\u009b31m\u202e\U000e0001\u2028\x7f\"\\\xff\n\u00e9"
	require.NoError(t, writeJSON(&out, listing{Path: nasty, Children: []string{nasty}}))
	line := strings.TrimSuffix(out.String(), "\n")
	require.True(t, printable(line, ""), "%q", line)
	var back listing
	require.NoError(t, json.Unmarshal([]byte(line), &back))
	require.Equal(t, strings.ToValidUTF8(nasty, "\ufffd"), back.Path, "the escapes mean the same")
}

// Whatever a server holds, no command prints it as it is.
func TestResults_PrintNoCommandsForTerminals(t *testing.T) {
	nasty := "/a\x1b]0;title\a\u202e"
	z := zxid(5)
	for _, r := range []result{
		listing{Path: nasty, Children: []string{nasty}, Stat: &stat{}}, pathLine{Path: nasty}, pathList{[]string{nasty}},
		content{Path: nasty, Data: data(nasty)}, content{Path: nasty, Data: data(nasty), format: formatHex},
		created{Path: nasty}, accessList{ACL: []aclEntry{{nasty, nasty, "r"}}}, identities{[]identity{{nasty, nasty}}},
		watchEvent{Event: "NodeCreated", Path: nasty}, happening{Event: "NodeCreated", Path: nasty, Zxid: &z},
		&branch{Path: nasty, Children: []*branch{{Name: nasty}}}, difference{Path: nasty}, difference{Path: nasty, Only: "a"},
		quotaReport{Path: nasty}, ensembleConfig{Config: nasty}, ensembleConfig{Version: nasty, Clients: []string{nasty}, addrOnly: true},
		watchStatus{Watches: []armedWatch{{"data", nasty}}}, recent{[]numbered{{1, nasty}}}, importReport{Path: nasty},
	} {
		var out strings.Builder
		require.NoError(t, printResult(&out, r, false))
		require.True(t, printable(out.String(), "\n"), "%T: %q", r, out.String())
	}
	for _, err := range []error{&zkclient.Error{Op: proto.OpGetData, Path: nasty, Err: proto.ErrNoNode},
		&zkclient.Error{Path: nasty, Err: proto.ErrCode(-99)}, &zkclient.Error{Path: nasty, Err: zkclient.ErrConnectionLoss}, unknown(nasty)} {
		require.True(t, printable(describe(err), ""), "%q", describe(err))
	}
	require.NotContains(t, describe(&zkclient.Error{Op: proto.OpReconfig, Err: proto.ErrBadVersion}), "stat")
}
