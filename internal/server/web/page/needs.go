package page

import (
	"slices"
	"strings"
)

// needs is the dependencies that some files of a version share.
type needs struct {
	label string
	specs []string
}

// needs groups the files by what they need, in the order of the files.
func (v PackageView) needs() []needs {
	var list []needs
	var members [][]File
	for _, f := range v.Files {
		i := slices.IndexFunc(list, func(n needs) bool { return slices.Equal(n.specs, f.Depends) })
		if i < 0 {
			list, members = append(list, needs{specs: f.Depends}), append(members, nil)
			i = len(list) - 1
		}
		members[i] = append(members[i], f)
	}
	for i := range list {
		list[i].label = v.label(members[i])
	}
	return list
}

// label names files by their subdirs, and by their build strings where a subdir has more than one build.
func (v PackageView) label(files []File) string {
	if len(files) == len(v.Files) {
		return "the same for all"
	}
	var names []string
	for _, f := range files {
		name := show(f.Subdir)
		if v.buildsIn(f.Subdir) > 1 {
			name += " " + show(f.Build)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 4 {
		return strings.Join(names[:3], ", ") + " and " + number(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
}

func (v PackageView) buildsIn(subdir string) int {
	n := 0
	for _, f := range v.Files {
		if f.Subdir == subdir {
			n++
		}
	}
	return n
}

// cutSpec takes a match spec apart into the package's name and what is asked of it.
func cutSpec(spec string) (name, rest string) {
	i := strings.IndexAny(spec, " =<>!~[")
	if i < 0 {
		return spec, ""
	}
	return spec[:i], strings.TrimSpace(spec[i:])
}

// SpecName is the name of the package that a match spec asks for.
func SpecName(spec string) string {
	name, _ := cutSpec(spec)
	return name
}

// where says where a dependency comes from, as far as this channel knows.
func (v PackageView) where(name string) string {
	switch {
	case strings.HasPrefix(name, "__"):
		return "your system"
	case v.Here[name]:
		return "in " + show(v.Channel)
	}
	return "another channel"
}
