package page

import (
	"slices"
	"strings"
	"time"
)

// group is the files of a version that came in the same way.
type group struct {
	origin Origin
	files  []File
}

// groups orders the ways in which the files came, the one with most files first.
func (v PackageView) groups() []group {
	var list []group
	for _, f := range v.Files {
		i := slices.IndexFunc(list, func(g group) bool { return g.origin == f.Origin })
		if i < 0 {
			list = append(list, group{origin: f.Origin})
			i = len(list) - 1
		}
		list[i].files = append(list[i].files, f)
	}
	slices.SortStableFunc(list, func(a, b group) int { return len(b.files) - len(a.files) })
	return list
}

// mark is that of the way, or that all of it is attested.
func (g group) mark() mark {
	return g.origin.attestedMark(!slices.ContainsFunc(g.files, func(f File) bool { return !f.attested() }))
}

// last is when the last of the files came.
func (g group) last() time.Time {
	var t time.Time
	for _, f := range g.files {
		if f.At.After(t) {
			t = f.At
		}
	}
	return t
}

// subdirs names those of the group's files.
func (g group) subdirs() []string {
	var list []string
	for _, f := range g.files {
		if !slices.Contains(list, f.Subdir) {
			list = append(list, f.Subdir)
		}
	}
	return list
}

// whole is all files as one group, for counts that do not ask how they came.
func (v PackageView) whole() group { return group{files: v.Files} }

func (v PackageView) bytes() int64 {
	var n int64
	for _, f := range v.Files {
		n += f.Size
	}
	return n
}

func (v PackageView) byCI() int {
	n := 0
	for _, f := range v.Files {
		if f.Origin.ByCI() {
			n++
		}
	}
	return n
}

// yanked lists the yanked files.
func (v PackageView) yanked() []File {
	var list []File
	for _, f := range v.Files {
		if f.Yanked != nil {
			list = append(list, f)
		}
	}
	return list
}

// gone says that the whole version is yanked.
func (v PackageView) gone() bool { return len(v.yanked()) == len(v.Files) }

// yankNotice is what a reader must know of a yanked version: bold words and the rest; empty where nothing is yanked.
func (v PackageView) yankNotice() (bold string, rest []span) {
	list := v.yanked()
	if len(list) == 0 {
		return "", nil
	}
	last := list[0].Yanked
	for _, f := range list {
		if f.Yanked.At.After(last.At) {
			last = f.Yanked
		}
	}
	why := words(" On " + day(last.At) + ": " + ended(show(last.Reason)) + " Lock files that name " + pick(len(list) == 1, "it", "them") + " keep working.")
	if !v.gone() {
		return "Yanked: " + number(len(list)) + " of " + count(len(v.Files), "file") + ".", []span{why}
	}
	if v.Version == v.Latest {
		return "Yanked.", []span{why, words(" No other version is left.")}
	}
	return "Yanked.", []span{why, words(" Solvers take "), {text: show(v.Latest), url: PackagePath(v.Channel, v.Name)}, words(" instead.")}
}

// listedIn is the label at whose address the version is installed; empty where main has any of it.
func (v PackageView) listedIn() string {
	label := ""
	for _, f := range v.Files {
		if f.address() == "" {
			return ""
		}
		label = f.address()
	}
	return label
}

func (v PackageView) install() Install {
	in := Install{Channel: v.Channel, Label: v.listedIn(), Private: v.Private, Package: v.Name}
	if v.Pinned || v.Version != v.Latest {
		in.Version = v.Version
	}
	return in
}

// notice is what a reader should look at before installing: bold words and the rest; empty when there is
// nothing. An API token where there was a run before is the worst, so it is said first.
func (v PackageView) notice() (bold, rest string) {
	groups := v.groups()
	if v.Before != nil {
		slices.SortStableFunc(groups, func(a, b group) int { return rank(a.origin) - rank(b.origin) })
		for _, g := range groups {
			if c := g.origin.change(v.Before.Origin, v.Before.Version); c != "" {
				return "Published another way than the version before.", strings.TrimSuffix(c+" "+v.lost(), " ")
			}
		}
	}
	if lost := v.lost(); lost != "" {
		return pick(v.attested() == 0, "Not attested, unlike the version before.", "Fewer files are attested than of the version before."), lost
	}
	if v.byCI() > 0 && v.byCI() < len(v.Files) {
		return "Not all files came the same way.", number(v.byCI()) + " of " + count(len(v.Files), "file") + " by CI, the others " + v.others() + "."
	}
	return "", ""
}

// noticed is the rest of a notice, which leads on to what it can mean that attestations are missing.
func (v PackageView) noticed(rest string) []span {
	out := []span{words(" " + rest)}
	if t, _, _ := v.verdict(); t == look && v.lost() != "" {
		out = append(out, words(" "), span{text: "What to make of it", url: "#attested"})
	}
	return out
}

// others is how the files came that no run published.
func (v PackageView) others() string {
	tokens, imports := 0, 0
	for _, f := range v.Files {
		switch {
		case f.Origin.ByCI():
		case f.Origin.isImport():
			imports++
		default:
			tokens++
		}
	}
	switch {
	case imports == 0:
		return "with an API token"
	case tokens == 0:
		return "imported"
	}
	return "with an API token or imported"
}

// rank puts what says least first.
func rank(o Origin) int {
	if o.ByCI() {
		return 1
	}
	return 0
}
