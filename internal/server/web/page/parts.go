package page

import "strings"

// mark is a state as a drawing of 14 pixels: its shape and its words differ, its colour only repeats them.
type mark string

const (
	byCI    mark = "ci"
	byToken mark = "token"
	waiting mark = "waiting"
	// attested: by CI, and this server checked an attestation.
	attested mark = "attested"
	// imported: an operator brought it from another channel. yanked: solvers do not see it.
	imported mark = "imported"
	yanked   mark = "yanked"
)

// words is what a mark says to those who do not see it.
func (m mark) words() string {
	switch m {
	case byCI:
		return "by CI"
	case attested:
		return "by CI, attestation verified"
	case byToken:
		return "with an API token"
	case imported, yanked:
		return string(m)
	}
	return ""
}

// tone is how loud a note or a chip is.
type tone string

const (
	quiet tone = "quiet"
	told  tone = "told"
	look  tone = "look"
	stop  tone = "stop"
)

// Paging is where a list stands and how it goes on.
type Paging struct {
	// From and To are the places of the first and last row shown, from 1. From is 0 when they are not known.
	From, To int
	// Total is the length of the whole list; 0 when it was not counted.
	Total int
	// AtLeast says that counting stopped at Total.
	AtLeast bool
	// First leads to the beginning, Next to what follows; empty where there is no such page.
	First, Next string
}

// rows are those shown: "1–50 of 62", "50 of more than 10,000", "50".
func (p Paging) rows(shown int) string {
	if p.Total == 0 {
		return number(shown)
	}
	var b strings.Builder
	if p.From > 0 {
		b.WriteString(number(p.From) + "–" + number(p.To))
	} else {
		b.WriteString(number(shown))
	}
	b.WriteString(" of ")
	if p.AtLeast {
		b.WriteString("more than ")
	}
	b.WriteString(number(p.Total))
	return b.String()
}

// input is a field of a form with all that belongs to it.
type input struct {
	id, label, note, help, kind, hint, complete string
	mono, required                              bool
	max                                         string
}

func (in input) describedBy(f Field) string {
	switch {
	case f.Error != "":
		return in.id + "-error"
	case in.help != "":
		return in.id + "-help"
	}
	return ""
}
