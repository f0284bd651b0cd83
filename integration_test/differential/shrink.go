package differential

import (
	"fmt"
	"slices"
	"strings"
)

// kind is what two cases have in common that are likely to be the same
// difference: the op, and the first value that differs.
func (c *Case) kind() string {
	op := ""
	if c.Request != nil {
		op = opName(c.Request.Op)
	}
	if c.Real == nil || c.Ours == nil {
		side := func(f *Frame) string {
			if f == nil {
				return "nothing"
			}
			return fmt.Sprintf("%d %s %s", f.Kind, f.cell("err"), f.cell("type"))
		}
		return fmt.Sprintf("%s: %s, %s, %s, %s", op, side(c.Real), side(c.Ours), c.RealEnd, c.OursEnd)
	}
	real, ours := differing(c.Real, c.Ours)
	for _, text := range []*string{&real, &ours} {
		if !strings.HasPrefix(*text, "err=") && !strings.HasPrefix(*text, "result=") {
			*text, _, _ = strings.Cut(*text, "=")
		}
	}
	return op + ": " + real + ", " + ours
}

// differing returns the first cells that differ.
func differing(a, b *Frame) (string, string) {
	for i := range min(len(a.Cells), len(b.Cells)) {
		if a.Cells[i] != b.Cells[i] {
			return a.Cells[i], b.Cells[i]
		}
	}
	if len(a.Cells) > len(b.Cells) {
		return a.Cells[len(b.Cells)], "nothing"
	}
	return "nothing", b.Cells[min(len(a.Cells), len(b.Cells)-1)]
}

// Shrink returns the smallest script that it finds of which fails is still true,
// as it is of s. It leaves out steps and requests, and makes what stays plain.
func Shrink(s *Script, fails func(*Script) bool) *Script {
	try := func(smaller *Script) bool {
		if fails(smaller) {
			s = smaller
			return true
		}
		return false
	}
	if !try(s.clone()) {
		return s
	}
	for {
		before := s.String()
		shrinkSteps(&s, try)
		shrinkRequests(&s, try)
		shrinkParts(&s, try)
		shrinkTokens(&s, try)
		if s.String() == before {
			return s
		}
	}
}

// shrinkSteps leaves out steps, many at once if that goes.
func shrinkSteps(s **Script, try func(*Script) bool) {
	for n := len((*s).Steps) / 2; n > 0; n /= 2 {
		for at := len((*s).Steps) - n; at >= 0; at -= n {
			if at+n > len((*s).Steps) {
				continue
			}
			c := (*s).clone()
			c.Steps = slices.Delete(c.Steps, at, at+n)
			try(c)
		}
	}
}

// shrinkRequests leaves out requests of batches.
func shrinkRequests(s **Script, try func(*Script) bool) {
	for i := len((*s).Steps) - 1; i >= 0; i-- {
		for j := len((*s).Steps[i].Requests) - 1; j >= 0; j-- {
			if len((*s).Steps[i].Requests) == 1 {
				break // that would have been a step less
			}
			c := (*s).clone()
			c.Steps[i].Requests = slices.Delete(c.Steps[i].Requests, j, j+1)
			try(c)
		}
	}
}

// parts are where the operations of a multi begin, and its end.
func (r *Request) parts() []int {
	if r.Op != opMulti && r.Op != opMultiRead {
		return nil
	}
	var at []int
	for i := 0; i+2 < len(r.Body); i++ {
		if r.Body[i].Kind == kindInt && r.Body[i+1].Kind == kindByte && r.Body[i+2] == i32(-1) {
			at = append(at, i)
		}
	}
	return at
}

// shrinkParts leaves out operations of multis.
func shrinkParts(s **Script, try func(*Script) bool) {
	for i := range (*s).Steps {
		for j := range (*s).Steps[i].Requests {
			for k := len((*s).Steps[i].Requests[j].parts()) - 2; k >= 0; k-- {
				at := (*s).Steps[i].Requests[j].parts()
				if k+1 >= len(at) {
					continue
				}
				c := (*s).clone()
				q := &c.Steps[i].Requests[j]
				q.Body = slices.Delete(slices.Clone(q.Body), at[k], at[k+1])
				try(c)
			}
		}
	}
}

// shrinkTokens makes values plain.
func shrinkTokens(s **Script, try func(*Script) bool) {
	for i := range (*s).Steps {
		for j := range (*s).Steps[i].Requests {
			for k := range (*s).Steps[i].Requests[j].Body {
				for _, plain := range plainer((*s).Steps[i].Requests[j].Body[k]) {
					c := (*s).clone()
					q := &c.Steps[i].Requests[j]
					q.Body = slices.Clone(q.Body)
					q.Body[k] = plain
					if try(c) {
						break
					}
				}
			}
		}
	}
}

// plainer are values to be tried instead of one.
func plainer(t Token) []Token {
	var list []Token
	switch t.Kind {
	case kindFill:
		list = []Token{str(""), fill(int(t.N / 2))}
	case kindNull:
		list = []Token{str("")}
	case kindInt:
		list = []Token{i32(0)}
	case kindByte:
		list = []Token{boolean(false)}
	case kindString:
		if len(t.S) > 40 || t.S != "" && t.S[0] != '/' {
			list = []Token{str("")}
		}
	}
	return slices.DeleteFunc(list, func(other Token) bool { return other == t })
}
