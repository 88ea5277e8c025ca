package page

import "strings"

// style says how a span is set.
type style int

const (
	plain  style = iota
	strong       // what the reader should check
	mono         // names of files, refs and digests
	accent       // in code: what was filled in
	remark       // in code: a comment
	whole        // never broken between lines
)

// span is a piece of running text. Sentences are lists of spans, made by functions that can be tested, and
// set by one component, because a template would put blanks where a comma follows a link.
type span struct {
	text string
	// url makes the span a link; only what outside returned or a path of this server.
	url   string
	style style
}

func words(s string) span { return span{text: s} }

// link leads off this server where address is fit for it, and is plain text otherwise.
func link(text, address string) span { return span{text: text, url: outside(address)} }

// read is the text of a sentence, as a screen reader gives it.
func read(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.text)
	}
	return b.String()
}

// leaves reports whether the span leads off this server.
func (s span) leaves() bool { return strings.Contains(s.url, "://") }

// fact is a label and what is known under it.
type fact struct {
	label string
	value []span
}

func known(label, value string) fact { return fact{label, []span{words(value)}} }
