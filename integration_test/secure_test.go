package integration_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
	"github.com/quorate/quorate/internal/certs/certstest"
)

// secureCluster is one server with a port of each kind, and the files of its
// operator.
type secureCluster struct {
	*cluster.Cluster
	dir    string
	secure string // host:port
	ca     *certstest.Pair
}

func (c *secureCluster) file(name string) string { return filepath.Join(c.dir, name) }

func startSecure(t *testing.T) *secureCluster {
	t.Helper()
	onlyQuorate(t)
	ports, err := cluster.FreePorts(1)
	require.NoError(t, err)
	c := &secureCluster{dir: t.TempDir(), secure: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), ca: certstest.Authority(t, "ca")}
	certstest.Write(t, c.file("ca.pem"), c.ca.CertPEM())
	c.renew(t, "server")
	alice := c.ca.Issue(t, pkix.Name{Organization: []string{"Example"}, CommonName: "alice"})
	certstest.Write(t, c.file("alice.pem"), alice.StorePEM(t))
	writeJAAS(t, c.file("jaas.conf"))
	c.Cluster = startCluster(t, cluster.Config{Servers: 1, Lines: []string{
		fmt.Sprintf("secureClientPort=%d", ports[0]), "secureClientPortAddress=127.0.0.1",
		"ssl.keyStore.location=" + c.file("server.pem"), "ssl.trustStore.location=" + c.file("ca.pem"),
		"sasl.jaas=" + c.file("jaas.conf"), "superUser=super",
	}})
	return c
}

// writeJAAS writes a file for servers and for Java's client.
func writeJAAS(t *testing.T, path string) {
	t.Helper()
	const module = "org.apache.zookeeper.server.auth.DigestLoginModule required\n"
	require.NoError(t, os.WriteFile(path, []byte("Server {\n"+module+"user_super=\"adminsecret\"\nuser_bob=\"bobsecret\";\n};\n"+
		"Client {\n"+module+"username=\"bob\"\npassword=\"bobsecret\";\n};\n"), 0o600))
}

// renew gives the server a new certificate.
func (c *secureCluster) renew(t *testing.T, name string) {
	t.Helper()
	certstest.Write(t, c.file("server.pem"), c.ca.Issue(t, pkix.Name{CommonName: name}).StorePEM(t))
}

// dialTLS opens a session as alice and returns who the server says that it is.
func (c *secureCluster) dialTLS(t *testing.T) (conn *wire.Conn, server string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(c.file("alice.pem"), c.file("alice.pem"))
	require.NoError(t, err)
	nc, err := tls.Dial("tcp", c.secure, &tls.Config{RootCAs: c.ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	conn, err = wire.Open(nc, 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(conn.Drop)
	return conn, nc.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// TestSecure has real clients come by TLS and by SASL.
func TestSecure(t *testing.T) {
	c := startSecure(t)
	t.Run("openssl", func(t *testing.T) {
		program(t, "openssl", "openssl")
		cmd := exec.Command("openssl", "s_client", "-quiet", "-connect", c.secure, "-CAfile", c.file("ca.pem"),
			"-verify_return_error", "-cert", c.file("alice.pem"), "-key", c.file("alice.pem"))
		cmd.Stdin = strings.NewReader("srvr")
		out, err := cmd.Output()
		require.NoError(t, err)
		assert.Contains(t, string(out), "Mode: standalone")
	})
	t.Run("quorate cli", func(t *testing.T) {
		whoami := func(args ...string) string {
			out, err := exec.Command(quorateBinary, append(append([]string{"cli"}, args...), "whoami")...).CombinedOutput()
			require.NoError(t, err, string(out))
			return string(out)
		}
		assert.Contains(t, whoami("-s", c.secure, "--tls-ca", c.file("ca.pem"), "--tls-cert", c.file("alice.pem"),
			"--tls-key", c.file("alice.pem")), "x509: CN=alice,O=Example")
		require.NoError(t, os.WriteFile(c.file("bob"), []byte("bob:bobsecret\n"), 0o600))
		assert.Contains(t, whoami("-s", c.Server(1).ClientAddr(), "--sasl", c.file("bob")), "sasl: bob")
	})
	t.Run("kazoo", func(t *testing.T) {
		needPython(t, "import kazoo, puresasl", "python3-kazoo python3-pure-sasl")
		runToOK(t, python, scriptPath(t, "kazoo_secure.py"), c.Server(1).ClientAddr(), c.secure, c.file("ca.pem"), c.file("alice.pem"))
	})
	t.Run("Java by TLS", func(t *testing.T) { c.tryJavaTLS(t) })
	t.Run("Java by SASL", func(t *testing.T) { c.tryJavaSASL(t) })
	t.Run("new certificate", func(t *testing.T) {
		old, name := c.dialTLS(t)
		assert.Equal(t, "server", name)
		c.renew(t, "renewed")
		eventually(t, 20*time.Second, "the new certificate is shown", func() error {
			conn, name := c.dialTLS(t)
			conn.Drop()
			if name != "renewed" {
				return fmt.Errorf("it is %s", name)
			}
			return nil
		})
		require.NoError(t, old.Sync("/"), "the old connection goes on")
	})
}

// secureClassPath are the jars that Debian's client needs to speak TLS. The
// manifest of zookeeper.jar leaves some out.
func secureClassPath(t *testing.T) string {
	t.Helper()
	program(t, "default-jre-headless", "java")
	if err := cluster.ZooKeeperInstalled(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	jars := []string{"zookeeper", "slf4j-simple", "netty-resolver", "netty-codec", "netty-transport-native-unix-common"}
	for i, name := range jars {
		jars[i] = "/usr/share/java/" + name + ".jar"
		if _, err := os.Stat(jars[i]); err != nil {
			t.Skipf("skipped: %v (Debian: apt-get install zookeeper libnetty-java)", err)
		}
	}
	return strings.Join(jars, ":")
}

func (c *secureCluster) tryJavaTLS(t *testing.T) {
	classPath := secureClassPath(t)
	_, port, err := net.SplitHostPort(c.secure)
	require.NoError(t, err)
	d := converse(t, "java", "-Dzookeeper.client.secure=true", "-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty",
		"-Dzookeeper.ssl.keyStore.location="+c.file("alice.pem"), "-Dzookeeper.ssl.trustStore.location="+c.file("ca.pem"),
		"-cp", classPath, "org.apache.zookeeper.ZooKeeperMain", "-server", "localhost:"+port)
	d.expect("state:SyncConnected")
	d.say("whoami", "x509: CN=alice,O=Example")
	d.say("create /java data auth::cdrwa", "Created /java")
	d.say("get /java", "data")
	d.quit("quit")
	_, _, err = dial(t, c.Server(1).ClientAddr()).Get("/java")
	assert.Equal(t, wire.Error(-102), err, "others may not read it")
}

func (c *secureCluster) tryJavaSASL(t *testing.T) {
	classPath := secureClassPath(t)
	d := converse(t, "java", "-Djava.security.auth.login.config="+c.file("jaas.conf"), "-cp", classPath,
		"org.apache.zookeeper.ZooKeeperMain", "-server", c.Server(1).ClientAddr())
	d.expect("state:SaslAuthenticated")
	d.say("whoami", "sasl: bob")
	d.say("create /sasl data sasl:bob:cdrwa", "Created /sasl")
	d.say("get /sasl", "data")
	d.quit("quit")
}
