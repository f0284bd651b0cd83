package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// headings are the titles of the columns.
var headings = map[Column]string{Real: "ZooKeeper", Ours: "Quorate", RealFire: "ZooKeeper, leaders killed", OursFire: "Quorate, leaders killed"}

// writeDocument makes the document from the results.
func writeDocument(r Results, path string) error {
	return os.WriteFile(path, renderDocument(r), 0o644)
}

// renderDocument writes the document as Markdown. The same results always give
// the same text.
func renderDocument(r Results) []byte {
	var b bytes.Buffer
	b.WriteString(`# Compatibility

*Made by a machine: ` + "`make compat`" + ` runs the suites and writes this page; edit
` + "`integration_test/compat`" + ` instead.*

Every ZooKeeper client works with Quorate unmodified. This page is the evidence: the clients'
own test suites, and scripts for clients that have none, each run against Apache ZooKeeper and
against Quorate by the same program on the same machine; then both once more while the leader
of the ensemble is killed with SIGKILL every 20 s and started again a second later. A test that
fails is run again; the table says so. Where a test fails on ZooKeeper too, the reason is given.

What clients' tests do not see is compared byte by byte, with random histories:
[compatibility-differences.md](compatibility-differences.md) has all differences on the wire that
are known, and why they are.

`)
	renderTotals(&b, r)
	renderRuns(&b, r)
	for _, s := range suites() {
		if res := r[s.Name()]; res != nil {
			renderSuite(&b, s, res)
		}
	}
	return b.Bytes()
}

// total counts the outcomes of one run.
func (s *SuiteResult) total(col Column) string {
	count := map[Outcome]int{}
	all := 0
	for _, of := range s.Tests {
		if v, ran := of[col]; ran {
			count[v.Outcome]++
			all++
		}
	}
	text := fmt.Sprintf("%d of %d pass", count[Pass], all)
	if count[Skip] > 0 {
		text += fmt.Sprintf(", %d skip", count[Skip])
	}
	return text
}

func renderTotals(b *bytes.Buffer, r Results) {
	b.WriteString("| suite |")
	for _, col := range columns {
		fmt.Fprintf(b, " %s |", headings[col])
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, s := range suites() {
		res := r[s.Name()]
		if res == nil {
			continue
		}
		fmt.Fprintf(b, "| [%s](#%s) |", s.Name(), strings.ToLower(s.Name()))
		for _, col := range columns {
			if _, ran := res.Runs[col]; ran {
				fmt.Fprintf(b, " %s |", res.total(col))
			} else {
				b.WriteString(" not run |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	renderWorse(b, r)
}

// renderWorse lists what passes on ZooKeeper only: what is known, by its
// reason, and what is not.
func renderWorse(b *bytes.Buffer, r Results) {
	reasons := map[string][]string{}
	var news []string
	for _, d := range r.regressions() {
		name := fmt.Sprintf("%s %s", d.Suite, code(d.Test))
		switch {
		case d.Known() == "":
			news = append(news, fmt.Sprintf("%s (%s): %s", name, headings[d.Column], code(d.Verdict.Reason)))
		case !slices.Contains(reasons[d.Known()], name):
			reasons[d.Known()] = append(reasons[d.Known()], name)
		}
	}
	if len(reasons)+len(news) == 0 {
		b.WriteString("Quorate passes every test that ZooKeeper passes.\n\n")
		return
	}
	b.WriteString("Quorate passes every test that ZooKeeper passes, but for these:\n\n")
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(b, "- %s: %s.\n", reason, strings.Join(reasons[reason], ", "))
	}
	for _, line := range news {
		fmt.Fprintf(b, "- %s\n", line)
	}
	b.WriteString("\n")
}

func renderRuns(b *bytes.Buffer, r Results) {
	b.WriteString("## The runs\n\n| suite | client | server | UTC | commit | s | leaders killed |\n|---|---|---|---|---|---|---|\n")
	leftOut := map[string]bool{}
	for _, s := range suites() {
		res := r[s.Name()]
		if res == nil {
			continue
		}
		for _, col := range columns {
			info, ran := res.Runs[col]
			if !ran {
				continue
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %.0f | %d |\n", s.Name(), info.Client, info.Server, info.Date, info.Commit, info.Seconds, info.Kills)
			for _, key := range info.LeftOut {
				leftOut[key] = true
			}
		}
	}
	b.WriteString("\n")
	if len(leftOut) > 0 {
		var keys []string
		for key := range leftOut {
			keys = append(keys, "`"+key+"`")
		}
		slices.Sort(keys)
		fmt.Fprintf(b, "Settings of the suites' own `zoo.cfg` that Quorate refuses, left out for it: %s.\n\n", strings.Join(keys, ", "))
	}
}

func renderSuite(b *bytes.Buffer, s suite, res *SuiteResult) {
	fmt.Fprintf(b, "## %s\n\n%s\n\n| test |", s.Name(), s.About())
	for _, col := range columns {
		fmt.Fprintf(b, " %s |", headings[col])
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	var notes []string
	for _, name := range res.names() {
		fmt.Fprintf(b, "| %s |", code(name))
		for _, col := range columns {
			fmt.Fprintf(b, " %s |", cell(res.Tests[name][col]))
		}
		b.WriteString("\n")
		notes = append(notes, note(name, res.Tests[name])...)
	}
	b.WriteString("\n")
	for _, n := range notes {
		b.WriteString("- " + n + "\n")
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
}

// cell is a verdict in a table.
func cell(v Verdict) string {
	text := string(v.Outcome)
	switch v.Outcome {
	case "":
		return ""
	case Fail:
		text = "**fail**"
	case Pass:
		if v.Tries > 1 {
			text = fmt.Sprintf("pass (try %d)", v.Tries)
		}
	}
	if v.Kills > 0 {
		text += fmt.Sprintf(", %d killed", v.Kills)
	}
	return text
}

// note tells why a test fails or skips; once where both servers say the same.
func note(name string, of map[Column]Verdict) []string {
	var notes []string
	for _, pair := range [][2]Column{{Real, Ours}, {RealFire, OursFire}} {
		theirs, ours := of[pair[0]], of[pair[1]]
		if pair[0] == RealFire && theirs.Outcome == of[Real].Outcome && ours.Outcome == of[Ours].Outcome {
			continue // as in peace
		}
		bad := func(v Verdict) bool { return v.Outcome == Fail || v.Outcome == Skip }
		where := map[Column]string{Real: "", RealFire: ", leaders killed"}[pair[0]]
		switch {
		case bad(theirs) && theirs.Outcome == ours.Outcome:
			notes = append(notes, fmt.Sprintf("%s%s: %ss on ZooKeeper too: %s", code(name), where, theirs.Outcome, code(theirs.Reason)))
		case bad(theirs):
			notes = append(notes, fmt.Sprintf("%s%s: %ss on ZooKeeper: %s", code(name), where, theirs.Outcome, code(theirs.Reason)))
			if bad(ours) {
				notes = append(notes, fmt.Sprintf("%s%s: %ss on Quorate: %s", code(name), where, ours.Outcome, code(ours.Reason)))
			}
		case bad(ours):
			notes = append(notes, fmt.Sprintf("%s%s: %ss on Quorate only: %s", code(name), where, ours.Outcome, code(ours.Reason)))
		}
	}
	return notes
}

// code quotes text for Markdown, within a table too.
func code(text string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "¦").Replace(text) + "`"
}
