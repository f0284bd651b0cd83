package main

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// configEntries splits the text of a Java properties file, the syntax of
// zoo.cfg, into its entries in order. A line that begins with '#' or '!' is a
// comment; a line that ends with an odd number of backslashes goes on in the
// next; a key ends at the first '=', ':' or white space that no backslash
// protects. White space behind a value does not count (ZooKeeper trims it). An
// entry's line is the one that it begins in. Without a key, a line such as
// "=3" yields an entry with an empty key.
func configEntries(data []byte) iter.Seq[configEntry] {
	return func(yield func(configEntry) bool) {
		text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		lines := strings.Split(text, "\n")
		for i := 0; i < len(lines); i++ {
			line := strings.TrimLeft(lines[i], " \t\f")
			if line == "" || line[0] == '#' || line[0] == '!' {
				continue
			}
			start := i
			var logical strings.Builder
			for continues(line) && i+1 < len(lines) {
				logical.WriteString(line[:len(line)-1])
				i++
				line = strings.TrimLeft(lines[i], " \t\f")
			}
			logical.WriteString(line)
			e := splitEntry(logical.String())
			e.Line = start + 1
			if !yield(e) {
				return
			}
		}
	}
}

// continues reports whether a line ends with an odd number of backslashes.
func continues(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

// splitEntry splits a logical line at the end of its key.
func splitEntry(line string) configEntry {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	value := strings.TrimLeft(line[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return configEntry{Key: unescape(line[:end]), Value: strings.TrimSpace(unescape(value))}
}

// unescape resolves \t \n \r \f \uXXXX; any other protected character stands
// for itself.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+5 <= len(s) {
				if r, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
					b.WriteRune(rune(r))
					i += 4
					continue
				}
			}
			b.WriteByte('u')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// clip shortens what is quoted in an error.
func clip(s string) string {
	const runesMax = 60
	if utf8.RuneCountInString(s) <= runesMax {
		return s
	}
	return string([]rune(s)[:runesMax]) + "…"
}
