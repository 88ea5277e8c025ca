package conda_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/internal/conda"
)

func TestPatchJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, out string }{
		{`{}`, `{}`},
		{`{"depends":["a <1"],"constrains":null,"license":"MIT"}`, `{"constrains":[],"depends":["a <1"],"license":"MIT"}`},
		{`{"depends":null,"license":null,"license_family":"","features":null,"purls":null}`, `{"depends":[],"features":null,"license":null,"license_family":null,"purls":[]}`},
		{`{"track_features":"a, b  c","features":["x","y"]}`, `{"features":"x y","track_features":"a b c"}`},
		{`{"track_features":[]}`, `{"track_features":null}`},
		{`{"purls":["pkg:pypi/b","pkg:pypi/a","pkg:pypi/b"]}`, `{"purls":["pkg:pypi/a","pkg:pypi/b"]}`},
		{`{"run_exports":{"weak":["a"],"strong":[],"weak_constrains":["w"]}}`, `{"run_exports":{"weak":["a"],"weak_constrains":["w"]}}`},
		{`{"run_exports":null}`, `{"run_exports":{}}`},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			var p conda.Patch
			if err := json.Unmarshal([]byte(tt.in), &p); err != nil {
				t.Fatalf("refused: %v", err)
			}
			if p.IsZero() != (tt.in == "{}") {
				t.Errorf("IsZero = %v", p.IsZero())
			}
			if out, err := p.MarshalJSON(); err != nil || string(out) != tt.out {
				t.Errorf("= %s, %v; want %s", out, err, tt.out)
			}
		})
	}
}

