package differential

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// kind says what a Token is on the wire, and how it is written.
type kind byte

const (
	kindInt    kind = 'i' // int: 5
	kindLong   kind = 'l' // long: 5L
	kindByte   kind = 'b' // byte: b1
	kindString kind = 's' // ustring or buffer: "text"
	kindNull   kind = 'n' // a null ustring, buffer or vector: null
	kindFill   kind = 'f' // a buffer of so many bytes: fill5000
	kindZxid   kind = 'z' // a zxid, so far behind the script's beginning: z5
	kindRaw    kind = 'x' // bytes as they are: x00ff
)

// Token is one value in a request's body.
type Token struct {
	Kind kind
	N    int64
	S    string
}

func i32(v int32) Token       { return Token{Kind: kindInt, N: int64(v)} }
func i64(v int64) Token       { return Token{Kind: kindLong, N: v} }
func boolean(v bool) Token    { return Token{Kind: kindByte, N: int64(map[bool]byte{true: 1}[v])} }
func str(s string) Token      { return Token{Kind: kindString, S: s} }
func null() Token             { return Token{Kind: kindNull} }
func fill(n int) Token        { return Token{Kind: kindFill, N: int64(n)} }
func zxid(n int64) Token      { return Token{Kind: kindZxid, N: n} }
func rawBytes(s string) Token { return Token{Kind: kindRaw, S: s} }

// appendTo appends the token as it is on the wire; base is the zxid at which the
// script began.
func (t Token) appendTo(b []byte, base int64) []byte {
	switch t.Kind {
	case kindInt:
		return binary.BigEndian.AppendUint32(b, uint32(t.N))
	case kindLong:
		return binary.BigEndian.AppendUint64(b, uint64(t.N))
	case kindZxid:
		return binary.BigEndian.AppendUint64(b, uint64(base+t.N))
	case kindByte:
		return append(b, byte(t.N))
	case kindString:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(t.S))), t.S...)
	case kindNull:
		return binary.BigEndian.AppendUint32(b, 0xffffffff)
	case kindFill:
		b = binary.BigEndian.AppendUint32(b, uint32(t.N))
		return append(b, strings.Repeat("f", int(t.N))...)
	}
	return append(b, t.S...)
}

// String writes the token as a script does.
func (t Token) String() string {
	switch t.Kind {
	case kindInt:
		return strconv.FormatInt(t.N, 10)
	case kindLong:
		return strconv.FormatInt(t.N, 10) + "L"
	case kindZxid:
		return "z" + strconv.FormatInt(t.N, 10)
	case kindByte:
		return "b" + strconv.FormatInt(t.N, 10)
	case kindString:
		return strconv.QuoteToASCII(t.S)
	case kindNull:
		return "null"
	case kindFill:
		return "fill" + strconv.FormatInt(t.N, 10)
	}
	return "x" + hex.EncodeToString([]byte(t.S))
}

// fillMax limits what a script may ask for.
const fillMax = 4 << 20

// parseToken reads the first token of a line and returns the rest.
func parseToken(line string) (Token, string, error) {
	if strings.HasPrefix(line, `"`) {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return Token{}, "", fmt.Errorf("a string does not end: %s", line)
		}
		s, err := strconv.Unquote(quoted)
		return str(s), line[len(quoted):], err
	}
	word, rest, _ := strings.Cut(line, " ")
	number := func(k kind, digits string, bits int) (Token, string, error) {
		n, err := strconv.ParseInt(digits, 10, bits)
		return Token{Kind: k, N: n}, rest, err
	}
	switch {
	case word == "null":
		return null(), rest, nil
	case strings.HasPrefix(word, "fill"):
		t, rest, err := number(kindFill, word[4:], 32)
		if err == nil && (t.N < 0 || t.N > fillMax) {
			err = fmt.Errorf("%s: want 0 to %d", word, fillMax)
		}
		return t, rest, err
	case strings.HasPrefix(word, "z"):
		return number(kindZxid, word[1:], 64)
	case strings.HasPrefix(word, "b"):
		return number(kindByte, word[1:], 9)
	case strings.HasPrefix(word, "x"):
		raw, err := hex.DecodeString(word[1:])
		return rawBytes(string(raw)), rest, err
	case strings.HasSuffix(word, "L"):
		return number(kindLong, strings.TrimSuffix(word, "L"), 64)
	}
	return number(kindInt, word, 32)
}
