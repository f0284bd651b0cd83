package sasl

import (
	"errors"
	"fmt"
	"strings"
)

// The login modules that are known.
const (
	digestModule   = "org.apache.zookeeper.server.auth.DigestLoginModule"
	kerberosModule = "com.sun.security.auth.module.Krb5LoginModule"
)

// DefaultSection is the section of a JAAS file that ZooKeeper's servers read.
const DefaultSection = "Server"

// userPrefix begins the options that are users.
const userPrefix = "user_"

// ReadUsers takes the users out of the text of a JAAS file: the options
// user_NAME="PASSWORD" of the section. Errors name the line.
func ReadUsers(text []byte, section string) (Users, error) {
	sections, err := parseJAAS(string(text))
	if err != nil {
		return nil, err
	}
	modules, ok := sections[section]
	if !ok {
		return nil, fmt.Errorf("there is no section %s { … };", section)
	}
	users := Users{}
	for _, m := range modules {
		switch m.class {
		case digestModule:
		case kerberosModule:
			return nil, fmt.Errorf("line %d: section %s asks for Kerberos, which is not supported; use %s, or certificates (the x509 scheme)",
				m.line, section, digestModule)
		default:
			return nil, fmt.Errorf("line %d: login module %.100s is not known; want %s", m.line, m.class, digestModule)
		}
		for name, password := range m.options {
			if user, ok := strings.CutPrefix(name, userPrefix); ok && user != "" {
				users[user] = password
			}
		}
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("section %s names no user; add options such as user_bob=\"PASSWORD\"", section)
	}
	return users, nil
}

// module is an entry of a section.
type module struct {
	class   string
	line    int
	options map[string]string
}

// parseJAAS reads the sections of a file:
//
//	NAME { CLASS FLAG OPTION=VALUE … ; … };
func parseJAAS(text string) (map[string][]module, error) {
	lex := lexer{text: text, line: 1}
	sections := map[string][]module{}
	for {
		name := lex.next()
		if name.kind == end {
			return sections, lex.err
		}
		if name.kind != word {
			return nil, lex.unexpected(name, "the name of a section")
		}
		if t := lex.next(); t.kind != '{' {
			return nil, lex.unexpected(t, "{")
		}
		if _, twice := sections[name.text]; twice {
			return nil, fmt.Errorf("line %d: section %.100s is there twice", name.line, name.text)
		}
		sections[name.text] = nil
		for t := lex.next(); t.kind != '}'; t = lex.next() {
			m, err := lex.module(t)
			if err != nil {
				return nil, err
			}
			sections[name.text] = append(sections[name.text], m)
		}
		if t := lex.next(); t.kind != ';' {
			return nil, lex.unexpected(t, "; behind the section")
		}
	}
}

// module reads an entry of which the first token has been read.
func (l *lexer) module(t token) (module, error) {
	if t.kind != word {
		return module{}, l.unexpected(t, "a login module or }")
	}
	m := module{class: t.text, line: t.line, options: map[string]string{}}
	flag := l.next()
	switch strings.ToLower(flag.text) {
	case "required", "requisite", "sufficient", "optional":
	default:
		return m, l.unexpected(flag, "required, requisite, sufficient or optional")
	}
	for t := l.next(); t.kind != ';'; t = l.next() {
		if t.kind != word {
			return m, l.unexpected(t, "an option or ;")
		}
		if eq := l.next(); eq.kind != '=' {
			return m, l.unexpected(eq, "= behind "+t.text)
		}
		value := l.next()
		if value.kind != word {
			return m, l.unexpected(value, "a value for "+t.text)
		}
		if strings.Contains(value.text, "${") {
			return m, fmt.Errorf("line %d: the value of %.100s names a property of Java, ${…}, which is not known here", value.line, t.text)
		}
		m.options[t.text] = value.text
	}
	return m, nil
}

// token is a word, one of the marks { } ; =, or the end.
type token struct {
	kind rune
	text string
	line int
}

const (
	end  rune = -1
	word rune = 'w'
)

// lexer cuts the text of a JAAS file into tokens as Java does. Comments are those
// of Java, and besides a single slash begins one.
type lexer struct {
	text string
	line int
	err  error // why it has ended too early
}

func (l *lexer) unexpected(t token, want string) error {
	switch {
	case l.err != nil:
		return l.err
	case t.kind == end:
		return fmt.Errorf("line %d: the file ends; want %s", t.line, want)
	case t.kind == word:
		return fmt.Errorf("line %d: want %s", t.line, want) // the word may be a password
	}
	return fmt.Errorf("line %d: %q is unexpected; want %s", t.line, t.kind, want)
}

// fail ends the stream.
func (l *lexer) fail(line int, what string) token {
	if l.err == nil {
		l.err = fmt.Errorf("line %d: %w", line, errors.New(what))
	}
	l.text = ""
	return token{kind: end, line: line}
}

func (l *lexer) next() token {
	if !l.skip() {
		return l.fail(l.line, "a comment has no end")
	}
	t := token{kind: end, line: l.line}
	if l.text == "" {
		return t
	}
	switch c := l.text[0]; {
	case strings.IndexByte("{};=", c) >= 0:
		t.kind = rune(c)
		l.text = l.text[1:]
		return t
	case c == '"' || c == '\'':
		return l.quoted(c)
	case isWord(c):
		n := 0
		for n < len(l.text) && isWord(l.text[n]) {
			n++
		}
		t.kind, t.text = word, l.text[:n]
		l.text = l.text[n:]
		return t
	default:
		return l.fail(l.line, fmt.Sprintf("%q must stand in quotes", c))
	}
}

// isWord reports whether a byte needs no quotes.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte("._-$*", c) >= 0
}

// skip goes over white space and comments; false means that one has no end.
func (l *lexer) skip() bool {
	for l.text != "" {
		switch c := l.text[0]; {
		case c == '\n':
			l.line++
			l.text = l.text[1:]
		case c <= ' ':
			l.text = l.text[1:]
		case strings.HasPrefix(l.text, "/*"):
			comment, rest, found := strings.Cut(l.text[2:], "*/")
			if !found {
				return false
			}
			l.line += strings.Count(comment, "\n")
			l.text = rest
		case c == '/':
			_, rest, found := strings.Cut(l.text, "\n")
			l.text = rest
			if found {
				l.line++
			}
		default:
			return true
		}
	}
	return true
}

// quoted reads a word in quotes, which ends on its line.
func (l *lexer) quoted(quote byte) token {
	var b strings.Builder
	for i := 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == quote:
			l.text = l.text[i+1:]
			return token{kind: word, text: b.String(), line: l.line}
		case c == '\n' || c == '\r':
			return l.fail(l.line, "a quote has no end")
		case c == '\\' && i+1 < len(l.text):
			i += unescape(&b, l.text[i+1:])
		default:
			b.WriteByte(c)
		}
	}
	return l.fail(l.line, "a quote has no end")
}

// unescape writes what is behind a backslash and returns how long it was: one
// letter, or up to three octal digits.
func unescape(b *strings.Builder, s string) int {
	if i := strings.IndexByte("abfnrtv", s[0]); i >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v"[i])
		return 1
	}
	n, value := 0, rune(0)
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' && (n < 2 || s[0] <= '3') {
		value = value<<3 | rune(s[n]-'0')
		n++
	}
	if n > 0 {
		b.WriteRune(value)
		return n
	}
	b.WriteByte(s[0])
	return 1
}
