package artifact_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
)

// withIndex reads a package whose index.json is b.
func withIndex(t *testing.T, b []byte) (*artifact.Package, error) {
	t.Helper()
	return read(t, condaOf(zst(tarOf(tarFile{path: "info/index.json", data: string(b)})), nil), stem+".conda", limits())
}

type fields = map[string]any

func TestIndexFields(t *testing.T) {
	t.Parallel()
	linux, _ := conda.ParseSubdir("linux-64")
	win32, _ := conda.ParseSubdir("win-32")
	ms := now.UnixMilli()
	for _, tt := range []struct {
		name string
		in   fields
		want func(p *artifact.Package)
	}{
		{"plain", nil, nil},
		{"depends missing", fields{"depends": nil}, nil},
		{"depends", fields{"depends": []string{"A", "foo 1.0|2.0*", "b <2 ", "b <2 "}}, func(p *artifact.Package) { p.Record.Depends = []string{"A", "foo 1.0|2.0*", "b <2 ", "b <2 "} }},
		{"constrains", fields{"constrains": []string{"a >1"}}, func(p *artifact.Package) { p.Record.Constrains = []string{"a >1"} }},
		{"build number", fields{"build_number": uint64(1)<<63 - 1}, func(p *artifact.Package) { p.Record.BuildNumber = 1<<63 - 1 }},
		{"noarch true", fields{"noarch": true}, func(p *artifact.Package) { p.Record.Noarch = "generic" }},
		{"noarch false", fields{"noarch": false}, nil},
		{"noarch empty", fields{"noarch": ""}, nil},
		{"noarch python in linux-64", fields{"noarch": "python"}, func(p *artifact.Package) { p.Record.Noarch = "python" }},
		{"noarch generic", fields{"noarch": "generic"}, func(p *artifact.Package) { p.Record.Noarch = "generic" }},
		{"subdir noarch without noarch", fields{"subdir": "noarch"}, func(p *artifact.Package) { p.Record.Subdir = conda.Noarch() }},
		{"ancient linux", fields{"subdir": nil, "platform": "linux", "arch": "x86_64"}, nil},
		{"ancient windows", fields{"subdir": nil, "platform": "win", "arch": "x86"}, func(p *artifact.Package) { p.Record.Subdir = win32 }},
		{"seconds", fields{"timestamp": ms / 1000}, func(p *artifact.Package) { p.Record.TimestampMS = ms }},
		{"milliseconds", fields{"timestamp": ms}, func(p *artifact.Package) { p.Record.TimestampMS = ms }},
		{"ten minutes ahead", fields{"timestamp": ms + 600_000}, func(p *artifact.Package) { p.Record.TimestampMS = ms + 600_000 }},
		{"timestamp zero", fields{"timestamp": 0}, nil},
		{"timestamp float", fields{"timestamp": 1_500_000_000.25}, func(p *artifact.Package) { p.Record.TimestampMS = 1_500_000_000_250 }},
		{"license", fields{"license": "MIT", "license_family": "BSD"}, func(p *artifact.Package) { p.Record.License, p.Record.LicenseFamily = "MIT", "BSD" }},
		{"license list", fields{"license": []string{"MIT", "BSD"}}, func(p *artifact.Package) { p.Record.License = "MIT, BSD" }},
		{"license with marks", fields{"license": "M\u202eIT\n"}, func(p *artifact.Package) { p.Record.License = "MIT" }},
		{"track_features list", fields{"track_features": []string{"a", "b"}}, func(p *artifact.Package) { p.Record.TrackFeatures = "a b" }},
		{"track_features text", fields{"track_features": "a, b  c"}, func(p *artifact.Package) { p.Record.TrackFeatures = "a b c" }},
		{"track_features empty", fields{"track_features": "", "features": ""}, nil},
		{"features", fields{"features": "mkl"}, func(p *artifact.Package) { p.Record.Features = "mkl" }},
		{"site packages", fields{"python_site_packages_path": "lib/python3.13t/site-packages"}, func(p *artifact.Package) { p.Record.PythonSitePackagesPath = "lib/python3.13t/site-packages" }},
		{"purls", fields{"purls": []any{"pkg:pypi/b@1.0%2B2?x=y", "pkg:pypi/a", "pkg:pypi/a", 7, "b", "pkg:pypi/@1", "pkg:pypi/a b", "pkg:pypi/%zz", "pkg:pypi/a%2F", "pkg:a", "pkg:/x", "pkg:pypi/a?x", "pkg:pypi/a?x=1&x=2", "pkg:pypi/a?checksum=ab"}},
			func(p *artifact.Package) { p.Record.Purls = []string{"pkg:pypi/a", "pkg:pypi/b@1.0%2B2?x=y"} }},
		{"purls text", fields{"purls": "pkg:pypi/a"}, nil},
		{"extras", fields{"extra_depends": fields{"g.+-_9": []string{"a"}, "h": []string{}}}, func(p *artifact.Package) {
			p.Record.ExtraDepends = map[string][]string{"g.+-_9": {"a"}, "h": nil}
		}},
		{"extras, old spelling", fields{"extra-depends": fields{"g": []string{"a"}}}, func(p *artifact.Package) { p.Record.ExtraDepends = map[string][]string{"g": {"a"}} }},
		{"extras empty", fields{"extra_depends": fields{}}, nil},
		{"flags", fields{"flags": []string{"cuda", "blas:mkl"}}, func(p *artifact.Package) { p.Record.Flags = []string{"cuda", "blas:mkl"} }},
		{"schema_version", fields{"schema_version": 1}, func(p *artifact.Package) { p.SchemaVersion = 1 }},
		{"both revisions", fields{"schema_version": 1, "repodata_revision": 3}, func(p *artifact.Package) { p.SchemaVersion = 3 }},
		{"what the index owns", fields{"md5": "0", "sha256": "1", "size": -1, "indexed_timestamp": 5, "run_exports": fields{"weak": []string{"a"}},
			"fn": 1, "url": "x", "channel": "c", "attestations_sha256": "2", "revoked": true, "legacy_bz2_md5": "3"}, nil},
		{"other keys", fields{"Name": "evil", "NAME": 1, "arch": nil, "ucs": 4, "has_prefix": true}, nil},
		{"nulls", fields{"constrains": jsonNull, "depends": jsonNull, "noarch": jsonNull, "timestamp": jsonNull, "license": jsonNull, "license_family": jsonNull, "features": jsonNull,
			"track_features": jsonNull, "python_site_packages_path": jsonNull, "purls": jsonNull, "extra_depends": jsonNull, "flags": jsonNull, "schema_version": jsonNull}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := index(tt.in)
			got, err := withIndex(t, raw)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			want := &artifact.Package{Record: conda.Record{Name: "x-y", Version: "1.0", Build: "h0_0", Subdir: linux}, RawIndex: raw}
			if tt.want != nil {
				tt.want(want)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b conda.Subdir) bool { return a == b })); diff != "" {
				t.Errorf("package (-want +got):\n%s", diff)
			}
		})
	}
}

