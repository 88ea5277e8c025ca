package page

import (
	"net/url"
	"strings"
	"time"
)

// FileFilter says which files of a channel are meant; its fields are the query of an address, and of the forms that
// change files. All are as their reader wrote them.
type FileFilter struct {
	// Files are exactly these, "subdir/filename".
	Files []string
	// Name, Version, Build and Ref may be patterns with '*'.
	Name, Version, Build, Ref string
	Subdir, Run, Repository   string
	// Since and Before bound when they were published: days, or times.
	Since, Before string
	// In is a label, State what readers have of them.
	In, State string
}

// named are the fields of a filter but Files, by their names in a query.
func (f FileFilter) named() []hidden {
	all := []hidden{
		{"name", f.Name}, {"version", f.Version}, {"build", f.Build}, {"subdir", f.Subdir}, {"run", f.Run}, {"repository", f.Repository}, {"ref", f.Ref},
		{"since", f.Since}, {"before", f.Before}, {"in", f.In}, {"state", f.State},
	}
	given := all[:0]
	for _, h := range all {
		if h.value != "" {
			given = append(given, h)
		}
	}
	return given
}

// hidden is a field of a form that nobody sees.
type hidden struct{ name, value string }

// fields are all fields of the filter that are not empty.
func (f FileFilter) fields() []hidden {
	list := f.named()
	for _, file := range f.Files {
		list = append(list, hidden{"file", file})
	}
	return list
}

// IsZero reports whether nothing is filtered.
func (f FileFilter) IsZero() bool { return len(f.fields()) == 0 }

// rare says that a field is used which the form folds away.
func (f FileFilter) rare() bool {
	return f.Version != "" || f.Build != "" || f.Subdir != "" || f.Repository != "" && f.Run == "" || f.Ref != "" || f.Since != "" || f.Before != ""
}

// Query is the filter as an address has it, without what is empty.
func (f FileFilter) Query() url.Values {
	q := url.Values{}
	for _, h := range f.fields() {
		q.Add(h.name, h.value)
	}
	return q
}

// words says what a filter means, for people.
func (f FileFilter) words() []fact {
	label := map[string]string{
		"name": "Package", "version": "Version", "build": "Build", "subdir": "Subdir", "run": "Run", "repository": "Repository", "ref": "Ref",
		"since": "Published since", "before": "Published before", "in": "In label", "state": "State", "file": "File",
	}
	var list []fact
	for _, h := range f.fields() {
		list = append(list, fact{label[h.name], []span{{text: show(h.value), style: mono}}})
	}
	return list
}

// KeptFile is a file as the keepers of its channel see it.
type KeptFile struct {
	Subdir, Name string
	// Package and Version lead to its page; Shown says that readers have one.
	Package, Version string
	Shown            bool
	Size             int64
	Origin           Origin
	// Run is the id of its run, Repository where that ran; empty for none.
	Run, Repository string
	At              time.Time
	// State is "live", "yanked", "held", "deleted" or "purged"; Labels are those that list it.
	State  string
	Labels []string
	// Reason is why it is yanked or deleted, By who did that, Since when.
	Reason, By string
	Since      time.Time
	// Until is until when a deleted one can be restored.
	Until time.Time
	// Patched says that a correction lies over its record.
	Patched bool
}

// FilesView is the list of a channel's files for its keepers: what is there, and what do readers have of it?
type FilesView struct {
	Head   ChannelHead
	Filter FileFilter
	// Labels and Subdirs are those to choose from.
	Labels, Subdirs []string
	Files           []KeptFile
	Paging          Paging
	// Error is why a filter was not taken.
	Error string
	// MayDelete says that the reader may delete and restore.
	MayDelete bool
}

func stateChoices() []Choice {
	return []Choice{
		{"", "All but purged"}, {"live", "Live"}, {"yanked", "Yanked"}, {"held", "Held, in no label"}, {"deleted", "Deleted"}, {"purged", "Purged, bytes gone"},
	}
}

func choicesOf(first string, values []string) []Choice {
	list := []Choice{{"", first}}
	for _, v := range values {
		list = append(list, Choice{v, v})
	}
	return list
}

// kindChoices are what can be done with the files of the list.
func (v FilesView) kindChoices() []Choice {
	list := []Choice{{"yank", "Yank"}, {"unyank", "Take the yank back"}, {"list", "List in a label"}, {"move", "Move to another label"}, {"take_out", "Take out of a label"}}
	if v.MayDelete {
		list = append(list, Choice{"delete", "Delete"}, Choice{"restore", "Restore"})
	}
	return list
}

// stateTone is how loud a state is told.
func (k KeptFile) stateTone() tone {
	switch k.State {
	case "yanked", "deleted", "purged":
		return stop
	case "held":
		return look
	}
	return quiet
}

// line is what is known of the state beside its name.
func (k KeptFile) line() string {
	s := show(k.Reason)
	if k.By != "" {
		s += pick(s == "", "By ", " — by ") + show(k.By) + ", " + day(k.Since)
	}
	if !k.Until.IsZero() {
		s += "; can be restored until " + minute(k.Until)
	}
	return s
}

// CurationView asks whether to change files, and shows which.
type CurationView struct {
	Head   ChannelHead
	Filter FileFilter
	// Kind is what is done: "yank", "unyank", "delete", "restore", "list", "take_out" or "move".
	Kind string
	// Label and To are those of Kind; Reason is for people.
	Label, To, Reason Field
	// Labels are those that there are.
	Labels []string
	// Ready says that Files are what would change: everything is there that it takes to know.
	Ready bool
	// Files are the first of those that would change, Changed and Selected count all in this step.
	Files             []KeptFile
	Changed, Selected int
	// More says that this step leaves some over; Cursor is where it begins, "" for the beginning.
	More   bool
	Cursor string
	// Until is until when a deletion could be taken back.
	Until time.Time
	// EndTokens is the tick whether the publish tokens of the run shall end.
	EndTokens bool
	// Error is why it was not done, or cannot be.
	Error string
}