func TestPatchRefusals(t *testing.T) {
	t.Parallel()
	for in, why := range map[string]string{
		`[]`:                                  "is not a JSON object",
		`null`:                                "is not a JSON object",
		`{"version":"2"}`:                     `patch "version" is no field that a patch can change; those are depends,`,
		`{"sha256":"00"}`:                     "is no field that a patch can change",
		`{"Depends":[]}`:                      "is no field that a patch can change",
		`{"timestamp":1}`:                     "is no field that a patch can change",
		`{"depends":[],"depends":[]}`:         `patch "depends" is given twice`,
		`{"depends":"a"}`:                     "must be a list of strings",
		`{"depends":["a",null]}`:              "without nulls",
		`{"depends":["a\u0000"]}`:             "NUL",
		`{"features":"a\u0000"}`:              "NUL",
		`{"track_features":1}`:                "must be a string, a list of strings, or null",
		`{"license":["a"]}`:                   "must be a string",
		`{"license":"a\nb"}`:                  "single line",
		`{"license":"` + long(513) + `"}`:     "at most 512 bytes",
		`{"purls":["pypi/a"]}`:                `has "pypi/a", which is no package URL`,
		`{"run_exports":["a"]}`:               "must be an object of lists",
		`{"run_exports":{"mild":["a"]}}`:      `has "mild"; its keys are weak,`,
		`{"run_exports":{"weak":["a",null]}}`: "without nulls",
	} {
		var p conda.Patch
		err := json.Unmarshal([]byte(in), &p)
		wantSyntax(t, err, "patch", why)
		if !p.IsZero() {
			t.Errorf("%s left %+v behind", in, p)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestPatchApply(t *testing.T) {
	t.Parallel()
	patch := func(s string) (p conda.Patch) {
		t.Helper()
		if err := json.Unmarshal([]byte(s), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	own := full(t)
	own.Flags, own.ExtraDepends = nil, nil
	re := conda.RunExports{Weak: []string{"x"}}

	want := own
	want.Depends, want.License, want.Purls = []string{"b"}, "", nil
	got, exports, err := patch(`{"depends":["b"],"license":null,"purls":[],"run_exports":{"strong":["s"]}}`).Apply(own, re, false)
	if diff := conda.Diff(want, got); err != nil || diff != nil || !cmp.Equal(exports, conda.RunExports{Strong: []string{"s"}}) {
		t.Errorf("applied: %q, %+v, %v", diff, exports, err)
	}
	if got, exports, err := (conda.Patch{}).Apply(own, re, false); err != nil || !got.Equal(own) || !cmp.Equal(exports, re) {
		t.Errorf("the empty patch: %+v, %+v, %v", got, exports, err)
	}

	conditional := patch(`{"constrains":["c[when=\"x\"]"]}`)
	if _, _, err := conditional.Apply(own, re, false); err == nil {
		t.Error("a package that old clients see was given a condition")
	} else {
		wantSyntax(t, err, "dependency", "a patch cannot change that")
	}
	own.Depends = []string{"a"} // canonical, as packages of v3 are
	if got, _, err := conditional.Apply(own, re, true); err != nil || !got.NeedsV3() {
		t.Errorf("a package of v3 was not given a condition: %+v, %v", got, err)
	}
	_, _, err = patch(`{"depends":["b >=1"]}`).Apply(own, re, true)
	wantSyntax(t, err, "dependency", "not in the form that repodata v3 asks for")
}

func TestPatchBetween(t *testing.T) {
	t.Parallel()
	own, published := full(t), full(t)
	own.MD5, own.SHA256, own.Size, own.IndexedMS, own.AttestationsSHA256 = [16]byte{}, [32]byte{}, 0, 0, [32]byte{1}
	if p, err := conda.PatchBetween(own, published); err != nil || !p.IsZero() {
		t.Errorf("hashes and size made the patch %+v, %v", p, err)
	}
	published.BuildNumber, published.Noarch, published.Depends = 9, "", nil
	_, err := conda.PatchBetween(own, published)
	e, ok := errors.AsType[*conda.UnpatchableError](err)
	if want := []string{"build_number: 2 → 9", `noarch: "python" → ""`}; !ok || !cmp.Equal(e.Differences, want) || !strings.Contains(e.Error(), want[0]) {
		t.Errorf("error = %v, want differences %q", err, want)
	}
}

// Whatever two indexes say in the fields that can be patched, the patch between them, through its JSON and
// back, turns the one into the other.
func TestPatchBetweenIsExact(t *testing.T) {
	t.Parallel()
	text := rapid.SampledFrom([]string{"", "a", "b c", "ü"})
	list := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b >=1", "c <2,!=1"}), 0, 2)
	draw := func(t *rapid.T, label string) conda.Record {
		return conda.Record{
			Name: "x", Depends: list.Draw(t, label+" depends"), Constrains: list.Draw(t, label+" constrains"),
			License: text.Draw(t, label+" license"), LicenseFamily: text.Draw(t, label+" family"),
			Features: text.Draw(t, label+" features"), TrackFeatures: text.Draw(t, label+" track"),
			Purls: rapid.SampledFrom([][]string{nil, {"pkg:pypi/a"}, {"pkg:pypi/a", "pkg:pypi/b"}}).Draw(t, label+" purls"),
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		own, published := draw(t, "own"), draw(t, "published")
		p, err := conda.PatchBetween(own, published)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back conda.Patch
		if err := json.Unmarshal(raw, &back); err != nil || !cmp.Equal(p, back, cmpopts.EquateEmpty()) {
			t.Fatalf("%s came back as %+v, %v", raw, back, err)
		}
		got, _, err := back.Apply(own, conda.RunExports{}, false)
		if diff := conda.Diff(published, got); err != nil || diff != nil {
			t.Fatalf("%s: %q, %v", raw, diff, err)
		}
		if p.IsZero() != own.Equal(published) {
			t.Fatalf("the patch between equal records is %s", raw)
		}
	})
}

// A patch that is taken can be laid out in an index that all clients read: no NUL, valid package URLs, one
// line of license; and it is written as it was read.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{`{"depends":["a"],"purls":["pkg:pypi/a"]}`, `{"run_exports":{"weak":["a"]}}`, `{"track_features":"a,b","license":null}`, `{"depends":[],"depends":[]}`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p conda.Patch
		if err := p.UnmarshalJSON(raw); err != nil {
			if _, ok := errors.AsType[*conda.SyntaxError](err); !ok {
				t.Fatalf("error = %v, want a SyntaxError", err)
			}
			return
		}
		out, err := p.MarshalJSON()
		if err != nil || strings.Contains(string(out), `\u0000`) && !strings.Contains(string(out), `\\u0000`) {
			t.Fatalf("written as %s, %v", out, err)
		}
		var back conda.Patch
		if err := back.UnmarshalJSON(out); err != nil || !cmp.Equal(p, back, cmpopts.EquateEmpty()) {
			t.Errorf("%s became %s, which is read as %+v, %v", raw, out, back, err)
		}
	})
}
