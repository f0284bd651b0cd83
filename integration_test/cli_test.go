package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

// cliScript is what zkCli and quorate cli are both told. Its outputs are those that are
// meant to be alike. getEphemerals is not among them: zkCli's knows nothing of chroots.
const cliScript = `create /a hello
create /a again
create /no/parent x
create -s /a/s- one
create -s -e /a/s- two
create -c /box
create /null
create /json {"a":1}
create '/quoted' 'a b'
create /acl data world:anyone:r
create /a/s-0000000001/child
ls /
ls -s /a
ls -R /a
ls /nope
get /a
get -s /a
get /null
get /json
get /quoted
get /nope
set /a world
set -s /a again
set -v 1 /a no
set /nope x
set /acl no
stat /a
stat /nope
getAcl /a
getAcl -s /acl
setAcl -s /a world:anyone:cdrwa
setAcl /a foo:bar:r
addauth digest user:secret
setAcl /box auth::cdrwa
getAcl /box
whoami
getAllChildrenNumber /a
addWatch /a
removewatches /null
sync /
delete /a
delete -v 9 /null
delete /null
delete /nope
deleteall /a
deleteall /nope
ls /
quit
`

// talks runs a client on the script and returns what it prints, errors among the rest.
func talks(t *testing.T, name string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = cluster.DieWithParent(true)
	cmd.Stdin = strings.NewReader(cliScript)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // lines fail, and are meant to
	require.True(t, late.Stop(), "%s does not end: %s", name, &out)
	var lines []string
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !cliNoise.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// cliNoise is what the two say besides the results of commands.
var cliNoise = regexp.MustCompile(`^(SLF4J:|Connecting to |Welcome to ZooKeeper|JLine support|WATCHER:|WatchedEvent )`)

// alike are differences that are none: zxids and times, and where ours says the same
// otherwise.
var alike = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`0x[0-9a-f]+`), "0xN"},
	{regexp.MustCompile(`(.time) = .*`), "$1 = T"},
	{regexp.MustCompile(`(?m)^'([^,\n]*),'(.*)\n: `), "$1:$2:"}, // an ACL entry takes two lines in zkCli
	{regexp.MustCompile(` : /`), ": /"},
	{regexp.MustCompile(` \((it is not the present|see ).*\)`), ""},
	{regexp.MustCompile(`KeeperErrorCode = `), ""},
}

func normal(lines []string) []string {
	text := strings.Join(lines, "\n")
	for _, a := range alike {
		text = a.what.ReplaceAllString(text, a.with)
	}
	return strings.Split(text, "\n")
}