// verb is what is done, as a button says it.
func (v CurationView) verb() string {
	return map[string]string{
		"yank": "Yank", "unyank": "Take back the yank of", "delete": "Delete", "restore": "Restore", "list": "List", "take_out": "Take out", "move": "Move",
	}[v.Kind]
}

// title is the question.
func (v CurationView) title() string {
	what := "files"
	if v.Ready {
		what = count(v.Changed, "file")
	}
	if v.Changed == 1 && v.Ready {
		what = show(v.Files[0].Name)
	}
	switch v.Kind {
	case "list":
		return "List " + what + " in " + v.named(v.Label, "a label") + "?"
	case "take_out":
		return "Take " + what + " out of " + v.named(v.Label, "a label") + "?"
	case "move":
		return "Move " + what + " from " + v.named(v.Label, "a label") + " to " + v.named(v.To, "another") + "?"
	}
	return v.verb() + " " + what + "?"
}

func (v CurationView) named(f Field, otherwise string) string {
	if f.Value == "" {
		return otherwise
	}
	return show(f.Value)
}

// button is what the button says.
func (v CurationView) button() string {
	switch v.Kind {
	case "list":
		return "List " + count(v.Changed, "file")
	case "take_out":
		return "Take " + count(v.Changed, "file") + " out"
	case "move":
		return "Move " + count(v.Changed, "file")
	}
	return v.verb() + " " + count(v.Changed, "file")
}

// means says what it does to readers.
func (v CurationView) means() string {
	switch v.Kind {
	case "yank":
		return "Solvers do not see what is yanked; lock files that name it keep working, and everybody reads the reason. It can be taken back."
	case "unyank":
		return "Solvers see the files again, as they were before."
	case "delete":
		s := "Nobody gets what is deleted: lock files that name it stop working. To keep a file from solvers only, yank it."
		if !v.Until.IsZero() {
			s += " It can be restored until " + minute(v.Until) + "; then the bytes are removed, and the names are not given out again."
		}
		return s
	case "restore":
		return "The files are what they were before they were deleted, in the labels that listed them."
	case "list":
		return "Readers of the label see the files from now on. They stay where they are besides."
	case "take_out":
		return "Readers of the label do not see the files any more. What no label lists is held: no reader gets it."
	case "move":
		return "All at once: readers never meet half of it."
	}
	return ""
}

// loses says that readers lose something.
func (v CurationView) loses() bool { return v.Kind == "yank" || v.Kind == "delete" }

// asksReason says that a reason is written down.
func (v CurationView) asksReason() bool { return v.loses() }

// asksLabel and asksTo say which labels it takes.
func (v CurationView) asksLabel() bool {
	return v.Kind == "list" || v.Kind == "take_out" || v.Kind == "move"
}
func (v CurationView) asksTo() bool { return v.Kind == "move" }

// asksTokens says that the publish tokens of a run can end with it.
func (v CurationView) asksTokens() bool { return v.loses() && v.Filter.Run != "" }

// unchanged says how many files are so already.
func (v CurationView) unchanged() string {
	switch n := v.Selected - v.Changed; n {
	case 0:
		return ""
	case 1:
		return "1 is so already"
	default:
		return number(n) + " are so already"
	}
}

// curationOf is where files are changed, with everything filled in.
func curationOf(channel, kind string, f FileFilter) string {
	q := f.Query()
	q.Set("kind", kind)
	return CurationPath(channel) + "?" + q.Encode()
}

// TakeBackPath is where everything is taken back that a run published.
func TakeBackPath(channel, run, repository string) string {
	return curationOf(channel, "yank", FileFilter{Run: run, Repository: repository})
}

// fileActions are what the reader may do with a file.
func (v PackageView) fileActions(f File) []Action {
	if !v.MayCurate {
		return nil
	}
	only := FileFilter{Files: []string{f.Subdir + "/" + f.Name}}
	list := []Action{{"Yank", curationOf(v.Channel, "yank", only)}}
	if f.Yanked != nil {
		list = []Action{{"Take the yank back", curationOf(v.Channel, "unyank", only)}}
	}
	list = append(list, Action{"List in a label", curationOf(v.Channel, "list", only)})
	if v.MayDelete {
		list = append(list, Action{"Delete", curationOf(v.Channel, "delete", only)})
	}
	if f.RunID != "" {
		list = append(list, Action{"All files of its run", FilesPath(v.Channel) + "?" + FileFilter{Run: f.RunID, Repository: f.Origin.Run.Repository}.Query().Encode()})
	}
	return list
}

// versionActions are what the reader may do with the version.
func (v PackageView) versionActions() []Action {
	if !v.MayCurate {
		return nil
	}
	all := FileFilter{Name: v.Name, Version: v.Version}
	list := []Action{{"Yank all", curationOf(v.Channel, "yank", all)}}
	if v.gone() {
		list = []Action{{"Take the yanks back", curationOf(v.Channel, "unyank", all)}}
	}
	if v.MayDelete {
		list = append(list, Action{"Delete all", curationOf(v.Channel, "delete", all)})
	}
	return list
}

func pick(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// labelHelp names the labels that there are.
func labelHelp(v CurationView) string {
	names := make([]string, len(v.Labels))
	for i, l := range v.Labels {
		names[i] = show(l)
	}
	return "There are: " + strings.Join(names, ", ") + "." + pick(v.Kind == "list", " Another name makes another label.", "")
}
