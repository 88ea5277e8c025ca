package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/internal/fault"
)

// table prints rows in columns, under their heads. Without rows it says none.
func table(w io.Writer, none string, heads []string, rows [][]string) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{heads}, rows...) {
		for i, cell := range row {
			row[i] = shown(cell)
		}
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t")) // Flush tells
	}
	return t.Flush()
}

// fields prints names and values under one another, those without a value left out.
func fields(w io.Writer, pairs ...string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", pairs[i], shown(pairs[i+1])) // Flush tells
		}
	}
	return t.Flush()
}

// maxShown is the longest text of a server that is printed, in bytes.
const maxShown = 1000

// shown is a text of a server as a terminal may have it.
func shown(s string) string { return fault.OneLine(s, maxShown) }

// day writes a time for people; "" for none.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}
