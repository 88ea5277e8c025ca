package page

// SearchView is what a search over all channels found.
type SearchView struct {
	// Query is what was asked for; empty shows the field alone.
	Query string
	// Packages are the rows of this page, the exact name first.
	Packages []PackageRow
	Paging   Paging
	// Channels is how many channels were searched: those that the reader may see.
	Channels int
	// Near are packages with names close to the query, for when nothing was found.
	Near []Near
}

// Near is a package that may have been meant.
type Near struct{ Channel, Package string }

func (n Near) span() span {
	return span{text: show(n.Package), url: PackagePath(n.Channel, n.Package)}
}

// nearly lists what may have been meant as a sentence.
func nearly(before string, list []Near, after string) []span {
	s := []span{words(before)}
	for i, n := range list {
		if i > 0 {
			s = append(s, words(", "))
		}
		s = append(s, n.span())
	}
	return append(s, words(after))
}
