package cli

import (
	"errors"
	"strings"
	"unicode"
)

var errOpenQuote = errors.New("a quote is not closed")

// splitLine cuts a line into words as zkCli does: a word that begins with ' or "
// goes to the next such quote and loses both; any other goes to the next blank, and
// quotes inside it are its own. So JSON without blanks needs no quotes, and JSON with
// blanks single ones. A # before the first word makes the line a comment.
func splitLine(line string) ([]string, error) {
	var words []string
	rest := strings.TrimSpace(line)
	if strings.HasPrefix(rest, "#") {
		return nil, nil
	}
	for rest != "" {
		if q := rest[0]; q == '\'' || q == '"' {
			end := strings.IndexByte(rest[1:], q)
			if end < 0 {
				return nil, errOpenQuote
			}
			words = append(words, rest[1:1+end])
			rest = strings.TrimLeftFunc(rest[2+end:], unicode.IsSpace)
			continue
		}
		end := strings.IndexFunc(rest, unicode.IsSpace)
		if end < 0 {
			end = len(rest)
		}
		words = append(words, rest[:end])
		rest = strings.TrimLeftFunc(rest[end:], unicode.IsSpace)
	}
	return words, nil
}
