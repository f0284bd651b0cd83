package differential

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// FrameKind says what a frame from the server is.
type FrameKind byte

// The kinds of frames.
const (
	Reply   FrameKind = iota // to a request of the script
	Event                    // of a watch
	Welcome                  // a ConnectResponse
	Probe                    // to the player's own ping behind a batch
)

// Frame is what a server has sent, without the length.
type Frame struct {
	Kind    FrameKind
	Request *Request // that it answers
	Raw     []byte

	// Cells are the frame's values in words, one for one: two frames have the
	// same cells if and only if they have the same bytes, but for what Canon
	// gives a common name, and for the order of lists that have none.
	Cells []string
}

// cell returns the value of the first cell of that name, or "".
func (f *Frame) cell(name string) string {
	if f == nil {
		return ""
	}
	for _, c := range f.Cells {
		if rest, ok := strings.CutPrefix(c, name); ok && rest != "" && rest[0] == '=' {
			return rest[1:]
		}
	}
	return ""
}

// code is the error code of a reply.
func (f *Frame) code() int {
	n, _ := strconv.Atoi(f.cell("err"))
	return n
}

// kindOr is the frame's kind, or that one if there is no frame.
func (f *Frame) kindOr(kind FrameKind) FrameKind {
	if f == nil {
		return kind
	}
	return f.Kind
}

func (f *Frame) String() string {
	if f == nil {
		return "nothing"
	}
	return [...]string{"", "event ", "welcome ", "probe "}[f.Kind] + strings.Join(f.Cells, " ")
}

// reader takes a frame apart. It is strict: what is left over, or missing,
// becomes a cell of its own.
type reader struct {
	c     *Canon
	buf   []byte
	cells []string
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || n < 0 || n > len(r.buf) {
		r.short = true
		return nil
	}
	b := r.buf[:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) add(name, value string) {
	if !r.short {
		r.cells = append(r.cells, name+"="+value)
	}
}

func (r *reader) int() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) long() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// text is a string or buffer in words, null among them.
func (r *reader) text() string {
	n := r.int()
	if n == -1 {
		return "null"
	}
	b := r.take(int(n))
	if len(b) > 200 {
		return strconv.QuoteToASCII(string(b[:100])) + "…" + strconv.Itoa(len(b)) + ":" + strconv.FormatUint(checksum(b), 16)
	}
	return strconv.QuoteToASCII(string(b))
}

// checksum is FNV-1a.
func checksum(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func (r *reader) addInt(name string)  { r.add(name, strconv.Itoa(int(r.int()))) }
func (r *reader) addText(name string) { r.add(name, r.text()) }
func (r *reader) addByte(name string) {
	if b := r.take(1); b != nil {
		r.add(name, strconv.Itoa(int(b[0])))
	}
}

// addList reads a vector of what one reads. Sorted says that its order has no
// meaning.
func (r *reader) addList(name string, sorted bool, one func() string) {
	n := r.int()
	if n == -1 {
		r.add(name, "null")
		return
	}
	var list []string
	for i := int32(0); i < n && !r.short; i++ {
		list = append(list, one())
	}
	if sorted {
		slices.Sort(list)
	}
	r.add(name, "["+strings.Join(list, " ")+"]")
}

func (r *reader) addStat() {
	z := [2]int64{r.long(), r.long()}
	t := [2]int64{r.long(), r.long()}
	r.add("czxid", r.c.zxid(z[0]))
	r.add("mzxid", r.c.zxid(z[1]))
	r.add("ctime", r.c.time(z[0], t[0]))
	r.add("mtime", r.c.time(z[1], t[1]))
	r.addInt("version")
	r.addInt("cversion")
	r.addInt("aversion")
	r.add("owner", r.c.session(r.long()))
	r.addInt("length")
	r.addInt("children")
	r.add("pzxid", r.c.zxid(r.long()))
}

// name fills in the frame's cells.
func (f *Frame) name(c *Canon) {
	r := &reader{c: c, buf: f.Raw, cells: make([]string, 0, 4)}
	if f.Kind == Welcome {
		r.welcome()
	} else {
		r.addInt("xid")
		r.add("zxid", c.zxid(r.long()))
		code := r.int()
		r.add("err", strconv.Itoa(int(code)))
		switch {
		case f.Kind == Event:
			r.addInt("type")
			r.addInt("state")
			r.addText("path")
		case f.Request != nil && (code == 0 || f.Request.Op == opSASL):
			r.body(f.Request.Op)
		}
	}
	if r.short {
		r.cells = append(r.cells, "cut short")
	}
	if len(r.buf) > 0 {
		r.cells = append(r.cells, "rest="+hex.EncodeToString(r.buf))
	}
	f.Cells = r.cells
}

func (r *reader) welcome() {
	r.addInt("protocol")
	r.addInt("timeout")
	id := r.long()
	r.add("session", r.c.session(id))
	if n := r.int(); n == -1 {
		r.add("password", "null")
	} else if b := r.take(int(n)); !r.short {
		r.add("password", r.c.password(id, b))
	}
	if len(r.buf) > 0 {
		r.addByte("ro")
	}
}

// body reads the reply to a request that succeeded.
func (r *reader) body(op int32) {
	switch op {
	case opCreate, opSync:
		r.addText("path")
	case opCreate2, opCreateContainer, opCreateTTL:
		r.addText("path")
		r.addStat()
	case opExists, opSetData, opSetACL:
		r.addStat()
	case opGetData, opReconfig:
		r.addText("data")
		r.addStat()
	case opGetACL:
		r.addList("acl", false, func() string {
			return strconv.Itoa(int(r.int())) + ":" + r.text() + ":" + r.text()
		})
		r.addStat()
	case opGetChildren, opGetEphemerals:
		r.addList("names", true, r.text)
	case opGetChildren2:
		r.addList("names", true, r.text)
		r.addStat()
	case opMulti, opMultiRead:
		r.results()
	case opSASL:
		r.addText("token")
	case opGetAllChildren, opAddWatch:
		r.addInt("int")
	case opWhoAmI:
		r.addList("who", true, func() string { return r.text() + ":" + r.text() })
	}
}

// results reads the reply to a multi.
func (r *reader) results() {
	for !r.short {
		kind := r.int()
		done := r.take(1)
		code := r.int()
		if r.short {
			return
		}
		r.cells = append(r.cells, "result="+strconv.Itoa(int(kind))+"/"+strconv.Itoa(int(done[0]))+"/"+strconv.Itoa(int(code)))
		if done[0] != 0 {
			return
		}
		switch kind {
		case -1:
			r.addInt("code")
		case opCreate:
			r.addText("path")
		case opCreate2, opCreateContainer, opCreateTTL:
			r.addText("path")
			r.addStat()
		case opSetData:
			r.addStat()
		case opGetData:
			r.addText("data")
			r.addStat()
		case opGetChildren:
			r.addList("names", true, r.text)
		}
	}
}
