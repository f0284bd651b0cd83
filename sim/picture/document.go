package picture

import "encoding/json"

// document is what the page gets, as JSON. page/data.js is its reader.
//
// What there is much of stands in columns: lists of equal length, one number for
// each event, message or operation. Numbers that point elsewhere count from 1,
// and 0 means nothing: a server is its place in Servers, a client that in
// Clients, a zxid that in Zxids, and so on. Moments are in ns since the beginning
// of the run.
type document struct {
	Title   string   `json:"title"`
	End     int64    `json:"end"`
	Servers []server `json:"servers"`
	Clients []client `json:"clients"`

	Kinds   []string `json:"kinds"`   // of events
	Classes []class  `json:"classes"` // of messages
	Texts   []string `json:"texts"`
	// Zxids are all that occur, ascending: places compare as zxids do.
	Zxids []string `json:"zxids"`
	// Facts are what events say beyond their columns; equal ones stand once.
	Facts []json.RawMessage `json:"facts"`

	Events   eventColumns   `json:"events"`
	Messages messageColumns `json:"messages"`
	Ops      opColumns      `json:"ops"`
	Notices  noticeColumns  `json:"notices"`

	Reigns    []reign    `json:"reigns"`
	Faults    []span     `json:"faults"`
	Story     []chapter  `json:"story"`
	Totals    []total    `json:"totals"`
	Violation *violation `json:"violation,omitempty"`
}

// server is a lane.
type server struct {
	Name  string `json:"name"`
	Bands []band `json:"bands"`
}

// band is a stretch of time in which a server is one thing.
type band struct {
	From int64  `json:"from"`
	To   int64  `json:"to"`
	Role string `json:"role"` // a State, or down, halted, unknown
	// Leader whom it leads or follows; itself if it leads.
	Leader int   `json:"leader,omitempty"`
	Epoch  int64 `json:"epoch,omitempty"`
	// Serving: the leadership is established, or the learner is synchronized.
	Serving bool   `json:"serving,omitempty"`
	Life    int    `json:"life,omitempty"`
	Event   int    `json:"event,omitempty"` // that began it
	Why     string `json:"why,omitempty"`   // the role before it ended
}

// client is a lane.
type client struct {
	Name  string `json:"name"`
	Conns []conn `json:"conns"`
	Rows  int    `json:"rows"` // of operations that are under way together
}

// conn is a connection of a client.
type conn struct {
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	Server  int    `json:"server"`
	Session string `json:"session,omitempty"`
	Text    string `json:"text"`
	Fault   bool   `json:"fault,omitempty"` // ended by the client or the network
}

// class is a kind of messages that can be shown or hidden together.
type class struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Hint  string `json:"hint"`
	Off   bool   `json:"off,omitempty"` // at first
	Count int    `json:"count"`
}

type eventColumns struct {
	At      []int64 `json:"at"` // after the one before
	Seq     []int   `json:"seq"`
	Node    []int   `json:"node"`
	Life    []int   `json:"life"`
	Kind    []int   `json:"kind"` // from 0
	Peer    []int   `json:"peer"`
	Zxid    []int   `json:"zxid"`
	Message []int   `json:"message"`
	Fact    []int   `json:"fact"`
}

// messageColumns are the messages between servers.
type messageColumns struct {
	From  []int `json:"from"`
	To    []int `json:"to"`
	Sent  []int `json:"sent"` // event
	Got   []int `json:"got"`  // event
	Class []int `json:"class"`
	Text  []int `json:"text"`
	Low   []int `json:"low"`  // the first zxid that it speaks of
	High  []int `json:"high"` // the last one
	Fate  []int `json:"fate"`
}

// The fates of a message.
const (
	arrived = iota
	lost
	underway   // when the run ended
	sourceless // its sending is not in the trace
)

// opColumns are requests of clients, a connection's opening included.
type opColumns struct {
	Client []int   `json:"client"`
	Conn   []int   `json:"conn"` // number, counted over all clients
	Server []int   `json:"server"`
	Sent   []int64 `json:"sent"`
	Back   []int64 `json:"back"` // 0: never answered
	// Reach and Leave are when the request reached the server and the answer left
	// it; negative if the trace does not tell and it is a guess.
	Reach   []int64 `json:"reach"`
	Leave   []int64 `json:"leave"`
	Text    []int   `json:"text"`
	Reply   []int   `json:"reply"`
	Zxid    []int   `json:"zxid"`
	Outcome []int   `json:"outcome"`
	Write   []int   `json:"write"` // 1: it is one
	Row     []int   `json:"row"`
}

// The outcomes of an operation.
const (
	succeeded = iota
	failed
	unanswered // nobody knows, or it was committed: then it has a zxid
)

// noticeColumns are watch events.
type noticeColumns struct {
	Client []int   `json:"client"`
	Server []int   `json:"server"`
	Leave  []int64 `json:"leave"` // as in opColumns
	At     []int64 `json:"at"`
	Text   []int   `json:"text"`
	Zxid   []int   `json:"zxid"`
}

// reign is the time of an established leader.
type reign struct {
	From   int64 `json:"from"`
	To     int64 `json:"to"`
	Leader int   `json:"leader"`
	Epoch  int64 `json:"epoch"`
	Row    int   `json:"row"` // 1 if another reign has not ended yet
	Event  int   `json:"event"`
}

// span is a fault that lasts, or one that does not: then To is From.
type span struct {
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Kind  string `json:"kind"` // which sign it gets
	Text  string `json:"text"`
	Node  int    `json:"node,omitempty"`
	Peer  int    `json:"peer,omitempty"`
	Event int    `json:"event"`
	Row   int    `json:"row"` // of those that overlap
}

// chapter is a line of the story.
type chapter struct {
	At    int64  `json:"at"`
	Kind  string `json:"kind"`
	Text  string `json:"text"`
	Event int    `json:"event,omitempty"`
}

// total is a number about the whole run.
type total struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// violation is the broken rule with what led to it.
type violation struct {
	Invariant string `json:"invariant"`
	Rule      string `json:"rule"`
	Text      string `json:"text"`
	At        int64  `json:"at"`
	Node      int    `json:"node"`
	Client    int    `json:"client,omitempty"`
	Event     int    `json:"event,omitempty"`
	Op        int    `json:"op,omitempty"`
	Notice    int    `json:"notice,omitempty"`
	Zxid      int    `json:"zxid,omitempty"`
	// Events, Messages and Ops are its causal past, as far back as it tells
	// something; ascending.
	Events   []int `json:"events"`
	Messages []int `json:"messages"`
	Ops      []int `json:"ops"`
	From     int64 `json:"from"` // where that past begins
}
