// Package page holds the pages that people read: one templ component a page, and the value that it takes.
//
// A view is made for its page and says only what the page shows: names, counts, times, and who may do what.
// The package must not know of HTTP, of the database, or of the types of the rooms; it decides how things
// look and are worded, never what a reader may see. Every text may come from a package or a token, so it is
// shown through show, which makes invisible characters visible, and addresses through outside.
//
// The pages work without JavaScript, and under a Content-Security-Policy that allows one style sheet of the
// same origin and nothing inline. After a change of a .templ file run:
//
//	go tool templ generate -path internal/server/web
package page

import "time"

// Frame is what every page shows around its own content.
type Frame struct {
	// Host is the host of the public URL, with its port when it has one: readers must know whom they ask.
	Host string
	// URL is the public URL without a slash at its end, as clients write it.
	URL string
	// Style is the path of the style sheet.
	Style string
	// Version is the version of this program.
	Version string
	// User is the name of the signed-in user; empty for everybody else.
	User string
	// Path is the path and query that was asked for; signing in leads back to it.
	Path string
	// Query is what the search field of the top bar holds.
	Query string
	// Now is when the page was made. Everything that a page calls "ago" is measured from it.
	Now time.Time
}

// Field is one field of a form as it comes back: what was sent, and why that cannot be.
type Field struct {
	// Value is what the field holds.
	Value string
	// Error is one sentence for the person who filled it in; empty when the value will do.
	Error string
}

// Choice is one option of a list to choose from.
type Choice struct {
	// Value is what is sent.
	Value string
	// Label is what is read.
	Label string
}

// Action is a link that looks like a button.
type Action struct {
	// Text says what happens.
	Text string
	// URL is a path on this server.
	URL string
}

// Phrase is a piece of a sentence.
type Phrase struct {
	// Text is shown as it is.
	Text string
	// Strong marks what the reader should check.
	Strong bool
}
