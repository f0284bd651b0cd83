package picture

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// runesMax is how much of what a client sends the picture shows.
const runesMax = 160

func short(s string) string {
	if utf8.RuneCountInString(s) <= runesMax {
		return s
	}
	r := []rune(s)
	return string(r[:runesMax]) + "…"
}

// requestText says in a line what a client asks for.
func requestText(code proto.OpCode, r proto.Record) string {
	text := code.String()
	switch r := r.(type) {
	case *proto.PathRequest:
		text += " " + r.Path
	case *proto.PathWatchRequest:
		text += " " + r.Path
		if r.Watch {
			text += ", watch"
		}
	case *proto.PathVersionRequest:
		text += " " + r.Path + version(r.Version)
	case *proto.CreateRequest:
		text += " " + r.Path + flags(r.Flags) + data(r.Data)
	case *proto.CreateTTLRequest:
		text += fmt.Sprintf(" %s%s, %d ms%s", r.Path, flags(r.Flags), r.TTLMillis, data(r.Data))
	case *proto.SetDataRequest:
		text += " " + r.Path + version(r.Version) + data(r.Data)
	case *proto.SetACLRequest:
		text += " " + r.Path + version(r.Version)
	case *proto.AddWatchRequest:
		text += fmt.Sprintf(" %s, mode %d", r.Path, r.Mode)
	case *proto.MultiRequest:
		var parts []string
		for _, op := range r.Ops {
			parts = append(parts, requestText(op.Op, op.Request))
		}
		text += " [" + strings.Join(parts, "; ") + "]"
	case nil:
	default:
		text += fmt.Sprintf(" %+v", r)
	}
	return short(text)
}

func version(v int32) string {
	if v == -1 {
		return ""
	}
	return fmt.Sprintf(", version %d", v)
}

func flags(f int32) string {
	names := []string{"", ", ephemeral", ", sequential", ", ephemeral sequential", ", container", ", TTL", ", TTL sequential"}
	if f < 0 || int(f) >= len(names) {
		return fmt.Sprintf(", flags %d", f)
	}
	return names[f]
}

func data(d []byte) string {
	if d == nil {
		return ""
	}
	if len(d) <= 24 && utf8.Valid(d) {
		return fmt.Sprintf(" = %q", d)
	}
	return fmt.Sprintf(" = %d bytes", len(d))
}

// replyText says in a line what came back.
func replyText(o *check.Op) string {
	if o.Returned == 0 {
		return "no answer"
	}
	if o.Err != proto.OK {
		return o.Err.Error()
	}
	text := "ok"
	switch r := o.Reply.(type) {
	case *proto.PathReply:
		text += ", " + r.Path
	case *proto.Create2Reply:
		text += ", " + r.Path
	case *proto.StatReply:
		text += fmt.Sprintf(", version %d", r.Stat.Version)
	case *proto.DataReply:
		text += fmt.Sprintf(", version %d%s", r.Stat.Version, data(r.Data))
	case *proto.StringsReply:
		text += fmt.Sprintf(", %d names: %s", len(r.Strings), strings.Join(r.Strings, " "))
	case *proto.Children2Reply:
		text += fmt.Sprintf(", %d children: %s", len(r.Children), strings.Join(r.Children, " "))
	case *proto.MultiResponse:
		text += fmt.Sprintf(", %d results", len(r.Results))
		for i, one := range r.Results {
			if one.Type == proto.OpError && one.Err != proto.OK && one.Err != proto.ErrRuntimeInconsistency {
				text = fmt.Sprintf("no effect: operation %d: %v", i+1, one.Err)
				break
			}
		}
	case *proto.IntReply:
		text += fmt.Sprintf(", %d", r.Value)
	case nil:
	default:
		text += fmt.Sprintf(", %+v", r)
	}
	return short(text)
}

// connText says in a line what became of a connection.
func connText(c *check.Conn) string {
	text := fmt.Sprintf("connection %d to server %v: ", c.Conn, c.Server)
	switch {
	case c.Asked != 0:
		text += "asks for session " + hex(uint64(c.Asked))
		if c.WrongPassword {
			text += " with a wrong password"
		}
	default:
		text += "asks for a new session"
	}
	switch {
	case c.Answered == 0:
		text += ", is not answered"
	case c.Refused:
		text += ", is told that the session has expired"
	default:
		text += fmt.Sprintf(", has session %s, timeout %d ms", hex(uint64(c.Session)), c.Given)
	}
	if c.Closed > 0 {
		who := "the server"
		if c.ClosedByFault {
			who = "the client or the network"
		}
		text += "; " + who + " ends it"
	}
	return text
}
