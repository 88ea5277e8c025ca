package page

import "time"

// HomeView is the page of the whole server: what is on it?
type HomeView struct {
	// Title and Sentence are the operator's words; empty ones are replaced.
	Title, Sentence string
	// Channels are those that the reader may see, the one published to last first.
	Channels []ChannelRow
	// ChannelQuery is the filter over channels, ChannelTotal their number without it.
	ChannelQuery string
	ChannelTotal int
	// Cut says that more channels match than are listed.
	Cut bool
	// Recent are the last releases in channels that the reader may see, newest first.
	Recent []Release
	// MayCreate says that the reader may make a channel.
	MayCreate bool
}

// ChannelRow is a channel on the home page.
type ChannelRow struct {
	Name, Description string
	Private           bool
	// Packages and Artifacts are counts, ByCI how many of the artifacts a CI run published.
	Packages, Artifacts, ByCI int
	// LastPackage, LastVersion and LastAt tell of the last publish; zero when there was none.
	LastPackage, LastVersion string
	LastAt                   time.Time
}

// Release is the files of one version that came in one run, or from one person's token.
type Release struct {
	Channel, Package, Version string
	// Subdirs are those that got a file.
	Subdirs []string
	Origin  Origin
	// At is when the last of the files came.
	At time.Time
	// Attested says that each of the files carries an attestation that counts.
	Attested bool
}

// mark is how the release came, and that CI has attested all of it.
func (r Release) mark() mark { return r.Origin.attestedMark(r.Attested) }

func (v HomeView) title() string {
	if v.Title == "" {
		return "Conda packages"
	}
	return show(v.Title)
}

func (v HomeView) sentence() string {
	if v.Sentence == "" {
		return "Every artifact says who published it, and from which run."
	}
	return show(v.Sentence)
}

// filterable says that there are more channels than one looks through.
func (v HomeView) filterable() bool { return v.ChannelTotal > 20 || v.ChannelQuery != "" }
