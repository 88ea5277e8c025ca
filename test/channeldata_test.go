package test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/test/clients"
)

// TestChannelDataAsOthersWriteIt holds our channeldata.json against that which conda-index writes for the same
// packages, field by field. Every difference must be one that we mean.
func TestChannelDataAsOthersWriteIt(t *testing.T) {
	t.Parallel()
	all := slices.Concat(ordinary(t), odd(t), told(t))
	var got struct{ ChannelData any }
	clients.NewUser(t).Drive(t, "reference.py", "--by", "conda-index", folderOf(t, all)).Into(t, &got)
	both(t, func(t *testing.T, w *world) {
		w.fill(t, w.forge, all...)
		var ours any
		if err := json.Unmarshal(w.must(t, "/forge/channeldata.json"), &ours); err != nil {
			t.Fatal(err)
		}
		wantDifferences(t, differences("", got.ChannelData, ours), []difference{
			{`^/packages/told/timestamp: 1600000000 → 1700000000$`, "CEP 38: the latest of all records; theirs is that of the record which it read last"},
			{`^/packages/told/text_prefix: false → true$`, "CEP 38: what any artifact has; theirs looks only at the newest of each version"},
			{`^/packages/antique/(post_link|text_prefix): false → true$`, "packages without a paths.json tell it in files and has_prefix"},
		})
	})
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

// readParcel reads a package as an upload does.
func readParcel(t *testing.T, p parcel) *artifact.Package {
	t.Helper()
	f, err := conda.ParseFilename(p.file)
	if err != nil {
		t.Fatal(err)
	}
	lim := artifact.DefaultLimits()
	lim.Now = time.Now()
	pkg, err := artifact.Read(t.Context(), bytes.NewReader(p.body), int64(len(p.body)), f, lim)
	if err != nil {
		t.Fatalf("%s: %v", p.file, err)
	}
	return pkg
}
