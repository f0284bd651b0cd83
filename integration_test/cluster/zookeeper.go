package cluster

import (
	"errors"
	"os"
	"os/exec"
)

// zooKeeperJar is of Debian's package zookeeper; its manifest names all it needs.
const zooKeeperJar = "/usr/share/java/zookeeper.jar"

// ZooKeeperClassPath is what a java that runs a server needs. The second jar, of
// Debian's libslf4j-java, lets the servers log to stderr.
//
// The others are what the first one's manifest leaves out: for netty, which TLS
// needs, and for jetty, which the admin server does.
const ZooKeeperClassPath = zooKeeperJar + ":/usr/share/java/slf4j-simple.jar:/usr/share/java/netty-resolver.jar:" +
	"/usr/share/java/netty-codec.jar:/usr/share/java/netty-transport-native-unix-common.jar:" +
	"/usr/share/java/servlet-api.jar:/usr/share/java/jetty9-util-ajax.jar"

// ZooKeeperInstalled returns nil if this machine can run a cluster of kind
// ZooKeeper, and otherwise what is missing.
func ZooKeeperInstalled() error {
	if _, err := os.Stat(zooKeeperJar); err != nil {
		return errors.New("the original ZooKeeper is not installed (Debian: apt-get install zookeeper)")
	}
	if _, err := exec.LookPath("java"); err != nil {
		return errors.New("java is not installed (Debian: apt-get install default-jre-headless)")
	}
	return nil
}
