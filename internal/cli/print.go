package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/quorate/quorate/server/proto"
)

// result is what a command gives back. It is encoded as JSON, or prints itself.
type result interface {
	text(w io.Writer)
}

// printResult prints a result as text or as a line of JSON.
func printResult(w io.Writer, r result, asJSON bool) error {
	if !asJSON {
		r.text(w)
		return nil
	}
	return writeJSON(w, r)
}

// writeJSON writes a line of JSON in which everything that is not printable is
// escaped, too.
func writeJSON(w io.Writer, v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	text := line.String()
	if !printable(text, "\n") {
		var b strings.Builder
		for _, r := range text { // only strings have such letters
			if r == '\n' || strconv.IsPrint(r) {
				b.WriteRune(r)
				continue
			}
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		text = b.String()
	}
	_, err := io.WriteString(w, text)
	return err
}

// safe returns s with everything that is not printable escaped.
func safe(s string) string {
	if printable(s, "") {
		return s
	}
	q := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(q[1 : len(q)-1])
}

// printable says that s is UTF-8 without control characters, other than those given,
// and without such as change the direction of writing.
func printable(s, but string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) && !strings.ContainsRune(but, r) {
			return false
		}
	}
	return true
}

// isText says that data can be shown as it is.
func isText(data []byte) bool { return printable(string(data), "\n\t") }

// data is a node's data. In JSON it is a string if it is text, null if it is null,
// and {"base64": "..."} otherwise.
type data []byte

// MarshalJSON encodes data.
func (d data) MarshalJSON() ([]byte, error) {
	switch {
	case d == nil:
		return []byte("null"), nil
	case isText(d):
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		err := enc.Encode(string(d))
		return bytes.TrimSpace(out.Bytes()), err
	}
	return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString(d)})
}

// format says how data is printed.
type format int

const (
	formatAuto format = iota // text, or a hex dump
	formatBase64
	formatHex
)

func printData(w io.Writer, d data, f format) {
	switch {
	case f == formatBase64:
		_, _ = fmt.Fprintln(w, base64.StdEncoding.EncodeToString(d))
	case f == formatHex, !isText(d):
		_, _ = io.WriteString(w, hex.Dump(d))
	case d == nil:
		_, _ = fmt.Fprintln(w, "null")
	default:
		_, _ = fmt.Fprintf(w, "%s\n", d)
	}
}

// zxid prints as zkCli does: hexadecimal. JSON numbers lose digits in many readers.
type zxid int64

func (z zxid) String() string { return "0x" + strconv.FormatUint(uint64(z), 16) }

// MarshalText encodes the zxid.
func (z zxid) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// stat is a node's stat in JSON.
type stat struct {
	Czxid          zxid      `json:"czxid"`
	Ctime          time.Time `json:"ctime"`
	Mzxid          zxid      `json:"mzxid"`
	Mtime          time.Time `json:"mtime"`
	Pzxid          zxid      `json:"pzxid"`
	CVersion       int32     `json:"cversion"`
	Version        int32     `json:"version"`
	AVersion       int32     `json:"aversion"`
	EphemeralOwner zxid      `json:"ephemeralOwner"`
	DataLength     int32     `json:"dataLength"`
	NumChildren    int32     `json:"numChildren"`
}

func newStat(s proto.Stat) *stat {
	at := func(millis int64) time.Time { return time.UnixMilli(millis).UTC() }
	return &stat{zxid(s.Czxid), at(s.Ctime), zxid(s.Mzxid), at(s.Mtime), zxid(s.Pzxid), s.CVersion, s.Version,
		s.AVersion, zxid(s.EphemeralOwner), s.DataLength, s.NumChildren}
}

// javaDate is the layout of zkCli's times.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

func (s *stat) text(w io.Writer) {
	if s == nil {
		return
	}
	_, _ = fmt.Fprintf(w, "cZxid = %v\nctime = %s\nmZxid = %v\nmtime = %s\npZxid = %v\ncversion = %d\ndataVersion = %d\naclVersion = %d\nephemeralOwner = %v\ndataLength = %d\nnumChildren = %d\n",
		s.Czxid, s.Ctime.Local().Format(javaDate), s.Mzxid, s.Mtime.Local().Format(javaDate), s.Pzxid, s.CVersion, s.Version,
		s.AVersion, s.EphemeralOwner, s.DataLength, s.NumChildren)
}

// bracketed prints names as zkCli does: [a, b].
func bracketed(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = safe(n)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// message is a result of words only.
type message struct {
	Message string `json:"message"`
}

func (m message) text(w io.Writer) { _, _ = fmt.Fprintln(w, m.Message) }

// done is the result of a command that has nothing to say, except to a program.
type done struct {
	Path string `json:"path,omitempty"`
	Stat *stat  `json:"stat,omitempty"`
	show bool   // print the stat
}

func (d done) text(w io.Writer) {
	if d.show {
		d.Stat.text(w)
	}
}

// counted prints a number with its word.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