// TestCLI_AsZkCli compares quorate cli with ZooKeeper's own, on our servers and on
// ZooKeeper's, each in a chroot of its own.
func TestCLI_AsZkCli(t *testing.T) {
	program(t, "zookeeper", zkCli, "java")
	if *zooKeeperFlag {
		t.Skip("skipped: -zookeeper builds no quorate binary")
	}
	for _, kind := range []cluster.Kind{cluster.Quorate, cluster.ZooKeeper} {
		t.Run(kind.String(), func(t *testing.T) {
			if err := cluster.ZooKeeperInstalled(); kind == cluster.ZooKeeper && err != nil {
				t.Skipf("skipped: %v", err)
			}
			c, err := cluster.New(cluster.Config{Kind: kind, Binary: quorateBinary, Dir: t.TempDir(), Servers: 1})
			require.NoError(t, err)
			t.Cleanup(c.Close)
			require.NoError(t, c.Start())
			require.NoError(t, c.WaitServing(servingTimeout))
			addr := hostsOf(c)
			out, err := exec.Command(quorateBinary, "cli", "-s", addr, "create", "-p", "/ours").CombinedOutput()
			require.NoError(t, err, string(out))
			out, err = exec.Command(quorateBinary, "cli", "-s", addr, "create", "/theirs").CombinedOutput()
			require.NoError(t, err, string(out))

			theirs := normal(talks(t, zkCli, "-server", addr+"/theirs"))
			ours := normal(talks(t, quorateBinary, "cli", "-s", addr+"/ours"))
			assert.Equal(t, strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
			assert.Greater(t, len(ours), 80)
		})
	}
}

// ask runs quorate cli and returns what it prints on both outputs, and its exit code.
func ask(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(quorateBinary, append([]string{"cli", "--timeout", "20s"}, args...)...)
	cmd.SysProcAttr = cluster.DieWithParent(false)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	require.True(t, late.Stop(), "quorate cli %v does not end: %s", args, &out)
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestCLI_SecurePort(t *testing.T) {
	c := startSecure(t)
	password := c.file("password")
	require.NoError(t, os.WriteFile(password, []byte("bob:bobsecret\n"), 0o600))
	secure := []string{"-s", c.secure, "--tls-ca", c.file("ca.pem"), "--tls-cert", c.file("alice.pem"), "--tls-key", c.file("alice.pem"), "--sasl", password}
	out, code := ask(t, append(secure, "whoami")...)
	require.Zero(t, code, out)
	require.Contains(t, out, "sasl: bob\n")
	require.Contains(t, out, "x509: CN=alice")
	out, code = ask(t, append(secure, "create", "/mine", "secret", "sasl:bob:cdrwa")...)
	require.Zero(t, code, out)

	plain := []string{"-s", hostsOf(c.Cluster)}
	out, code = ask(t, append(plain, "get", "/mine")...)
	require.Equal(t, 1, code)
	require.Contains(t, out, "Insufficient permission: /mine")
	out, code = ask(t, append(plain, "--sasl", password, "get", "/mine")...)
	require.Zero(t, code, out)
	require.Equal(t, "secret\n", out)
	require.NoError(t, os.WriteFile(password, []byte("bob:wrong"), 0o600))
	out, code = ask(t, append(plain, "--sasl", password, "get", "/mine")...)
	require.Equal(t, 1, code)
	require.Contains(t, out, "Authentication failed")
}

func TestCLI_ServerWithoutAQuorum(t *testing.T) {
	onlyQuorate(t)
	c := startCluster(t, cluster.Config{Servers: 3, Lines: []string{"readonlymode.enabled=true", "4lw.commands.whitelist=*"}})
	out, code := ask(t, "-s", hostsOf(c), "create", "/ro", "before")
	require.Zero(t, code, out)
	c.Server(2).Kill()
	c.Server(3).Kill()
	left := c.Server(1)
	eventually(t, servingTimeout, "the server serves reads", func() error {
		text, err := left.FourLetter("isro")
		if err == nil && text != "ro" {
			err = fmt.Errorf("isro says %q", text)
		}
		return err
	})
	out, code = ask(t, "-r", "-s", left.ClientAddr(), "get", "/ro")
	require.Zero(t, code, out)
	require.Equal(t, "before\n", out)
	out, code = ask(t, "-r", "-s", left.ClientAddr(), "export", "/ro")
	require.Zero(t, code, out)
	out, code = ask(t, "-r", "-s", left.ClientAddr(), "set", "/ro", "after")
	require.Equal(t, 1, code)
	require.Contains(t, out, "This server has no quorum and only serves reads")
	out, code = ask(t, "--timeout", "1s", "-s", left.ClientAddr(), "get", "/ro")
	require.Equal(t, 1, code, "without -r it is no server")
	require.Contains(t, out, "no quorum")

	// A shell moves to a server with a quorum when there is one.
	s := converse(t, quorateBinary, "cli", "-r", "-s", hostsOf(c))
	s.say("get /ro", "before")
	require.NoError(t, c.Start(2, 3))
	require.NoError(t, c.WaitServing(servingTimeout))
	s.say("sync /", "Sync is OK")
	s.say("set /ro after")
	s.say("get /ro", "after")
}
