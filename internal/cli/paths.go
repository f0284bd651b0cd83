package cli

import (
	"path"
	"strings"
)

// checkPath refuses what no server can have, in zkCli's words.
func checkPath(p string) error {
	switch {
	case p == "":
		return failure("Path cannot be empty")
	case p[0] != '/':
		return failure("Path must start with / character")
	case p != "/" && strings.HasSuffix(p, "/"):
		return failure("Path must not end with / character")
	case strings.Contains(p, "//"):
		return failure("Path must not have an empty name in it")
	}
	for _, name := range strings.Split(p[1:], "/") {
		if name == "." || name == ".." {
			return failure("Path must not have . or .. in it")
		}
	}
	if strings.ContainsRune(p, 0) {
		return failure("Path must not have a zero character in it")
	}
	return nil
}

// join returns the path of a child.
func join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

// below says that p is root or in its subtree.
func below(root, p string) bool {
	return root == "/" || p == root || strings.HasPrefix(p, root+"/")
}

// relative returns what p has more than root: "" or "/name…".
func relative(root, p string) string {
	if root == "/" {
		if p == "/" {
			return ""
		}
		return p
	}
	return strings.TrimPrefix(p, root)
}

// absolute is the other way round.
func absolute(root, rel string) string {
	switch {
	case rel == "":
		return root
	case root == "/":
		return rel
	}
	return root + rel
}

func parent(p string) string { return path.Dir(p) }
func base(p string) string   { return path.Base(p) }
