package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// head says how to read the document.
const head = `# Measured

Written by ` + "`make bench`" + `; do not edit. Single rows are measured by ` + "`make bench ROWS=serve-memory,solve`" + `.

Both sides of a row ran on the same machine over the same generated channel ([how it looks](generate/generate.go)),
in pairs A B B A …; whatever asked them ran beside them on the same cores. The ratio is the median of the ratios of
the pairs. Medians stand first, the least and the most of all runs in brackets. Files come from the page cache. Sluice
and nginx write no access log.
`

// render writes RESULTS.md from the results that are kept.
func render(dir string) error {
	results, err := read(dir)
	if err != nil {
		return err
	}
	var doc strings.Builder
	doc.WriteString(head)
	var last string
	measured := map[string]bool{}
	for _, r := range results {
		r.render(&doc, &last)
		measured[r.Row] = true
	}
	var missing []string
	for _, r := range rows() {
		if !measured[r.name] {
			missing = append(missing, "`"+r.name+"`")
		}
	}
	if len(missing) > 0 {
		_, _ = fmt.Fprintf(&doc, "\nNot measured yet: %s.\n", strings.Join(missing, ", "))
	}
	return os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(doc.String()), 0o644)
}

// render writes one row. last is the machine with all versions that the reader knows already.
func (r Result) render(doc *strings.Builder, last *string) {
	_, _ = fmt.Fprintf(doc, "\n## %s\n\n", upper(r.What))
	if r.Beside != "" {
		_, _ = fmt.Fprintf(doc, "Beside %s. ", r.Beside)
	}
	_, _ = fmt.Fprintf(doc, "`%s`, ", r.Row)
	if r.Records > 0 {
		_, _ = fmt.Fprintf(doc, "%s packages", thousands(r.Records))
		if r.Records != r.Meant {
			_, _ = fmt.Fprintf(doc, " (**a trial: the goals are for %s**)", thousands(r.Meant))
		}
		doc.WriteString(", ")
	}
	_, _ = fmt.Fprintf(doc, "Sluice at %s, %s.", r.Setup.Commit, r.Setup.Time.Format("2006-01-02"))
	if setup := r.Setup.Machine.String() + "; " + r.Setup.versions(); setup != *last {
		_, _ = fmt.Fprintf(doc, "\n%s.", setup)
		*last = setup
	}
	doc.WriteString("\n\n| what | Sluice | beside | ratio | goal | met | runs |\n|---|---|---|---|---|---|---|\n")
	for _, l := range r.Lines {
		l.render(doc)
	}
	if len(r.Notes) > 0 {
		_, _ = fmt.Fprintf(doc, "\n%s\n", strings.Join(r.Notes, " "))
	}
}

func (l Line) render(doc *strings.Builder) {
	beside, ratio, goal, met := "–", "–", "–", "–"
	if l.Beside != "" {
		beside = l.Beside + ": " + l.Theirs.String() + l.unit()
		ratio = l.Ratio.String()
		if l.Of == faster {
			ratio += " × faster"
		}
	}
	if !l.Goal.isZero() {
		goal, met = l.Goal.String(), "**no**"
		if l.met() {
			met = "yes"
		}
	}
	_, _ = fmt.Fprintf(doc, "| %s | %s%s | %s | %s | %s | %s | %d |\n", l.Case, l.Ours, l.unit(), beside, ratio, goal, met, l.Ours.Runs)
}

// unit is the unit as it stands behind a figure.
func (l Line) unit() string {
	if l.Unit == "" {
		return ""
	}
	return " " + l.Unit
}

// String is the sample as the table shows it.
func (s Sample) String() string {
	if s.Runs == 1 {
		return figure(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", figure(s.Median), figure(s.Min), figure(s.Max))
}

// String is the goal as the table shows it.
func (g Goal) String() string {
	if g.AtLeast > 0 {
		return "≥ " + figure(g.AtLeast)
	}
	return "≤ " + figure(g.AtMost)
}

// figure writes a number with three digits that count, and without an exponent.
func figure(v float64) string {
	if v == 0 {
		return "0"
	}
	// Rounded first, so that 99.99 becomes 100 and not 100.0.
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if digits := 2 - int(math.Floor(math.Log10(math.Abs(rounded)))); err == nil && digits > 0 {
		return strconv.FormatFloat(rounded, 'f', -1, 64)
	}
	return thousands(int(math.Round(v)))
}

// thousands writes a whole number in groups of three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// upper makes a heading of a phrase.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
