package artifact

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// About is what info/about.json tells people. It is text by whoever built the package: control
// characters and those that turn or hide text are gone, lengths are bounded, URLs are http or https with a
// host and no user. What has another form is empty. Nothing in it is fit to be HTML.
type About struct {
	// Home, DevURL, DocURL and SourceURL are links, the first of a list; at most 2048 bytes.
	Home, DevURL, DocURL, SourceURL string
	// DocSourceURL and IconURL are links, too.
	DocSourceURL, IconURL string
	// License and Summary are single lines of at most 512 bytes.
	License, Summary string
	// SourceGitURL and RecipeOrigin are single lines as well. The first is whatever git takes, which need not
	// be a link.
	SourceGitURL, RecipeOrigin string
	// Description may have lines and Markdown; at most 64 KiB.
	Description string
	// Tags, Identifiers and Keywords are at most 64 single lines each.
	Tags, Identifiers, Keywords []string
}

// The bounds of About, in bytes.
const (
	maxLine = 512
	maxText = 64 << 10
	maxURL  = 2048
)

// maxWords bounds the lists of About.
const maxWords = 64

// readAbout reads about.json, which passed checkJSON; nil gives nothing. It is for show only, so nothing
// in it is refused.
func readAbout(b []byte) (a About) {
	o, err := parseObject(b)
	if b == nil || err != nil {
		return a
	}
	a.Home, a.DevURL, a.DocURL = o.link("home"), o.link("dev_url"), o.link("doc_url")
	a.SourceURL, a.DocSourceURL, a.IconURL = o.link("source_url"), o.link("doc_source_url"), o.link("icon_url")
	a.License, a.Summary = o.line("license"), o.line("summary")
	a.SourceGitURL, a.RecipeOrigin = o.line("source_git_url"), o.line("recipe_origin")
	a.Description = clean(o.free("description"), maxText, true)
	a.Tags, a.Identifiers, a.Keywords = o.lines("tags"), o.lines("identifiers"), o.lines("keywords")
	return a
}

// line returns a string, or a list's strings, as a single line.
func (o object) line(key string) string { return clean(o.free(key), maxLine, false) }

// lines returns the strings of a list, or the lines of one string, without those that are blank.
func (o object) lines(key string) (all []string) {
	for s := range strings.SplitSeq(o.free(key), "\n") {
		if s = clean(s, maxLine, false); s != "" && len(all) < maxWords {
			all = append(all, s)
		}
	}
	return all
}

// free returns a string, or a list's strings as lines; "" for anything else.
func (o object) free(key string) string {
	s, err := o.words(key, "\n")
	if err != nil {
		return ""
	}
	return s
}

// link returns the first usable URL of a string or a list; "" when there is none.
func (o object) link(key string) string {
	for s := range strings.SplitSeq(o.free(key), "\n") {
		if u := strings.TrimSpace(s); isLink(u) {
			return u
		}
	}
	return ""
}

// isLink reports whether s may stand behind a link on a page.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURL && s == clean(s, maxURL, false) &&
		(u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

// clean makes text safe to show: control characters go (in lines, newlines and tabs stay), and so do marks
// that turn the direction of writing or have no width but joiners; then it is cut.
func clean(s string, max int, lines bool) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case lines && (r == '\n' || r == '\t'):
			return r
		case r == '\n' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case r == '\u200c' || r == '\u200d': // needed by Persian, Indic scripts and emoji
			return r
		case r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		}
		return r
	}, s)
	return cut(strings.TrimSpace(s), max, "…")
}
