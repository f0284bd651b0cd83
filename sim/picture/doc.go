// Package picture draws a run of the simulator, or any trace in its form, as one
// HTML file that explains the run to somebody who did not write it.
//
//	err := picture.Write(file, "seed 17", events, history, violation)
//
// The file needs nothing but a browser: style, program and data are inside, and
// its security policy forbids it to load anything. Time runs to the right. Each
// server has a lane with bands of what it is, and each client one with its
// requests. Messages are arrows, faults have signs, the violation is red with
// what led to it. A click shows what something is and how all servers are at that
// moment; the address (#t=12.345&w=0.5&sel=e17) leads back to what one sees.
//
// # How it is made
//
// Go does what can be decided once and tested easily, and the page does what
// depends on where one looks:
//
//   - messages.go joins sendings with receipts, and tells what was lost;
//   - bands.go finds the roles and who reigned when, faults.go what went wrong
//     from when to when, clients.go what clients did;
//   - cause.go and past.go go back from the violation through what happened before
//     it, in Lamport's sense;
//   - story.go tells the run in sentences;
//   - document.go is what comes out: the JSON in the file. page/data.js reads it.
//
// The page draws into a canvas, and only what can be seen. When there are more
// messages than pixels it draws how many instead of each one, so that a minute with
// a hundred thousand events moves as smoothly as a second. The files of page/ are
// parts of one program, in the order of the list in picture.go; those before
// paint.js know no browser. All of it runs in the tests, with a browser that only
// counts (testdata/browser.js).
//
// # What it does not know
//
// The trace has messages between servers, and the bytes of clients on their way to
// a server. When an answer or a watch event left its server is a guess: when the
// server applied the transaction, or shortly before the client had it. The page
// says so where it matters. A message is said to be lost when nobody has received
// it and the run went on.
package picture