// jsonNull is a null that index does not leave out.
var jsonNull *int

func TestIndexRefusals(t *testing.T) {
	t.Parallel()
	ms := now.UnixMilli()
	for _, tt := range []struct {
		in  fields
		why string
	}{
		{fields{"name": "x"}, `info/index.json: "name" is "x", but the file name x-y-1.0-h0_0.conda says "x-y"`},
		{fields{"name": "X-Y"}, `"name" is "X-Y"`},
		{fields{"name": nil}, `"name" is ""`},
		{fields{"name": 1}, `"name" is a number; it must be a string`},
		{fields{"version": "1.0.0"}, `"version" is "1.0.0"`},
		{fields{"version": 1.0}, `"version" is a number`},
		{fields{"build": "H0_0"}, `"build" is "H0_0"`},
		{fields{"build_number": "0"}, `"build_number" is "\"0\""`},
		{fields{"build_number": nil}, `"build_number" is missing`},
		{fields{"build_number": jsonNull}, `"build_number" is missing`},
		{fields{"build_number": -1}, `"build_number" is "-1"`},
		{fields{"build_number": 1.5}, `"build_number" is "1.5"`},
		{fields{"build_number": uint64(1) << 63}, `"build_number" is "9223372036854775808"`},
		{fields{"subdir": nil}, `"subdir" is missing`},
		{fields{"subdir": nil, "platform": "linux"}, `"subdir" is missing`},
		{fields{"subdir": "linux-64/../noarch"}, `subdir "linux-64/../noarch" is neither`},
		{fields{"subdir": []string{"linux-64"}}, `"subdir" is a list; it must be a string`},
		{fields{"noarch": "foo"}, `"noarch" is "\"foo\""`},
		{fields{"noarch": "Python"}, `"noarch" is`},
		{fields{"noarch": 1}, `"noarch" is "1"`},
		{fields{"depends": "a"}, `"depends" must be a list of strings`},
		{fields{"depends": []any{"a\x00 <0"}}, `holds a NUL character`},
		{fields{"constrains": []any{"\x00"}}, `holds a NUL character`},
		{fields{"track_features": "a\x00"}, `holds a NUL character`},
		{fields{"depends": []any{"a", 1}}, `"depends" must be a list of strings`},
		{fields{"depends": []any{"a", nil}}, `"depends" must be a list of strings; it holds a null`},
		{fields{"depends": fields{"a": "b"}}, `"depends" must be a list of strings`},
		{fields{"constrains": 7}, `"constrains" must be a list of strings`},
		{fields{"timestamp": ms + 600_001}, `lies in the future`},
		{fields{"timestamp": ms/1000 + 601}, `lies in the future`},
		{fields{"timestamp": 4_102_444_800}, `lies in the future`}, // 2100
		{fields{"timestamp": 1e300}, `lies in the future`},
		{fields{"timestamp": -1}, `must not be negative`},
		{fields{"timestamp": "2024"}, `"timestamp" is a string; it must be a number`},
		{fields{"license": true}, `"license" is true or false`},
		{fields{"track_features": []any{1}}, `"track_features" must be a list of strings`},
		{fields{"python_site_packages_path": "../x"}, `must not climb out`},
		{fields{"python_site_packages_path": `lib\..\..\x`}, `must not climb out`},
		{fields{"python_site_packages_path": "/lib"}, `must be a relative path`},
		{fields{"python_site_packages_path": `\lib`}, `must be a relative path`},
		{fields{"python_site_packages_path": "C:lib"}, `must be a relative path`},
		{fields{"extra_depends": []string{"a"}}, `"extra_depends" is a list; it must be an object`},
		{fields{"extra_depends": fields{"Big": []string{}}}, `has the extra "Big"`},
		{fields{"extra_depends": fields{"": []string{}}}, `has the extra ""`},
		{fields{"extra_depends": fields{strings.Repeat("a", 65): []string{}}}, `has the extra`},
		{fields{"extra_depends": fields{"g": "a"}}, `must be an object of lists of strings`},
		{fields{"flags": []string{"Cuda"}}, `"flags" has "Cuda"`},
		{fields{"flags": []string{"a:b:c"}}, `"flags" has`},
		{fields{"flags": []string{"a:"}}, `"flags" has`},
		{fields{"flags": "a"}, `"flags" must be a list`},
		{fields{"schema_version": 4}, `"schema_version" is 4; this server knows revisions up to 3`},
		{fields{"repodata_revision": 4}, `"repodata_revision" is 4`},
		{fields{"repodata_revision": "3"}, `must be a whole number`},
		{fields{"repodata_revision": -1}, `must be a whole number`},
	} {
		t.Run(fmt.Sprint(tt.in), func(t *testing.T) {
			t.Parallel()
			_, err := withIndex(t, index(tt.in))
			wantRefusal(t, err, tt.why)
		})
	}
}

