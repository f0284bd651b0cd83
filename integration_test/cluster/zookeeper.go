package cluster

import (
	"errors"
	"os"
	"os/exec"
)

// The jars of Debian's packages zookeeper and libslf4j-java; the first one's
// manifest names all it needs. The second lets the servers log to stderr.
const (
	zooKeeperJar       = "/usr/share/java/zookeeper.jar"
	zooKeeperClassPath = zooKeeperJar + ":/usr/share/java/slf4j-simple.jar"
)

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
