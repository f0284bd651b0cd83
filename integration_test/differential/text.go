package differential

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// waitMax limits what a script may ask for: sessions must not expire.
const waitMax = 10 * time.Second

// String writes the script as ParseScript reads it:
//
//	script seed 17
//	root "/s17"
//	open 1 timeout=70000 seen=0L ro=1
//	send 1
//	  1 create "/s17" "data" 1 31 "world" "anyone" 0
//	  2 getData "/s17" b1 trim=1
//	  raw x00000002abcd
//	open 2 session=1 password=wrong timeout=70000 seen=z3 ro=-1 server=2
//	cut 1
//	wait 1.5s
//
// A request is its xid, its op and the values of its body, see Token. trim takes
// bytes away from its end. A line that begins with # is for people.
func (s *Script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "script %s\n", s.Name)
	for _, root := range s.Roots {
		fmt.Fprintf(&b, "root %q\n", root)
	}
	for _, step := range s.Steps {
		b.WriteString(step.String())
	}
	return b.String()
}

// String writes the step as a script does, in one line or several.
func (s *Step) String() string {
	switch s.Kind {
	case Open:
		return s.openLine() + "\n"
	case Cut:
		return fmt.Sprintf("cut %d\n", s.Conn)
	case Wait:
		return fmt.Sprintf("wait %v\n", s.Wait)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "send %d\n", s.Conn)
	for i := range s.Requests {
		fmt.Fprintf(&b, "  %s\n", s.Requests[i].String())
	}
	return b.String()
}

func (s *Step) openLine() string {
	o := &s.Open
	line := fmt.Sprintf("open %d", s.Conn)
	if o.Session != 0 {
		line += fmt.Sprintf(" session=%d password=%s", o.Session, passwordNames[o.Password])
	}
	line += fmt.Sprintf(" timeout=%d seen=%s ro=%d", o.Timeout, o.Seen, o.ReadOnly)
	if o.Server != 1 {
		line += fmt.Sprintf(" server=%d", o.Server)
	}
	return line
}

// String writes the request as a script does.
func (r *Request) String() string {
	words := []string{"raw"}
	if !r.Raw {
		words = []string{strconv.Itoa(int(r.Xid)), opName(r.Op)}
	}
	for _, t := range r.Body {
		words = append(words, t.String())
	}
	if r.Trim != 0 {
		words = append(words, "trim="+strconv.Itoa(r.Trim))
	}
	return strings.Join(words, " ")
}

// ParseScript reads what Script.String wrote.
func ParseScript(text string) (*Script, error) {
	s := &Script{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := s.parseLine(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return s, nil
}

func (s *Script) parseLine(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "script":
		s.Name = rest
		return nil
	case "root":
		t, _, err := parseToken(rest)
		s.Roots = append(s.Roots, t.S)
		return err
	case "open":
		step, err := parseOpen(rest)
		s.Steps = append(s.Steps, step)
		return err
	case "wait":
		pause, err := time.ParseDuration(rest)
		if err == nil && (pause < 0 || pause > waitMax) {
			err = fmt.Errorf("wait %v: want 0 to %v", pause, waitMax)
		}
		s.Steps = append(s.Steps, Step{Kind: Wait, Wait: pause})
		return err
	case "send", "cut":
		conn, err := strconv.Atoi(rest)
		s.Steps = append(s.Steps, Step{Kind: map[string]StepKind{"send": Send, "cut": Cut}[word], Conn: conn})
		return err
	}
	if len(s.Steps) == 0 || s.Steps[len(s.Steps)-1].Kind != Send {
		return fmt.Errorf("%q stands in no batch", line)
	}
	r, err := parseRequest(word, rest)
	last := &s.Steps[len(s.Steps)-1]
	last.Requests = append(last.Requests, r)
	return err
}

func parseOpen(rest string) (Step, error) {
	fields := strings.Fields(rest)
	step := Step{Kind: Open, Open: OpenRequest{Server: 1, Timeout: timeoutMin, Seen: i64(0), ReadOnly: -1}}
	if len(fields) == 0 {
		return step, fmt.Errorf("open wants the number of a connection")
	}
	var err error
	if step.Conn, err = strconv.Atoi(fields[0]); err != nil {
		return step, err
	}
	o := &step.Open
	for _, field := range fields[1:] {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "session":
			o.Session, err = strconv.Atoi(value)
		case "password":
			i := slices.Index(passwordNames, value)
			if i < 0 {
				err = fmt.Errorf("password %q: want one of %s", value, passwordNames)
			}
			o.Password = Password(max(i, 0))
		case "timeout":
			var n int64
			n, err = strconv.ParseInt(value, 10, 32)
			o.Timeout = int32(n)
		case "seen":
			o.Seen, _, err = parseToken(value)
		case "ro":
			o.ReadOnly, err = strconv.Atoi(value)
		case "server":
			o.Server, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("open knows no %q", key)
		}
		if err != nil {
			return step, err
		}
	}
	return step, nil
}

func parseRequest(word, rest string) (Request, error) {
	r := Request{Raw: word == "raw"}
	if !r.Raw {
		xid, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return r, fmt.Errorf("%q is no xid", word)
		}
		name, body, _ := strings.Cut(rest, " ")
		op, ok := opsByName[name]
		if !ok {
			n, err := strconv.ParseInt(strings.TrimPrefix(name, "op"), 10, 32)
			if err != nil {
				return r, fmt.Errorf("%q is no op", name)
			}
			op = int32(n)
		}
		r.Xid, r.Op, rest = int32(xid), op, body
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		if trim, ok := strings.CutPrefix(rest, "trim="); ok {
			var err error
			r.Trim, err = strconv.Atoi(trim)
			return r, err
		}
		t, after, err := parseToken(rest)
		if err != nil {
			return r, err
		}
		r.Body, rest = append(r.Body, t), after
	}
	return r, nil
}
