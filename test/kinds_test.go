package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
)

// kinds is a channel with every kind of package, and what its keepers did to them.
type kinds struct {
	// main and dev are the packages that the labels list, yanked ones included.
	main, dev []parcel
	// patches is a package that says in the words of other indexers what the keepers did.
	patches parcel
}

// all is every package, each once.
func (k kinds) all() []parcel {
	out := slices.Clone(k.main)
	for _, p := range k.dev {
		if !slices.ContainsFunc(out, func(o parcel) bool { return o.file == p.file }) {
			out = append(out, p)
		}
	}
	return out
}

// every makes the packages, n builds of one name among them.
func every(t *testing.T, n int) kinds {
	t.Helper()
	withdrawn := build.Package{Name: "withdrawn", Version: "1.0", Build: "0", Subdir: "linux-64", Depends: []string{"tracked"}, License: "MIT"}
	later, gone := withdrawn, withdrawn
	later.Version, later.Build = "1.1", "1"
	gone.Name = "gone"
	patched := build.Package{
		Name: "mended", Version: "1.0", Build: "h0_0", Subdir: "noarch", Noarch: "generic", License: "MIT", Depends: []string{"full", "x"}, Constrains: []string{"y <1"},
		Info: map[string][]byte{"index.json": []byte(`{"name":"mended","version":"1.0","build":"h0_0","build_number":0,"subdir":"noarch","noarch":"generic",` +
			`"license":"MIT","depends":["full","x"],"constrains":["y <1"],"track_features":"f"}`)},
	}
	early := build.Package{Name: "early", Version: "2.0rc1", Build: "0", Subdir: "noarch", Noarch: "generic", Depends: []string{"mended"}}
	instructions := build.Package{
		Name: "patches", Version: "1", Build: "0", Subdir: "noarch", Noarch: "generic",
		Files: map[string][]byte{
			"linux-64/patch_instructions.json": []byte(`{"patch_instructions_version":1,"packages":{},"packages.conda":{},` +
				`"remove":["gone-1.0-0.conda","withdrawn-1.1-1.conda"],"revoke":[]}`),
			"noarch/patch_instructions.json": []byte(`{"patch_instructions_version":1,"packages":{},"packages.conda":{"mended-1.0-h0_0.conda":` +
				mending + `},"remove":[],"revoke":[]}`),
		},
	}
	k := kinds{patches: pack(t, instructions, conda.ExtConda)}
	k.dev = []parcel{pack(t, patched, conda.ExtConda), pack(t, early, conda.ExtConda), k.patches}
	k.main = slices.Concat(ordinary(t), odd(t), told(t), exporters(t), revision3(t), builds(t, n), []parcel{
		pack(t, withdrawn, conda.ExtConda), pack(t, later, conda.ExtConda), pack(t, gone, conda.ExtConda), k.dev[0], k.patches,
	})
	return k
}

// mending is what is corrected in the record of mended, in the words of patch instructions.
const mending = `{"depends":["full >=1!2"],"constrains":["y <1","z"],"track_features":null,"license":"BSD-3-Clause","license_family":"BSD"}`

// mended is the same in ours.
func mended() conda.Patch {
	license, family, none := "BSD-3-Clause", "BSD", ""
	return conda.Patch{
		Depends: &[]string{"full >=1!2"}, Constrains: &[]string{"y <1", "z"}, TrackFeatures: &none, License: &license, LicenseFamily: &family,
	}
}

// exporters are packages whose info/run_exports.json has each of the forms that there are.
func exporters(t *testing.T) []parcel {
	t.Helper()
	var parcels []parcel
	for _, e := range []struct{ name, text string }{
		{"exportslist", `["exportslist >=1"]`},
		{"exportsnothing", `{}`},
		{"exportsempty", `{"weak":[],"strong":["exportsempty"]}`},
		{"exportslater", `{"schema_version":2,"noarch":["n"],"weak_constrains":["w <2"],"strong_constrains":["s <2"]}`},
	} {
		parcels = append(parcels, pack(t, build.Package{
			Name: e.name, Version: "1.0", Build: "0", Subdir: "linux-64", Info: map[string][]byte{"run_exports.json": []byte(e.text)},
		}, conda.ExtConda))
	}
	return parcels
}

// revision3 are packages that only readers of revision 3 may see (CEP 48), and one of the same name that all may.
func revision3(t *testing.T) []parcel {
	t.Helper()
	var parcels []parcel
	for _, r := range []struct{ name, version, ext, fields string }{
		{"conditional", "2.0", conda.ExtConda, `"depends":["full[when=\"__unix\"]","tracked"],"license":"MIT"`},
		{"optional", "1.0", conda.ExtTarBz2, `"depends":[],"extra_depends":{"all":["full","tracked[version=\">=1.0\"]"]},"flags":["cuda","blas:mkl"]`},
		{"declared", "1.0", conda.ExtConda, `"depends":["full[extras=[\"all\"]]"],"schema_version":3,"repodata_revision":3`},
		{"conditional", "1.0", conda.ExtConda, `"depends":["full","tracked"]`},
	} {
		index := fmt.Sprintf(`{"name":%q,"version":%q,"build":"0","build_number":0,"subdir":"linux-64",%s}`, r.name, r.version, r.fields)
		parcels = append(parcels, pack(t, build.Package{
			Name: r.name, Version: r.version, Build: "0", Subdir: "linux-64", Info: map[string][]byte{"index.json": []byte(index)},
		}, r.ext))
	}
	return parcels
}