func TestIndexText(t *testing.T) {
	t.Parallel()
	good := string(index(nil))
	for _, tt := range []struct{ in, why string }{
		{good, ""},
		{" \n" + good + "\r\n\t", ""},
		{good[:len(good)-1] + `,"Name":"z"}`, ""},
		{good[:len(good)-1] + `,"name":"x-y"}`, `info/index.json: it has the key "name" twice`},
		{good[:len(good)-1] + `,"n\u0061me":"x-y"}`, `it has the key "name" twice`},
		{good[:len(good)-1] + `,"a":{"b":1,"b":1}}`, `it has the key "b" twice`},
		{good[:len(good)-1] + `,"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + "}", ""},
		{good[:len(good)-1] + `,"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", "nested more than 64 deep"},
		{"\ufeff" + good, "byte order mark"},
		{good + "x", "there is more after"},
		{good + good, "there is more after"},
		{good[:len(good)-1] + ",\"a\":\"\xff\"}", "not UTF-8"},
		{good[:len(good)-1] + ",\"a\":\"\xed\xa0\x80\"}", "not UTF-8"},
		{good[:len(good)-1] + `,"a":"\ud800"}`, "not valid JSON"},
		{good[:len(good)-1] + `,"a":"\ud83d\ude00"}`, ""},
		{good[:len(good)-1] + `,"a":NaN}`, "not valid JSON"},
		{good[:len(good)-1] + `,}`, "not valid JSON"},
		{good[:len(good)-1], "not valid JSON"},
		{"[" + good + "]", "it is not a JSON object"},
		{"null", "it is not a JSON object"},
		{"", "it is not a JSON object"},
		{"{}", `"name" is ""`},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			_, err := withIndex(t, []byte(tt.in))
			if tt.why == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if tt.why != "" {
				wantRefusal(t, err, tt.why)
			}
		})
	}
}

