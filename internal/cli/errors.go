package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/server/proto"
)

// Exit codes.
const (
	exitOK    = 0
	exitNotOK = 1
	exitUsage = 2
)

// usageError is a mistake of the user's, with what to do.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

var (
	// errHelp says that a command was asked for its help.
	errHelp = errors.New("help is wanted")
	// errQuit ends a shell.
	errQuit = errors.New("quit")
	// errSilent fails a command whose output has said why.
	errSilent = errors.New("not ok")
)

// failure is what goes wrong without a server.
type failure string

func (f failure) Error() string { return string(f) }

// exitCode is that of a command that ends with err.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, errHelp), errors.Is(err, errQuit):
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitNotOK
}

// The sentences of zkCli, where it has them. %s is the path.
var sentences = map[proto.ErrCode]string{
	proto.ErrNoNode:                   "Node does not exist: %s",
	proto.ErrNodeExists:               "Node already exists: %s",
	proto.ErrNotEmpty:                 "Node not empty: %s",
	proto.ErrNoChildrenForEphemerals:  "Ephemerals cannot have children: %s",
	proto.ErrBadVersion:               "version No is not valid: %s (it is not the present one, see stat)",
	proto.ErrNoAuth:                   "Insufficient permission: %s (see getAcl, addauth)",
	proto.ErrInvalidACL:               "Acl is not valid: %s",
	proto.ErrQuotaExceeded:            "Quota has exceeded: %s (see listquota)",
	proto.ErrNoWatcher:                "No such watcher for %s",
	proto.ErrBadArguments:             "Arguments are not valid: %s",
	proto.ErrAuthFailed:               "Authentication failed",
	proto.ErrSessionExpired:           "The session has expired: its ephemeral nodes and watches are gone (connect opens another)",
	proto.ErrSessionMoved:             "The session has moved to another server",
	proto.ErrNotReadOnly:              "This server has no quorum and only serves reads",
	proto.ErrEphemeralOnLocalSession:  "A local session has no ephemeral nodes: %s",
	proto.ErrUnimplemented:            "The server does not know this operation, or it is not enabled there",
	proto.ErrReconfigDisabled:         "Reconfig is disabled (reconfigEnabled=true enables it)",
	proto.ErrReconfigInProgress:       "Another reconfiguration is in progress",
	proto.ErrNewConfigNoQuorum:        "No quorum of the new configuration is connected and up to date",
	proto.ErrSessionClosedRequireSASL: "The server wants authentication first",
	proto.ErrThrottled:                "The server is overloaded and has thrown the request away",
	proto.ErrMarshalling:              "The server does not understand the request",
	proto.ErrRuntimeInconsistency:     "The operation was not carried out: another of its transaction failed",
}

// Those of reconfig, which has no path.
var reconfigSentences = map[proto.ErrCode]string{
	proto.ErrBadVersion:   "The configuration has another version (see config)",
	proto.ErrBadArguments: "The new configuration is not valid: are the servers written as server.N=host:port:port[:role];[addr:]port, and enough of them left?",
	proto.ErrMarshalling:  "The server does not understand the new configuration: are the servers written as server.N=host:port:port[:role];[addr:]port?",
	proto.ErrNoAuth:       "Insufficient permission: reconfig wants the right to write /zookeeper/config (see getAcl, addauth)",
}

// describe makes a sentence of an error.
func describe(err error) string {
	var code proto.ErrCode
	var at *zkclient.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, zkclient.ErrClosed):
		return "Not connected (connect opens a session)"
	case errors.Is(err, zkclient.ErrNoConnection) && errors.As(err, &at):
		return safe(at.Err.Error()) + " (is a server running there? -s names others)"
	case errors.As(err, &code):
		sentence, known := sentences[code]
		if !known {
			return safe(err.Error())
		}
		path := ""
		if errors.As(err, &at) {
			path = safe(at.Path)
			if own := reconfigSentences[code]; own != "" && at.Op == proto.OpReconfig {
				sentence = own
			}
		}
		if strings.Contains(sentence, "%s") {
			return fmt.Sprintf(sentence, path)
		}
		return sentence
	case errors.Is(err, zkclient.ErrConnectionLoss) && errors.As(err, &at):
		return "Connection lost during " + safe(at.Error())
	}
	return safe(err.Error())
}
