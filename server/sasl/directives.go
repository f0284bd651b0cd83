package sasl

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// directives are the parts of a response, by name in lower case.
type directives map[string][]byte

// known are the directives of a response that are looked at; others are left out.
// (Java calls the nonce count nonce-count, which nobody sends, and so ignores it.)
var known = []string{"username", "realm", "nonce", "cnonce", "qop", "digest-uri", "response", "maxbuf", "charset", "authzid"}

const blanks = " \t\r\n"

// parseDirectives reads name=value, name="value", … (RFC 2831, 7.1). A backslash in
// quotes protects the next byte. Empty elements are allowed, and so is white space
// between elements in place of a comma, and a name without a value at the end; no
// known name may come twice.
func parseDirectives(text []byte) (directives, error) {
	out := directives{}
	for {
		text = bytes.TrimLeft(text, ","+blanks)
		if len(text) == 0 {
			return out, nil
		}
		name, rest, found := bytes.Cut(text, []byte("="))
		if found {
			name = bytes.TrimRight(name, blanks)
		}
		if len(name) == 0 || bytes.ContainsAny(name, ","+blanks) {
			return nil, fmt.Errorf("%.40q in the response is no name=value", text)
		}
		value, err := []byte{}, error(nil)
		if text = nil; found {
			value, text, err = directiveValue(bytes.TrimLeft(rest, blanks))
		}
		if err != nil {
			return nil, fmt.Errorf("%.40q in the response: %w", name, err)
		}
		key := string(bytes.ToLower(name))
		if !slices.Contains(known, key) {
			continue
		}
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("%s twice in the response", key)
		}
		out[key] = value
	}
}

// directiveValue cuts a value off.
func directiveValue(text []byte) (value, rest []byte, err error) {
	if len(text) == 0 {
		return nil, nil, errors.New("no value")
	}
	if text[0] != '"' {
		end := bytes.IndexAny(text, ","+blanks)
		if end < 0 {
			end = len(text)
		}
		return append([]byte{}, text[:end]...), text[end:], nil
	}
	value = []byte{}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			rest = text[i+1:]
			if len(rest) > 0 && bytes.IndexByte([]byte(","+blanks), rest[0]) < 0 {
				return nil, nil, errors.New("want a comma behind the closing quote")
			}
			return value, rest, nil
		case '\\':
			if i++; i == len(text) {
				return nil, nil, errors.New("no closing quote")
			}
		}
		value = append(value, text[i])
	}
	return nil, nil, errors.New("no closing quote")
}
