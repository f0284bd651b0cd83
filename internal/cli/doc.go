// Package cli is what "quorate cli" does: ZooKeeper's zkCli, its commands, options
// and messages, and what that one lacks (tree, diff, export, import, watch).
//
// A [Shell] has a session with an ensemble and executes commands on it, one by one:
//
//   - [Shell.RunOnce], a command of the command line;
//   - [Shell.RunScript], the lines of a file;
//   - [Shell.RunInteractive], the lines that a person types, with completion, a history,
//     and the events of watches shown above the line that is being typed.
//
// A command is an entry of a table (table.go): its name, options, words of help, and
// a function that gives back a result. A result prints itself as text, or is encoded
// as one line of JSON. The files are named after groups of commands.
//
// Whatever comes from a server is printed without control characters (print.go): a
// node's data may be anything, and must not command the terminal.
//
// Exit codes are those of every quorate command: 0 ok, 1 not ok, 2 wrong usage.
package cli
