package test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/test/clients"
)

// TestIndexAsOthersWriteIt holds our index files against those that rattler's indexer and conda-index write for the
// same packages, field by field. Every difference must be one that we mean.
func TestIndexAsOthersWriteIt(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		all := slices.Concat(ordinary(t), odd(t))
		w.fill(t, w.forge, all...)
		ours := map[string]any{"noarch": w.contents(t, "noarch"), "linux-64": w.contents(t, "linux-64")}
		for _, by := range []struct {
			name  string
			means []difference
		}{{"rattler", unlikeRattler}, {"conda-index", unlikeCondaIndex}} {
			t.Run(by.name, func(t *testing.T) {
				var got struct{ Subdirs map[string]any }
				clients.NewUser(t).Drive(t, "reference.py", "--by", by.name, folderOf(t, all)).Into(t, &got)
				wantDifferences(t, differences("", got.Subdirs, ours), by.means)
			})
		}
		for _, via := range []string{"shards", "zst", "json"} {
			t.Run("read via "+via, func(t *testing.T) { w.wantAllRead(t, via, all) })
		}
	})
}

// wantAllRead makes sure that rattler reads every record, for one that it cannot read spoils those beside it.
func (w *world) wantAllRead(t *testing.T, via string, all []parcel) {
	t.Helper()
	args := []string{"query", "--channel", w.channelURL(w.forge), "--via", via}
	want := map[string]bool{}
	for _, p := range all {
		args = append(args, "--spec", nameOf(t, p.file))
		want[stem(p.file)] = true
	}
	var got struct{ Records map[string]record }
	clients.NewUser(t).Drive(t, "read.py", args...).Into(t, &got)
	seen := map[string]bool{}
	for _, r := range got.Records {
		seen[stem(r.FileName)] = true
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("published (-), read (+):\n%s", diff)
	}
}

// stem is a file name without its format: of a build in both, rattler shows one.
func stem(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, conda.ExtConda), conda.ExtTarBz2)
}

// difference is one that we mean: lines of the form "path: theirs → ours" that it covers, and why.
type difference struct{ line, why string }

// everywhere differs from both indexers.
var everywhere = []difference{
	{`/indexed_timestamp: .* → \d{13}$`, "CEP 47: the moment when we listed the file first; theirs is when the folder was indexed, or what the package claims"},
	{`/shard_index/info/(base_url: "" → "\./"$|created_at: )`, "the spelling that every client resolves alike; the moment of the generation"},
	{`/shard_index/shards/[^/]+: `, "hashes of shards that differ in what stands here"},
	{`/oldgeneric-1\.0-0\.tar\.bz2/noarch: true → "generic"$`, "old spelling; a bare true is not in CEP 36"},
	{`/oldgeneric-1\.0-0\.tar\.bz2/timestamp: 1500000000 → 1500000000000$`, "milliseconds always"},
}

var unlikeRattler = slices.Concat(everywhere, []difference{
	{`^/[^/]+/repodata/v3: {} → absent$`, "CEP 48: only with a record that needs it"},
	{`^/[^/]+/repodata/removed: absent → \[\]$`, "CEP 36 has it always"},
	{`^/[^/]+/run_exports: null → {`, "rattler writes no run_exports.json"},
	{`/repodata/packages\.conda/.*/run_exports: {.*} → absent$`, "CEP 21: in shards only, run_exports.json has them for the rest"},
	{`/shards/.*/run_exports: absent → {`, "CEP 21: always, for absent means unknown; rattler has them of .conda files alone"},
	{`/shard_index/version: absent → 1$`, "CEP 16 has it"},
	{`/full-.*/depends: \["_libgcc_mutex ==0\.1 main",.*→ \["_libgcc_mutex 0\.1 main",`, "what the package says, byte for byte"},
	{`/(boastful|assembled).*/(arch|platform): .* → absent$`, "CEP 16: redundant"},
})

