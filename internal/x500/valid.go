package x500

import (
	"slices"
	"strconv"
	"strings"
)

// validKeywords are the attributes that Java's X500Principal knows by name; all
// others are written as numbers.
var validKeywords = []string{
	"CN", "C", "L", "S", "ST", "O", "OU", "T", "IP", "STREET", "DC", "DNQ", "DNQUALIFIER", "SURNAME",
	"GIVENNAME", "INITIALS", "GENERATION", "EMAILADDRESS", "UID", "SERIALNUMBER",
}

// Valid reports whether s is a distinguished name as RFC 2253 writes it,
// attribute=value with "," or "+" between them, by what Java takes for one: there
// may be spaces around, and ";" is the same as ",". The empty name is one.
func Valid(s string) bool {
	if s == "" {
		return true
	}
	for {
		name, value, ok := strings.Cut(s, "=")
		if !ok || !validType(strings.TrimFunc(name, func(r rune) bool { return r <= ' ' })) {
			return false
		}
		rest, ok := skipValue(strings.TrimLeft(value, " \n"))
		if !ok {
			return false
		}
		if rest == "" {
			return true
		}
		s = rest[1:] // behind the separator another one must follow
	}
}

func validType(name string) bool {
	upper := strings.ToUpper(name)
	if slices.Contains(validKeywords, upper) {
		return true
	}
	arcs := strings.Split(strings.TrimPrefix(upper, "OID."), ".")
	if len(arcs) < 2 {
		return false
	}
	for i, arc := range arcs {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil || i == 0 && n > 2 || i == 1 && n > 39 && arcs[0] != "2" {
			return false
		}
	}
	return true
}

const separators = ",;+"

// skipValue returns what follows a value: nothing, or a separator and more.
func skipValue(s string) (rest string, ok bool) {
	switch {
	case strings.HasPrefix(s, `"`):
		return skipQuoted(s[1:])
	case strings.HasPrefix(s, "#"):
		digits := s[1:]
		end := strings.IndexAny(digits, separators)
		if end < 0 {
			end = len(digits)
		}
		hex := digits[:end]
		notHex := func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }
		return digits[end:], len(hex) >= 4 && len(hex)%2 == 0 && !strings.ContainsFunc(hex, notHex)
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case strings.IndexByte(separators, c) >= 0:
			return s[i:], true
		case c == '\\':
			n := escaped(s[i+1:])
			if n == 0 {
				return "", false
			}
			i += n
		case strings.IndexByte(`<>"`, c) >= 0:
			return "", false
		}
	}
	return "", true
}

// skipQuoted is skipValue behind an opening quote.
func skipQuoted(s string) (rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			n := escaped(s[i+1:])
			if n == 0 {
				return "", false
			}
			i += n
		case '"':
			rest = strings.TrimLeft(s[i+1:], " \n")
			return rest, rest == "" || strings.IndexByte(separators, rest[0]) >= 0
		}
	}
	return "", false
}

// escaped returns how much of s, which follows a backslash, is escaped by it: a
// special character, or two hexadecimal digits. 0 is neither.
func escaped(s string) int {
	if s == "" {
		return 0
	}
	if strings.IndexByte(" \n,=+<>#;\"\\", s[0]) >= 0 {
		return 1
	}
	if len(s) >= 2 {
		if _, err := strconv.ParseUint(s[:2], 16, 8); err == nil && s[0] != '+' {
			return 2
		}
	}
	return 0
}
