package page

import (
	"time"

	"github.com/a-h/templ"
)

func pageTitle(f Frame, title string) string {
	if title == "" {
		return show(f.Host)
	}
	return title + " · " + show(f.Host)
}

// machine is a time as HTML's datetime attribute wants it.
func machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// favicon is the mark with one wave, as it is drawn below 16 pixels, in the light accent: an address that
// holds the picture itself, so that a page stays two requests.
func favicon() templ.SafeURL {
	return "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E" +
		"%3Cpath d='M2 2.5h12M3.5 2.5v9M12.5 2.5v9M1 13.5c1.5 0 2-1.5 3.5-1.5s2 1.5 3.5 1.5 2-1.5 3.5-1.5 2 1.5 3.5 1.5' " +
		"fill='none' stroke='%230A5F72' stroke-width='1.8' stroke-linecap='round'/%3E" +
		"%3Cpath d='M5.5 4.5h5v4.5h-5z' fill='%230A5F72'/%3E%3C/svg%3E"
}

// Stamps are the texts by which a page that was made at t names that moment. What is left without them changes
// only with what the page has to say.
func Stamps(t time.Time) []string { return []string{machine(t), stamp(t)} }