var unlikeCondaIndex = slices.Concat(everywhere, []difference{
	{`/shard_index/info/shards_base_url: "" → "\./shards/"$`, "shards lie in a folder of their own"},
	{`^/[^/]+/shards/[^/]+/removed: absent → \[\]$`, "as in repodata.json"},
	{`/oldgeneric-1\.0-0\.tar\.bz2/depends: absent → \[\]$`, "CEP 36 requires it"},
	{`/(oldgeneric|tracked)-1\.0-0\.tar\.bz2/(license|features): null → absent$`, "null is in no field's type"},
	{`/tracked-1\.0-0\.tar\.bz2/track_features: \["a","b"\] → "a b"$`, "one spelling of lists of features"},
	{`/trackedtoo-1\.0-0\.tar\.bz2/track_features: "a,b c" → "a b c"$`, "one spelling of lists of features"},
	{`/boastful-1\.0-0\.conda/(channel|fn|url): .* → absent$`, "the package claims what only an index can know"},
	{`/purled-1\.0-0\.conda/purls: \["pkg:pypi/b@1","pkg:pypi/a@1"\] → \["pkg:pypi/a@1","pkg:pypi/b@1"\]$`, "sorted, as rattler has it"},
	{`/purled-1\.0-0\.conda/unknown: {"a":1} → absent$`, "nobody knows what it would mean"},
})

// wantDifferences makes sure that each difference is meant, and that each that is meant is there.
func wantDifferences(t *testing.T, got []string, means []difference) {
	t.Helper()
	found := make([]bool, len(means))
	for _, line := range got {
		at := slices.IndexFunc(means, func(d difference) bool { return regexp.MustCompile(d.line).MatchString(line) })
		if at < 0 {
			t.Errorf("theirs → ours: %.600s", line)
			continue
		}
		found[at] = true
	}
	for i, d := range means {
		if !found[i] {
			t.Errorf("nothing differs in %s (%s) any more", d.line, d.why)
		}
	}
}

