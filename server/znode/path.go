package znode

import (
	"strings"
	"unicode/utf8"
)

// The nodes that exist always and cannot be deleted (spec client-protocol 2.6).
const (
	RootPath   = "/"
	SystemPath = "/zookeeper"
	QuotaPath  = "/zookeeper/quota"
	ConfigPath = "/zookeeper/config"
)

func reserved(path string) bool {
	switch path {
	case RootPath, SystemPath, QuotaPath, ConfigPath:
		return true
	}
	return false
}

// ValidPath reports whether path may name a node: the rules of spec
// client-protocol 2.1, ZooKeeper's PathUtils.validatePath. Beyond those, a path
// that is not UTF-8 is refused.
func ValidPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	if path == RootPath {
		return true
	}
	for rest := path[1:]; ; {
		name, after, more := strings.Cut(rest, "/")
		if name == "" || name == "." || name == ".." || !validName(name) {
			return false
		}
		if !more {
			return true
		}
		rest = after
	}
}

func validName(name string) bool {
	ascii := true
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c < 0x20 || c == 0x7f:
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if ascii {
		return true
	}
	for i, r := range name {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(name[i:], "\uFFFD"):
			return false // not UTF-8
		case r >= 0x80 && r <= 0x9f, r >= 0xd800 && r <= 0xf8ff, r >= 0xfff0:
			return false
		}
	}
	return true
}

// addressable reports whether a create or delete can look for the path's parent
// at all: it has a slash, no NUL and is UTF-8.
func addressable(path string) bool {
	return strings.IndexByte(path, '/') >= 0 && strings.IndexByte(path, 0) < 0 && utf8.ValidString(path)
}

// canonical gives the root one name: the empty path is an alias of it.
func canonical(path string) string {
	if path == "" {
		return RootPath
	}
	return path
}

// split cuts path behind its last slash: the parent, canonical, and the name.
// The name is empty for the root. ok is false without any slash.
func split(path string) (parent, name string, ok bool) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return "", "", false
	}
	return canonical(path[:slash]), path[slash+1:], true
}
