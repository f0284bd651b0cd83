package admin

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/quorate/quorate/server"
)

// field is a key of an object, in its place.
type field struct {
	Key   string
	Value any
}

// object is a JSON object whose keys keep their order. Its values are object,
// array, string, bool, int, int64, float64 or nil.
type object []field

// array is a JSON array.
type array []any

// put appends a key.
func (o *object) put(key string, value any) { *o = append(*o, field{key, value}) }

// appendJSON appends a value as ZooKeeper's library prints it: a key on a line of
// its own, arrays on one line, spaces around colons.
func appendJSON(b []byte, value any, depth int) []byte {
	switch v := value.(type) {
	case object:
		if len(v) == 0 {
			return append(b, "{ }"...)
		}
		b = append(b, '{')
		for i, f := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = indent(b, depth+1)
			b = appendString(b, f.Key)
			b = append(b, " : "...)
			b = appendJSON(b, f.Value, depth+1)
		}
		return append(indent(b, depth), '}')
	case array:
		if len(v) == 0 {
			return append(b, "[ ]"...)
		}
		b = append(b, "[ "...)
		for i, x := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendJSON(b, x, depth)
		}
		return append(b, " ]"...)
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return append(b, server.Decimal(v)...)
	}
	return append(b, "null"...)
}

func indent(b []byte, depth int) []byte {
	b = append(b, '\n')
	for range depth {
		b = append(b, "  "...)
	}
	return b
}

// appendString quotes a string. What is no UTF-8 in it becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string into a buffer does not fail
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// texts makes an array of strings.
func texts(list []string) array {
	a := make(array, len(list))
	for i, s := range list {
		a[i] = s
	}
	return a
}

// numbers makes an array of numbers.
func numbers(list []int64) array {
	a := make(array, len(list))
	for i, n := range list {
		a[i] = n
	}
	return a
}