// builds is one name with so many builds, of several versions.
func builds(t *testing.T, n int) []parcel {
	t.Helper()
	var parcels []parcel
	for i := range n {
		parcels = append(parcels, pack(t, build.Package{
			Name: "popular", Version: fmt.Sprintf("3.%d.%d", i/100, i%7), Build: fmt.Sprintf("h%07x_%d", i*7919, i), BuildNumber: uint64(i), Subdir: "linux-64",
			Depends: []string{fmt.Sprintf("full >=%d", i%3)}, TimestampMS: 1_600_000_000_000 + int64(i)*60_000,
		}, conda.ExtTarBz2))
	}
	return parcels
}

// publish uploads the packages and does what the keepers did.
func (k kinds) publish(t *testing.T, w *world) {
	t.Helper()
	w.fill(t, w.forge, k.all()...)
	w.keep(t, curate.Change{Kind: curate.Patch, Patch: mended()}, "noarch/mended-1.0-h0_0.conda")
	w.keep(t, curate.Change{Kind: curate.Yank, Reason: "it sinks"}, "linux-64/withdrawn-1.1-1.conda", "linux-64/gone-1.0-0.conda")
	dev := label(t, "dev")
	w.keep(t, curate.Change{Kind: curate.List, Label: dev}, "noarch/mended-1.0-h0_0.conda", "noarch/early-2.0rc1-0.conda", "noarch/patches-1-0.conda")
	w.keep(t, curate.Change{Kind: curate.TakeOut, Label: conda.MainLabel()}, "noarch/early-2.0rc1-0.conda")
}

// keep changes files of the channel forge as ann, who owns it.
func (w *world) keep(t *testing.T, c curate.Change, paths ...string) {
	t.Helper()
	var s curate.Selection
	for _, path := range paths {
		subdir, file, _ := strings.Cut(path, "/")
		d, err := conda.ParseSubdir(subdir)
		if err != nil {
			t.Fatal(err)
		}
		f, err := conda.ParseFilename(file)
		if err != nil {
			t.Fatal(err)
		}
		s.Files = append(s.Files, curate.Key{Subdir: d, File: f})
	}
	ch, err := w.DB.ChannelByName(t.Context(), w.forge.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&curate.Curator{Store: w.DB}).Do(t.Context(), audit.Actor{Kind: audit.User, Name: "ann"}, ch, s, c); err != nil {
		t.Fatalf("%s of %q: %v", c.Kind, paths, err)
	}
}

// told are packages that tell something of themselves: two versions, a build of the older one that is newer, and
// one from before there was a paths.json.
func told(t *testing.T) []parcel {
	t.Helper()
	paths := func(entries string) []byte { return []byte(`{"paths_version":1,"paths":[` + entries + `]}`) }
	about := func(fields string) []byte { return []byte("{" + fields + "}") }
	first := build.Package{
		Name: "told", Version: "1.9", Build: "0", Subdir: "linux-64", License: "MIT", TimestampMS: 1_500_000_000_000,
		RunExports: conda.RunExports{Weak: []string{"told >=1.9"}},
		Info: map[string][]byte{
			"about.json": about(`"home":"https://example.org/old","summary":"old","description":"two\nlines","dev_url":"https://example.org/dev",` +
				`"tags":["a","b"],"keywords":["k"],"doc_source_url":"https://example.org/src","recipe_origin":"here","license":"never"`),
			"paths.json": paths(`{"_path":"bin/a","prefix_placeholder":"/opt/x","file_mode":"text"}`),
		},
	}
	rebuilt := first
	rebuilt.Build, rebuilt.BuildNumber, rebuilt.TimestampMS = "1", 1, 1_700_000_000_123
	rebuilt.Info = maps.Clone(first.Info)
	rebuilt.Info["paths.json"] = paths(`{"_path":"etc/conda/activate.d/a.sh"},{"_path":"bin/.told-post-link.sh"},{"_path":"bin/.told-pre-unlink.sh"}`)
	second := build.Package{
		Name: "told", Version: "1.10", Build: "0", Subdir: "noarch", Noarch: "generic", License: "BSD-3-Clause", TimestampMS: 1_600_000_000_000,
		RunExports: conda.RunExports{Strong: []string{"told"}, WeakConstrains: []string{"w <2"}},
		Info: map[string][]byte{
			"about.json": about(`"home":"https://example.org/","summary":" new & <better>\n","description":null,"doc_url":"https://example.org/doc",` +
				`"source_git_url":"git@example.org:told.git","identifiers":["doi:10/1"]`),
			"paths.json": paths(`{"_path":"a","prefix_placeholder":"/opt/x","file_mode":"binary"},{"_path":"b","prefix_placeholder":"/opt/x"},{"_path":"c.-pre-link.sh"}`),
		},
	}
	antique := build.Package{
		Name: "antique", Version: "0.1", Build: "0", Subdir: "noarch",
		Info: map[string][]byte{"paths.json": nil, "files": []byte("bin/x\nbin/.antique-post-link.sh\n"), "has_prefix": []byte("bin/x\n")},
	}
	return []parcel{
		pack(t, first, conda.ExtTarBz2), pack(t, rebuilt, conda.ExtConda), pack(t, second, conda.ExtConda), pack(t, antique, conda.ExtTarBz2),
	}
}
