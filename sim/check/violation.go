package check

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// Violation is a rule that was broken.
type Violation struct {
	// Invariant is its short name: E1, B7, W4, HEO, …; Rule is the rule.
	Invariant, Rule string
	// Text says what happened.
	Text string
	At   time.Duration
	Node ensemble.ServerID // 0: nobody in particular
	// Order points into the History, Seq at the Event; 0 if there is none.
	Order, Seq int
}

// Error implements error.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s (%s): %s", v.Invariant, v.Rule, v.Text)
}
