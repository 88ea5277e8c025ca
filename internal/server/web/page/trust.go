package page

// shareOfCI is the width of the first part of a bar, in percent, with room for both parts to be seen.
func shareOfCI(ci, token int) int {
	p := percent(ci, ci+token)
	if p == 0 || p == 100 {
		return p
	}
	return min(max(p, 2), 98)
}

// happened is the rest of a sentence that begins with the release.
func (r Release) happened() string {
	where := ""
	if n := len(r.Subdirs); n > 1 {
		where = "in " + count(n, "subdir") + " "
	}
	if r.Origin.ByCI() {
		return where + "from run " + r.Origin.Run.numbered() + " of " + show(r.Origin.Run.Repository)
	}
	if r.Origin.isImport() {
		return where + "imported from " + show(short(r.Origin.Imported))
	}
	return where + "from " + r.Origin.who(r.Channel) + ", with an API token"
}
