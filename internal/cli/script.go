package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// scriptLineMax is more than a command with the largest data that servers accept.
const scriptLineMax = 4 << 20

// RunScript executes the lines of In and returns the exit code of the first that
// failed. With FailFast that is the last that is executed.
func (s *Shell) RunScript(ctx context.Context) int {
	defer s.Close()
	code := exitOK
	lines := bufio.NewScanner(s.opt.In)
	lines.Buffer(nil, scriptLineMax)
	for number := 1; ctx.Err() == nil && lines.Scan(); number++ {
		err := s.runLine(ctx, lines.Text())
		if errors.Is(err, errQuit) {
			return code
		}
		if c := exitCode(err); c != exitOK && code == exitOK {
			code = c
		}
		if code != exitOK && s.opt.FailFast {
			s.out.warn("line %d has failed, the rest is not executed", number)
			return code
		}
	}
	if err := lines.Err(); err != nil {
		s.out.warn("read commands: %v", err)
		return exitNotOK
	}
	if ctx.Err() != nil && code == exitOK {
		return exitNotOK
	}
	return code
}

// runLine executes one line and keeps it in the history.
func (s *Shell) runLine(ctx context.Context, line string) error {
	line = strings.TrimSpace(line)
	words, err := splitLine(line)
	if err != nil {
		err = usageError{fmt.Sprintf("%v: %s", err, safe(line))}
		s.out.warn("%v", err)
		return err
	}
	if len(words) == 0 {
		return nil
	}
	err = s.execute(ctx, words)
	if !secret(words) && !errors.Is(err, errQuit) {
		s.history.keep(line)
	}
	return err
}
