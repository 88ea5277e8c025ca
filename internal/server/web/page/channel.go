package page

import (
	"net/url"
	"time"
)

// ChannelHead is the title block and the tabs of every page of a channel.
type ChannelHead struct {
	Name, Description string
	Private           bool
	// Packages, Publishers are the counts on the tabs.
	Packages, Publishers int
	// SeesPublishers shows the tab of trusted publishers (members), SeesAudit that of the audit log
	// (owners and maintainers).
	SeesPublishers, SeesAudit bool
	// SeesFiles shows the tab of all files (owners and maintainers).
	SeesFiles bool
	// MayManage shows the tab of the check (owners).
	MayManage bool
}

// ChannelView is the page of a channel: can I use it, and whom do I trust then?
type ChannelView struct {
	Head ChannelHead
	// Example is a package for the install commands; empty while there is none.
	Example string
	// Packages are the rows of this page of the list.
	Packages []PackageRow
	Filter   PackageFilter
	Paging   Paging
	// Artifacts counts all files of the channel, Bytes is their size.
	Artifacts int
	Bytes     int64
	// ByCI says how many of the artifacts a CI run published, Attested how many of those have attestations; Imported how many
	// came from another channel. The rest came with API tokens.
	ByCI, Attested, Imported int
	// Keys is how many live API tokens may publish here; nil when that was not counted.
	Keys *int
	// Publishers are the channel's trusted publishers, the last used first.
	Publishers []Publisher
	// Labels are those that list anything, main first; one alone is not shown.
	Labels []Label
	// Recent are the last releases here, newest first.
	Recent []Release
	// MayManage says that the reader is an owner, MayUpload that the reader may publish with an API token.
	MayManage, MayUpload bool
}

// Label is a listing of a channel, which clients read like a channel of its own.
type Label struct {
	Name string
	// Files counts what it lists, Yanked what solvers do not see of that.
	Files, Yanked int
}

// words counts what the label lists.
func (l Label) words() string {
	s := count(l.Files, "file")
	if l.Yanked > 0 {
		s += ", " + number(l.Yanked) + " yanked"
	}
	return s
}

// PackageRow is a package in a list.
type PackageRow struct {
	// Channel and Name say which; Summary is said by the package.
	Channel, Name, Summary string
	// Latest is the version that clients get.
	Latest string
	// Subdirs are those that have the package, Origin and At are of the file that came last.
	Subdirs []string
	Origin  Origin
	At      time.Time
	// Yanked says that the latest is yanked, and so is everything else of the package.
	Yanked bool
	// Attested says that the file that came last carries an attestation that counts.
	Attested bool
}

// mark is how the file came, and that CI has attested it.
func (r PackageRow) mark() mark { return r.Origin.attestedMark(r.Attested) }

// PackageFilter is what narrows a channel's list of packages; its fields are the query of the page's address.
type PackageFilter struct {
	// Text is a part of the name, or a word of the summary.
	Text string
	// Subdir is empty for all; Subdirs are those to choose from.
	Subdir  string
	Subdirs []string
	// By is "ci", "token", "import", or empty for any.
	By string
}

// IsZero reports whether nothing is filtered.
func (f PackageFilter) IsZero() bool { return f.Text == "" && f.Subdir == "" && f.By == "" }

// Query is the filter as a page's address has it, without what is empty.
func (f PackageFilter) Query() url.Values {
	q := url.Values{}
	for k, v := range map[string]string{"q": f.Text, "subdir": f.Subdir, "by": f.By} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return q
}

func (f PackageFilter) subdirChoices() []Choice {
	list := []Choice{{"", "All subdirs"}}
	for _, s := range f.Subdirs {
		list = append(list, Choice{s, s})
	}
	return list
}

func byChoices() []Choice {
	return []Choice{{"", "Published by anyone"}, {"ci", "Published by CI"}, {"token", "With an API token"}, {"import", "Imported"}}
}

// tab is one of the links under a title.
type tab struct {
	text, path string
	// count is shown after the text unless it is negative.
	count int
}

// tabs lists the pages of a channel that exist for this reader.
func (h ChannelHead) tabs() []tab {
	list := []tab{{"Packages", ChannelPath(h.Name), h.Packages}}
	if h.SeesPublishers {
		list = append(list, tab{"Trusted publishers", PublishersPath(h.Name), h.Publishers})
	}
	if h.SeesFiles {
		list = append(list, tab{"Files", FilesPath(h.Name), -1})
	}
	if h.SeesAudit {
		list = append(list, tab{"Audit log", AuditPath(h.Name), -1})
	}
	if h.MayManage {
		list = append(list, tab{"Attestations", DemandPath(h.Name), -1}, tab{"Check", CheckPath(h.Name), -1})
	}
	return list
}

func (h ChannelHead) visibility() string {
	if h.Private {
		return "private"
	}
	return "public"
}

// empty says that the channel has no package at all, rather than none that the filter lets through.
func (v ChannelView) empty() bool { return v.Head.Packages == 0 && v.Filter.IsZero() }

func (v ChannelView) install() Install {
	return Install{Channel: v.Head.Name, Private: v.Head.Private, Package: v.Example}
}

// keys is how many keys can publish here, in the words for the side and for the narrow line.
func (v ChannelView) keys() string {
	if *v.Keys == 0 {
		return "keys stored"
	}
	if *v.Keys == 1 {
		return "key can publish here"
	}
	return "keys can publish here"
}
