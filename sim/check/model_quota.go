package check

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// A quota of a subtree is a pair of nodes, limits and stats, and in force while
// both are there (spec client-protocol 2.7). The model does not keep the stats: it
// counts the subtree anew after every change.

const quotaRoot = "/zookeeper/quota"

// quotaOf returns the subtree whose limits or stats node is at a path. Neither the
// root nor what is below /zookeeper can have one.
func quotaOf(path string) (subtree string, stats, ok bool) {
	rest, below := strings.CutPrefix(path, quotaRoot)
	if !below {
		return "", false, false
	}
	subtree, limits := strings.CutSuffix(rest, "/zookeeper_limits")
	if !limits {
		subtree, stats = strings.CutSuffix(rest, "/zookeeper_stats")
	}
	system := subtree == "/zookeeper" || strings.HasPrefix(subtree, "/zookeeper/")
	return subtree, stats, (limits || stats) && subtree != "" && !system
}

func (m *model) quotaNodes(subtree string) (limits, stats *znode) {
	return m.nodes[quotaRoot+subtree+"/zookeeper_limits"], m.nodes[quotaRoot+subtree+"/zookeeper_stats"]
}

// usage counts the nodes of a subtree, its root among them, and their data.
func (m *model) usage(path string) (count, size int) {
	n := m.nodes[path]
	if n == nil {
		return 0, 0
	}
	count, size = 1, len(n.data)
	for name := range n.children {
		c, s := m.usage(path + "/" + name)
		count, size = count+c, size+s
	}
	return count, size
}

func (m *model) statsText(subtree string) []byte {
	count, size := m.usage(subtree)
	return fmt.Appendf(nil, "count=%d,bytes=%d", count, size)
}

// isStats reports whether data is what statsText makes.
func isStats(data []byte) bool { return bytes.HasPrefix(data, []byte("count=")) }

// recount makes the stats of all quotas in force true. That is no change of the
// nodes in any other way.
func (m *model) recount() {
	for subtree := range m.quotas {
		if limits, stats := m.quotaNodes(subtree); limits != nil && stats != nil {
			m.save(quotaRoot + subtree + "/zookeeper_stats")
			stats.data = m.statsText(subtree)
		}
	}
}

// exceeds reports whether a hard limit of a quota in force over a path, from its
// own on upward, is exceeded when there are so many nodes and bytes of data more. What does
// not change is not looked at.
func (m *model) exceeds(path string, more, grown int) bool {
	if !m.enforced {
		return false
	}
	for ; path != rootPath; path = parentOf(path) {
		limits, stats := m.quotaNodes(path)
		if limits == nil || stats == nil {
			continue
		}
		c, b := m.usage(path)
		if over(limits.data, "countHardLimit", c, more) || over(limits.data, "byteHardLimit", b, grown) {
			return true
		}
	}
	return false
}

// over reports whether a limit in the text of a limits node is exceeded.
func over(text []byte, key string, have, more int) bool {
	limit := -1
	for _, pair := range strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ';' }) {
		words := strings.Split(pair, "=")
		if len(words) < 2 || words[0] != key {
			continue
		}
		if n, err := strconv.Atoi(words[1]); err == nil {
			limit = n
		}
	}
	return more != 0 && limit >= 0 && have+more > limit
}