// differences walks two trees of JSON and returns "path: theirs → ours" for every leaf that differs.
func differences(path string, theirs, ours any) []string {
	a, isA := theirs.(map[string]any)
	b, isB := ours.(map[string]any)
	if !isA || !isB {
		if cmp.Equal(theirs, ours) {
			return nil
		}
		return []string{path + ": " + text(theirs) + " → " + text(ours)}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(union(a, b))) {
		at := path + "/" + key
		x, inA := a[key]
		y, inB := b[key]
		switch {
		case !inA:
			lines = append(lines, at+": absent → "+text(y))
		case !inB:
			lines = append(lines, at+": "+text(x)+" → absent")
		default:
			lines = append(lines, differences(at, x, y)...)
		}
	}
	return lines
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// text is v as JSON.
func text(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it came from JSON
	return strings.TrimSpace(b.String())
}

// folderOf lays packages out as indexers want them, SUBDIR/FILE.
func folderOf(t *testing.T, parcels []parcel) string {
	t.Helper()
	folder := t.TempDir()
	for _, p := range parcels {
		if err := os.MkdirAll(filepath.Join(folder, p.subdir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, p.subdir, p.file), p.body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// ordinary are packages as today's tools make them, the last two by rattler-build's own packager.
func ordinary(t *testing.T) []parcel {
	t.Helper()
	full := build.Package{
		Name: "full", Version: "1!2.0.post1+local.1", Build: "h123_4", BuildNumber: 4, Subdir: "noarch", Noarch: "generic",
		Depends: []string{"_libgcc_mutex 0.1 main", "7za >=1,<2|>3", "r-base-4 1.*"}, Constrains: []string{"rival <0a0"},
		License: "MIT AND (Apache-2.0 OR BSD-3-Clause) — Ünïcode & <tags>", TimestampMS: 1_700_000_000_123,
		RunExports: conda.RunExports{
			Weak: []string{"full >=1!2.0"}, Strong: []string{"strong"}, Noarch: []string{"n"},
			WeakConstrains: []string{"w <3"}, StrongConstrains: []string{"s <3"},
		},
	}
	mutex := build.Package{Name: "_libgcc_mutex", Version: "0.1", Build: "main", Subdir: "noarch"}
	sevenZip := build.Package{Name: "7za", Version: "2024a", Build: "0", Subdir: "linux-64"}
	r := build.Package{Name: "r-base-4", Version: "1.1.1w", Build: "0", Subdir: "linux-64"}
	return []parcel{
		pack(t, full, conda.ExtConda), pack(t, full, conda.ExtTarBz2), pack(t, mutex, conda.ExtConda),
		pack(t, sevenZip, conda.ExtTarBz2), pack(t, r, conda.ExtConda),
		assemble(t, "assembled", "Conda"), assemble(t, "assembled-too", "TarBz2"),
	}
}

// assemble has rattler-build make a package.
func assemble(t *testing.T, name, format string) parcel {
	t.Helper()
	var made struct{ Path, File string }
	clients.NewUser(t).Drive(t, "assemble.py", "--name", name, "--version", "3.1", "--build", "h9_0", "--subdir", "linux-64", "--type", format,
		"--field", `depends=["full >=1!1", "__glibc >=2.17"]`, "--field", `license="Apache-2.0"`, "--field", `build_number=7`,
		"--output", t.TempDir()).Into(t, &made)
	body, err := os.ReadFile(made.Path)
	if err != nil {
		t.Fatal(err)
	}
	return parcel{subdir: "linux-64", file: made.File, body: body}
}

// odd are packages with what tools of other days wrote into info/index.json.
func odd(t *testing.T) []parcel {
	t.Helper()
	var parcels []parcel
	for _, o := range []struct{ name, subdir, ext, fields string }{
		{"abi3", "linux-64", conda.ExtConda, `"noarch":"python","python_site_packages_path":"lib/python3.13t/site-packages","depends":[]`},
		{"oldgeneric", "noarch", conda.ExtTarBz2, `"noarch":true,"license":null,"timestamp":1500000000,"arch":null,"platform":null`},
		{"tracked", "noarch", conda.ExtTarBz2, `"track_features":["a","b"],"features":null,"depends":["x"]`},
		{"trackedtoo", "noarch", conda.ExtTarBz2, `"track_features":"a,b c","features":"f","depends":["x"],"license_family":"MIT"`},
		{"purled", "noarch", conda.ExtConda, `"purls":["pkg:pypi/b@1","pkg:pypi/a@1"],"depends":["x"],"unknown":{"a":1}`},
		{"boastful", "noarch", conda.ExtConda, `"depends":[],"md5":"00","sha256":"00","size":7,"indexed_timestamp":5,` +
			`"fn":"x.conda","url":"http://x/","channel":"x","platform":"linux","arch":"x86_64"`},
	} {
		index := fmt.Sprintf(`{"name":%q,"version":"1.0","build":"0","build_number":0,"subdir":%q,%s}`, o.name, o.subdir, o.fields)
		parcels = append(parcels, pack(t, build.Package{
			Name: o.name, Version: "1.0", Build: "0", Subdir: o.subdir, Info: map[string][]byte{"index.json": []byte(index)},
		}, o.ext))
	}
	return parcels
}

// contents reads all index files of a subdir, in the form that the driver reference.py has.
func (w *world) contents(t *testing.T, subdir string) map[string]any {
	t.Helper()
	base := "/forge/" + subdir + "/"
	found := map[string]any{}
	for _, name := range []string{"repodata", "run_exports"} {
		var v any
		if err := json.Unmarshal(w.must(t, base+name+".json"), &v); err != nil {
			t.Fatalf("%s.json: %v", name, err)
		}
		found[name] = v
	}
	index := unpack(t, w.must(t, base+"repodata_shards.msgpack.zst"))
	shards := map[string]any{}
	for name, sum := range index["shards"].(map[string]any) {
		shards[name] = any(unpack(t, w.must(t, fmt.Sprintf("%sshards/%s.msgpack.zst", base, sum))))
	}
	found["shard_index"], found["shards"] = any(index), shards
	return found
}

// must fetches what has to be there.
func (w *world) must(t *testing.T, path string) []byte {
	t.Helper()
	status, _, body := w.Get(t, path, "")
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	return []byte(body)
}

// unpack decodes zstd and msgpack into the types of JSON, with bytes as hex.
func unpack(t *testing.T, packed []byte) map[string]any {
	t.Helper()
	decoder, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	var v map[string]any
	if err := msgpack.NewDecoder(decoder).Decode(&v); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(withHex(v))
	if err == nil {
		v = nil
		err = json.Unmarshal(plain, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func withHex(v any) any {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case map[string]any:
		for key := range v {
			v[key] = withHex(v[key])
		}
	case []any:
		for i := range v {
			v[i] = withHex(v[i])
		}
	}
	return v
}
