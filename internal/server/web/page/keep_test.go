package page

import (
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
)

func keptFiles() []KeptFile {
	ci := run("acme/forge", "build.yml", "1234", "1")
	day := func(d int) time.Time { return time.Date(2026, 11, d, 9, 30, 0, 0, time.UTC) }
	return []KeptFile{
		{Subdir: "linux-64", Name: "ripgrep-15.1.0-h7f3a2c1_0.conda", Package: "ripgrep", Version: "15.1.0", Shown: true, Size: 1_912_345, Origin: ci, Run: "10191234", Repository: "acme/forge",
			At: before(124 * time.Minute), State: "live", Labels: []string{"main", "rc/15"}, Patched: true},
		{Subdir: "osx-arm64", Name: "ripgrep-15.1.0-h93d1c2f_0.conda", Package: "ripgrep", Version: "15.1.0", Shown: true, Size: 1_903_345, Origin: ci, Run: "10191234", Repository: "acme/forge",
			At: before(124 * time.Minute), State: "yanked", Labels: []string{"main"}, Reason: "Links against a libpcre2 that is not on any other channel.", By: "mara", Since: day(23)},
		{Subdir: "noarch", Name: "libtide-devel-static-with-openmp-and-mkl-and-every-other-thing-64-2.4.1-h0000000_0.tar.bz2", Package: "libtide", Version: "2.4.1", Size: 12_345, Origin: Origin{Member: "jo"}, At: before(50 * time.Hour), State: "held"},
		{Subdir: "noarch", Name: "tide-1.0-0.conda", Package: "tide", Version: "1.0", Size: 12_345, Origin: Origin{Imported: "https://conda.example.com/old"}, At: before(500 * time.Hour), State: "deleted",
			Labels: []string{"main"}, Reason: "A password was in it.", By: "jo", Since: day(22), Until: day(29)},
		{Subdir: "noarch", Name: "tide-0.9-0.conda", Package: "tide", Version: "0.9", Size: 12_345, Origin: Origin{Member: "jo"}, At: before(900 * time.Hour), State: "purged", By: "jo", Since: day(1)},
	}
}

func filesView() FilesView {
	v := FilesView{
		Head: forgeHead(), Filter: FileFilter{Run: "10191234", Repository: "acme/forge"}, Labels: []string{"main", "rc/15"}, Subdirs: allSubdirs(), Files: keptFiles(),
		Paging: Paging{Next: "/channels/forge/files?cursor=7", First: "/channels/forge/files"}, MayDelete: true,
	}
	v.Head.SeesFiles = true
	return v
}

func curationView(kind string) CurationView {
	return CurationView{
		Head: filesView().Head, Filter: FileFilter{Run: "10191234", Repository: "acme/forge", Files: []string{"noarch/tide-1.0-0.conda"}}, Kind: kind, Ready: true,
		Files: keptFiles()[:2], Changed: 5, Selected: 6, EndTokens: true, Labels: []string{"main", "rc/15"}, Until: before(-7 * 24 * time.Hour),
		Label: Field{Value: "rc/15"}, To: Field{Value: "main"}, Reason: Field{Value: "the run was taken over"},
	}
}

func yankedPackage() PackageView {
	v := tokenPackage()
	v.MayCurate, v.MayDelete = true, true
	for i := range v.Files {
		v.Files[i].Yanked = &Yanked{At: before(70 * time.Hour), Reason: "Built from a branch."}
		v.Files[i].Labels = []string{"main"}
	}
	v.Versions.Rows[4].Yanked = true
	v.Versions.Rows[4].Cells[0].Yanked = 1
	return v
}

// partlyYanked is a version of which one file is yanked, one corrected, and all are in a label alone.
func partlyYanked() PackageView {
	v := packageView()
	v.MayCurate = true
	for i := range v.Files {
		v.Files[i].Labels, v.Files[i].RunID = []string{"rc/15"}, "10191234"
	}
	v.Files[0].Yanked, v.Files[1].Patched = &Yanked{At: before(time.Hour), Reason: "Broken."}, true
	return v
}

func importedPackage() PackageView {
	v := tokenPackage()
	for i := range v.Files {
		v.Files[i].Origin = Origin{Imported: "https://conda.example.com/old"}
	}
	v.Files = append(v.Files, files(Origin{Member: "mara"})[3:]...)
	return v
}

// addKeeping adds the states of what keepers see and do.
func addKeeping(list map[string]templ.Component, me, anyone Frame) {
	list["files"] = Files(me, filesView())
	refused := filesView()
	refused.Filter, refused.Files, refused.Error = FileFilter{Since: "yesterday", State: "held"}, nil, "\"yesterday\" is no time."
	list["files-refused"] = Files(me, refused)
	list["files-empty"] = Files(me, FilesView{Head: filesView().Head})
	for _, kind := range []string{"yank", "unyank", "delete", "restore", "list", "take_out", "move"} {
		list["curation-"+kind] = Curation(me, curationView(kind))
	}
	steps := curationView("yank")
	steps.More, steps.Cursor, steps.Error, steps.Changed, steps.Files = true, "4711", "Nothing was done.", 1, steps.Files[:1]
	list["curation-steps"] = Curation(me, steps)
	asks := curationView("move")
	asks.Ready, asks.Label, asks.To = false, Field{}, Field{}
	list["curation-asks"] = Curation(me, asks)
	nothing := curationView("unyank")
	nothing.Changed, nothing.Files = 0, nil
	list["curation-nothing"] = Curation(me, nothing)
	list["package-yanked"] = Package(me, yankedPackage())
	list["package-partly-yanked"] = Package(me, partlyYanked())
	list["package-imported"] = Package(anyone, importedPackage())
	labels := channelView()
	labels.Labels = []Label{{"main", 190, 2}, {"rc/15", 5, 0}}
	list["channel-labels"] = Channel(anyone, labels)
}

// What is yanked is said plainly, and offered to nobody.
func TestYankedVersion(t *testing.T) {
	out := string(render(t, Package(frame(""), yankedPackage())))
	for _, want := range []string{"Yanked.", "On 20 Nov 2026: Built from a branch. Lock files that name them keep working.", "Solvers take "} {
		if !strings.Contains(out, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(out, "pixi add") {
		t.Error("a yanked version has commands")
	}
	part := string(render(t, Package(frame(""), partlyYanked())))
	for _, want := range []string{"Yanked: 1 of 5 files.", "conda.acme.dev/forge/label/rc/15", "/forge/label/rc/15/linux-64/ripgrep-15.1.0"} {
		if !strings.Contains(part, want) {
			t.Errorf("the page of a version of a label lacks %q", want)
		}
	}
}
