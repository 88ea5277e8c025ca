package page

import "slices"

// way is how some of a channel's artifacts came.
type way struct {
	mark  mark
	words string
	// by narrows the list of packages to them.
	by string
	n  int
}

// ways are how the channel's artifacts came, what is known best first. What no artifact came by is left out where it is rare.
func (v ChannelView) ways() []way {
	all := []way{
		{attested, "By CI, with an attestation", "ci", v.Attested},
		{byCI, "By CI", "ci", v.ByCI - v.Attested},
		{byToken, "With an API token", "token", v.Artifacts - v.ByCI - v.Imported},
		{imported, "Imported", "import", v.Imported},
	}
	return slices.DeleteFunc(all, func(w way) bool { return w.n == 0 && (w.mark == attested || w.mark == imported) })
}

// part is a part of a bar: its drawing, where it begins and how wide it is, in percent.
type part struct {
	mark     mark
	x, width int
}

// least is how wide a part is that is not empty, so that four files among thousands are still seen.
const least = 2

// parts lay out a bar of all the ways. The widest gives what the narrow ones need.
func parts(ways []way) (out []part) {
	total, widest := 0, 0
	for _, w := range ways {
		total += w.n
	}
	rest := 100
	for i, w := range ways {
		p := part{mark: w.mark}
		if w.n > 0 {
			p.width = max(least, percent(w.n, total))
		}
		rest -= p.width
		if out = append(out, p); p.width > out[widest].width {
			widest = i
		}
	}
	if total > 0 {
		out[widest].width += rest
	}
	for i := 1; i < len(out); i++ {
		out[i].x = out[i-1].x + out[i-1].width
	}
	return out
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
