package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// javaPrograms is a suite of ours for Java: the client beyond its command line,
// the recipes that come with it, and Curator.
type javaPrograms struct{}

//go:embed testdata/JavaSuite.java
var javaSuite []byte

// javaJars are of Debian's packages zookeeper and libcurator-recipes-java, and
// of what these need.
var javaJars = []string{"zookeeper.jar", "zookeeper-recipes-lock.jar", "zookeeper-recipes-election.jar", "zookeeper-recipes-queue.jar",
	"curator-client.jar", "curator-framework.jar", "curator-recipes.jar", "guava.jar", "slf4j-api.jar"}

const (
	javaDir     = "/usr/share/java"
	javaTimeout = 90 * time.Second
)

func (*javaPrograms) Name() string { return "java" }

func (*javaPrograms) About() string {
	return "Tests of ours (`testdata/JavaSuite.java`) with the original Java client, the recipes that come with ZooKeeper, and Apache Curator, as Debian packages them. " +
		"Curator's own tests start a server within themselves, and Kafka is not packaged: neither is run."
}

func (*javaPrograms) Slow(string) bool { return false }

func (*javaPrograms) Missing() error {
	for _, jar := range javaJars {
		if _, err := os.Stat(filepath.Join(javaDir, jar)); err != nil {
			return fmt.Errorf("%s is not there (Debian: apt-get install zookeeper libcurator-recipes-java)", filepath.Join(javaDir, jar))
		}
	}
	out, err := exec.Command("java", "--list-modules").Output()
	if err != nil || !strings.Contains(string(out), "jdk.compiler@") {
		return errors.New("this java cannot run a source file (Debian: apt-get install default-jdk-headless)")
	}
	return nil
}

func (*javaPrograms) Client() string {
	return "libzookeeper-java " + packageVersion("libzookeeper-java") + ", libcurator-recipes-java " + packageVersion("libcurator-recipes-java")
}

// launch runs the suite's program; the JVM compiles it first.
func (*javaPrograms) launch(dir string, args ...string) (*program, error) {
	source := filepath.Join(dir, "JavaSuite.java")
	if err := os.WriteFile(source, javaSuite, 0o644); err != nil {
		return nil, err
	}
	return start(dir, nil, "java", append([]string{heap, "-cp", classPath(), source}, args...)...)
}

func classPath() string {
	var paths []string
	for _, jar := range javaJars {
		paths = append(paths, filepath.Join(javaDir, jar))
	}
	return strings.Join(paths, ":")
}

func (j *javaPrograms) Tests(ctx context.Context) ([]string, error) {
	return namesIn(javaSuite), nil
}

// namesIn reads the names of the tests out of the source.
func namesIn(source []byte) []string {
	var names []string
	for line := range strings.Lines(string(source)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), `all.put("`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			names = append(names, name)
		}
	}
	return names
}

func (j *javaPrograms) Run(ctx context.Context, s *stage, tests []string, rec *recorder) error {
	c, stop, err := s.startCluster(ctx)
	if err != nil {
		return err
	}
	defer stop()
	r := eventRun{timeout: javaTimeout, launch: func(tests []string) (*program, error) {
		wanted := filepath.Join(s.dir, "wanted")
		if err := writeList(wanted, tests); err != nil {
			return nil, err
		}
		return j.launch(s.dir, "run", strings.Join(c.ClientAddrs(), ","), wanted)
	}}
	return r.run(ctx, tests, rec)
}