func TestRunExports(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, why string
		want    conda.RunExports
	}{
		{in: `{}`},
		{in: `[]`},
		{in: ` ["a >=1"]`, want: conda.RunExports{Weak: []string{"a >=1"}}},
		{in: `{"weak":["a"],"strong":["b"],"noarch":["c"],"weak_constrains":["d"],"strong_constrains":["e"],"schema_version":2,"host_to_run":["f"]}`,
			want: conda.RunExports{Weak: []string{"a"}, Strong: []string{"b"}, Noarch: []string{"c"}, WeakConstrains: []string{"d"}, StrongConstrains: []string{"e"}}},
		{in: `{"weak":null,"strong":[]}`},
		{in: `{"weak":"a"}`, why: `info/run_exports.json: "weak" must be a list of strings`},
		{in: `[1]`, why: "must be a list of strings"},
		{in: `["a",null]`, why: "holds a null"},
		{in: `"a"`, why: "it is not a JSON object"},
		{in: `[] []`, why: "there is more after"},
		{in: ``, why: "it is not a JSON object"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, bz2(tarOf(tarFile{path: "info/run_exports.json", data: tt.in}, good())), stem+".tar.bz2", limits())
			if tt.why != "" {
				wantRefusal(t, err, tt.why)
				return
			}
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(tt.want, got.RunExports); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAbout(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 400)
	for _, tt := range []struct {
		in   string
		want artifact.About
	}{
		{`{}`, artifact.About{}},
		{`{"home":"https://example.org/ü","dev_url":["javascript:alert(1)","http://a.b/c"],"doc_url":null,"summary":"Größe\u0000\u001b[31m <b>","license":"MIT","source_url":"ftp://x.y"}`,
			artifact.About{Home: "https://example.org/ü", DevURL: "http://a.b/c", Summary: "Größe[31m <b>", License: "MIT"}},
		{`{"home":"https://user@example.org","dev_url":"https://","doc_url":"//example.org","source_url":"HTTPS://Example.org"}`, artifact.About{SourceURL: "HTTPS://Example.org"}},
		{`{"home":"https://example.org/\u202etxt.exe"}`, artifact.About{}},
		{`{"description":["a","b\tc"],"summary":["a","b"]}`, artifact.About{Description: "a\nb\tc", Summary: "a b"}},
		{`{"description":7,"summary":{"a":1},"home":[1]}`, artifact.About{}},
		{`{"summary":"` + long + `"}`, artifact.About{Summary: strings.Repeat("é", 254) + "…"}},
		{`{"doc_source_url":["x","https://a.b/src"],"icon_url":"http://a.b/i.png","source_git_url":"git@a.b:c\n.git","recipe_origin":" r ","tags":["a","","b\n"],"identifiers":"doi:1\n","keywords":null}`,
			artifact.About{DocSourceURL: "https://a.b/src", IconURL: "http://a.b/i.png", SourceGitURL: "git@a.b:c .git", RecipeOrigin: "r", Tags: []string{"a", "b"}, Identifiers: []string{"doi:1"}}},
		{`{"tags":[1],"identifiers":{"a":"b"},"keywords":"` + strings.Repeat(`k\n`, 65) + `"}`, artifact.About{Keywords: slices.Repeat([]string{"k"}, 64)}},
		{`{"summary":"👩\u200d💻 \u2066x"}`, artifact.About{Summary: "👩\u200d💻 x"}},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, bz2(tarOf(good(), tarFile{path: "info/about.json", data: tt.in})), stem+".tar.bz2", limits())
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(tt.want, got.About); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	check(t, bz2(tarOf(good(), tarFile{path: "info/about.json", data: `{"a":1,"a":2}`})), stem+".tar.bz2", `info/about.json: it has the key "a" twice`)
}

func TestPathsJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, why string
		want    int
	}{
		{in: `{"paths":[],"paths_version":1}`},
		{in: `{"other":[1,2,3],"a":{"paths":[1,2,3,4]},"paths":[{"_path":"bin/x"},{"_path":"bin/y"}]}`, want: 2},
		{in: `{"paths":7}`},
		{in: `{"paths":[{"_path":"a","_path":"b"}]}`, why: `info/paths.json: it has the key "_path" twice`},
		{in: `{"paths":[1,]}`, why: "info/paths.json: it is not valid JSON"},
		{in: `[]`, why: "info/paths.json: it is not a JSON object"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, bz2(tarOf(good(), tarFile{path: "info/paths.json", data: tt.in})), stem+".tar.bz2", limits())
			if tt.why != "" {
				wantRefusal(t, err, tt.why)
				return
			}
			if err != nil || got.Files != tt.want {
				t.Errorf("= %+v, %v; want %d files", got, err, tt.want)
			}
		})
	}
}

func TestTheClockIsNeeded(t *testing.T) {
	t.Parallel()
	lim := limits()
	lim.Now = time.Time{}
	if _, err := read(t, condaOf(nil, nil), stem+".conda", lim); err == nil {
		t.Error("a package was read without a clock")
	}
}
