package test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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

// manyBuilds is how many builds the most popular name has.
var manyBuilds = flag.Int("builds", 150, "builds of one name in the comparison with other indexers; some names of large channels have 5000")

// TestIndexAsOthersWriteIt holds all that we serve of a channel against what rattler's indexer and conda-index write
// for the same packages and corrections, field by field. Every difference must be one that we mean, and stand in the
// manual.
func TestIndexAsOthersWriteIt(t *testing.T) {
	t.Parallel()
	k := every(t, *manyBuilds)
	theirs := map[string]map[string]any{}
	for _, by := range []string{"rattler", "conda-index"} {
		for label, parcels := range map[string][]parcel{"main": k.main, "dev": k.dev} {
			if by == "rattler" { // it indexes nothing at all of a folder with one of these
				parcels = slices.DeleteFunc(slices.Clone(parcels), func(p parcel) bool { return strings.HasPrefix(p.file, "exportslist-") })
			}
			var got map[string]any
			clients.NewUser(t).Drive(t, "reference.py", "--by", by, "--patches", k.patches.file, folderOf(t, parcels)).Into(t, &got)
			delete(got, "ok")
			theirs[by+" "+label] = got
		}
	}
	both(t, func(t *testing.T, w *world) {
		k.publish(t, w)
		ours := map[string]any{
			"main": w.channel(t, "/forge", "noarch", "linux-64"),
			"dev":  w.channel(t, "/forge/label/dev", "noarch"),
		}
		for _, by := range []struct {
			name  string
			means []difference
		}{{"rattler", unlikeRattler}, {"conda-index", unlikeCondaIndex}} {
			t.Run(by.name, func(t *testing.T) {
				lines := differences("/main", theirs[by.name+" main"], ours["main"])
				lines = append(lines, differences("/dev", theirs[by.name+" dev"], ours["dev"])...)
				wantDifferences(t, lines, by.means)
			})
		}
		for _, via := range []string{"shards", "zst", "json"} {
			t.Run("read via "+via, func(t *testing.T) { w.wantAllRead(t, via, k.main, "gone-1.0-0.conda", "withdrawn-1.1-1.conda") })
		}
	})
}

// channel is everything that we serve at an address of a channel, in the form that the driver reference.py has.
func (w *world) channel(t *testing.T, base string, subdirs ...string) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, d := range subdirs {
		found[d] = w.contents(t, base, d)
	}
	return map[string]any{
		"subdirs": found, "channeldata": w.json(t, base+"/channeldata.json"), "notices": w.json(t, base+"/notices.json"),
	}
}

// json fetches a file of JSON.
func (w *world) json(t *testing.T, path string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(w.must(t, path), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// wantAllRead makes sure that rattler reads every record, for one that it cannot read spoils those beside it, and hears
// of those that are removed.
func (w *world) wantAllRead(t *testing.T, via string, all []parcel, removed ...string) {
	t.Helper()
	args := []string{"query", "--channel", w.channelURL(w.forge), "--via", via}
	want := map[string]bool{}
	for _, p := range all {
		args = append(args, "--spec", nameOf(t, p.file))
		if !slices.Contains(removed, p.file) {
			want[stem(p.file)] = true
		}
	}
	var got struct {
		Records map[string]record
		Removed map[string]string
	}
	clients.NewUser(t).Drive(t, "read.py", args...).Into(t, &got)
	seen := map[string]bool{}
	for _, r := range got.Records {
		seen[stem(r.FileName)] = true
	}
	if told := len(got.Removed); told != len(removed) && via == "shards" { // elsewhere it looks at no removed files
		t.Errorf("told of %d removed files, want %q: %v", told, removed, got.Removed)
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("published (-), read (+):\n%s", diff)
	}
}

// stem is a file name without its format: of a build in both, rattler shows one.
func stem(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, conda.ExtConda), conda.ExtTarBz2)
}

// difference is one that we mean: patterns of lines "path: theirs → ours" that it covers, and why. The table in
// docs/format.md has a row for each why.
type difference struct {
	why   string
	lines []string
}

// everywhere differs from both indexers.
var everywhere = []difference{
	{whenListed, []string{`/indexed_timestamp: .* → \d{13}$`}},
	{"every client resolves relative addresses alike; the time is that of the generation, the same on every server", []string{
		`/shard_index/info/base_url: "" → "\./"$`, `/shard_index/info/created_at: `,
	}},
	{"a shard is named by its hash, and differs where a record does", []string{`/shard_index/shards/[^/]+: `}},
	{"`true` is the old spelling, and in no schema (CEP 36)", []string{`/oldgeneric-1\.0-0\.tar\.bz2/noarch: true → "generic"$`}},
	{"milliseconds always, lest clients guess", []string{`/oldgeneric-1\.0-0\.tar\.bz2/timestamp: 1500000000 → 1500000000000$`}},
	{"a 404 for each read would fill clients' logs (CEP 6)", []string{`^/(main|dev)/notices: absent → {"notices":\[\]}$`}},
	{needsV3, []string{`/repodata/packages/optional-1\.0-0\.tar\.bz2: {.* → absent$`, `/shards/optional/packages/optional-1\.0-0\.tar\.bz2: {.* → absent$`, `/shards/optional/v3: absent → `}},
}

// Reasons that cover what either indexer does in its own way.
const (
	whenListed = "the moment in which this label first listed the file, by the server's clock, kept for ever (CEP 47)"
	needsV3    = "records whose conditions, extras or flags older clients cannot read are for readers of revision 3 alone, all others for everybody (CEP 48)"
	yanked     = "what is yanked is for no solver; its name stays, and its bytes (CEP 36)"
	asInFlat   = "written always, so that a reader need not tell absent from empty"
	verbatim   = "what the package says, byte for byte"
)

var unlikeRattler = slices.Concat(everywhere, []difference{
	{asInFlat, []string{`/repodata/removed: absent → \[\]$`, `/shards/(conditional|declared)/v3/tar\.bz2: absent → {}$`}},
	{needsV3, []string{
		`^/(main|dev)/subdirs/noarch/repodata/v3: {} → absent$`, `/repodata/v3/tar\.bz2: absent → {"optional-1\.0-0"`, `/info/repodata_revisions/v3/n_packages: 2 → 3$`,
	}},
	{"CEP 16 has it", []string{`/shard_index/version: absent → 1$`}},
	{"they would have to be read from all records", []string{`/info/repodata_revisions/v3/(newest|oldest): \d+ → absent$`}},
	{"CEP 12; builders ask for it", []string{`/run_exports: null → {"info"`}},
	{"CEP 38; web sites read it", []string{`^/(main|dev)/channeldata: null → {"channeldata_version":1`}},
	{"flat files have them in run_exports.json (CEP 12), shards in each record (CEP 21), where absent means unknown", []string{
		`/repodata/packages\.conda/.*/run_exports: {.*} → absent$`, `/shards/.*/run_exports: absent → {`,
	}},
	{"a list is the old spelling of `weak` (CEP 34)", []string{`/repodata/packages\.conda/exportslist-1\.0-0\.conda: absent → {`, `/shards/exportslist: absent → {.*"run_exports":{"weak":\["exportslist >=1"\]}`}},
	{yanked, []string{`/repodata/packages\.conda/(gone-1\.0-0|withdrawn-1\.1-1)\.conda: {.*} → absent$`, `/shards/(gone|withdrawn)/packages\.conda/[^/]*: {.*} → absent$`}},
	{verbatim, []string{`/full-.*/depends: \["_libgcc_mutex ==0\.1 main",.*→ \["_libgcc_mutex 0\.1 main",`, `/declared-1\.0-0/depends: \["full\[extras=\[all\]\]"\] → \["full\[extras=\[\\"all\\"\]\]"\]$`}},
	{"the subdir says it already (CEP 16)", []string{`/(boastful|assembled).*/(arch|platform): .* → absent$`}},
})

var unlikeCondaIndex = slices.Concat(everywhere, []difference{
	{"shards lie in a folder of their own", []string{`/shard_index/info/shards_base_url: "" → "\./shards/"$`}},
	{asInFlat, []string{`/shards/[^/]+/removed: absent → \[\]$`}},
	{needsV3, []string{
		`/info/repodata_revisions: absent → {"v3":{"n_packages":3}}$`, `/repodata/v3: absent → {"conda":{"conditional-2\.0-0":`,
		`/repodata/packages\.conda/(conditional-2|declared-1)\.0-0\.conda: {.* → absent$`, `/shards/(conditional|declared)/packages\.conda/.*: {.* → absent$`,
		`/shards/(conditional|declared)/v3: absent → {"conda":{`,
	}},
	{yanked, []string{`/run_exports/packages\.conda/(gone-1\.0-0|withdrawn-1\.1-1)\.conda: {"run_exports":{}} → absent$`}},
	{"a list is the old spelling of `weak` (CEP 34)", []string{`/run_exports(/1\.0)?: \["exportslist >=1"\] → {"weak":\["exportslist >=1"\]}$`}},
	{"only the lists that clients know, and of those only what they hold", []string{`/run_exports(/1\.0)?/(weak: \[\]|schema_version: 2) → absent$`}},
	{"CEP 36 requires it", []string{`/oldgeneric-1\.0-0\.tar\.bz2/depends: absent → \[\]$`}},
	{"null is in no field's type", []string{`/(oldgeneric|tracked)-1\.0-0\.tar\.bz2/(license|features): null → absent$`}},
	{"one spelling of lists of features", []string{
		`/tracked-1\.0-0\.tar\.bz2/track_features: \["a","b"\] → "a b"$`, `/trackedtoo-1\.0-0\.tar\.bz2/track_features: "a,b c" → "a b c"$`,
	}},
	{"the package claims what only an index can know", []string{`/boastful-1\.0-0\.conda/(channel|fn|url): .* → absent$`}},
	{"sorted, as rattler has it", []string{`/purled-1\.0-0\.conda/purls: \["pkg:pypi/b@1","pkg:pypi/a@1"\] → \["pkg:pypi/a@1","pkg:pypi/b@1"\]$`}},
	{"nobody knows what it would mean", []string{`/purled-1\.0-0\.conda/unknown: {"a":1} → absent$`}},
	{"the latest of all records (CEP 38)", []string{`/channeldata/packages/(told|popular)/timestamp: \d+ → \d+$`}},
	{"what any artifact has (CEP 38), and packages without a paths.json tell it in files and has_prefix", []string{
		`/channeldata/packages/told/text_prefix: false → true$`, `/channeldata/packages/antique/(post_link|text_prefix): false → true$`,
	}},
})

// TestTheManualTellsWhatDiffers holds the table of docs/format.md to these.
func TestTheManualTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "## Where the index differs from other indexers, and why")
	if !ok {
		t.Fatal("docs/format.md has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	told, means := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\|.*\| ([^|]+) \|$`).FindAllStringSubmatch(section, -1) {
		told[m[1]] = true
	}
	delete(told, "why")
	for _, d := range slices.Concat(unlikeRattler, unlikeCondaIndex) {
		means[d.why] = true
	}
	if diff := cmp.Diff(means, told); diff != "" {
		t.Errorf("differs by the tests (-), by the manual (+):\n%s", diff)
	}
}

// wantDifferences makes sure that each difference is meant, and that each that is meant is there.
func wantDifferences(t *testing.T, got []string, means []difference) {
	t.Helper()
	found := map[string]bool{}
	for _, d := range means {
		for _, pattern := range d.lines {
			found[pattern] = false
		}
	}
	for _, line := range got {
		meant := false
		for pattern := range found {
			if regexp.MustCompile(pattern).MatchString(line) {
				meant, found[pattern] = true, true
			}
		}
		if !meant {
			t.Errorf("theirs → ours: %.600s", line)
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(found)) {
		if !found[pattern] {
			t.Errorf("nothing differs in %s any more", pattern)
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
func (w *world) contents(t *testing.T, channel, subdir string) map[string]any {
	t.Helper()
	base := channel + "/" + subdir + "/"
	found := map[string]any{}
	for _, name := range []string{"repodata", "run_exports"} {
		found[name] = w.json(t, base+name+".json")
		if plain, packed := w.must(t, base+name+".json"), inflate(t, w.must(t, base+name+".json.zst")); !bytes.Equal(plain, packed) {
			t.Errorf("%s%s.json is not what its .zst holds", base, name)
		}
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

// inflate decodes zstd.
func inflate(t *testing.T, packed []byte) []byte {
	t.Helper()
	decoder, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	plain, err := io.ReadAll(decoder)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// unpack decodes zstd and msgpack into the types of JSON, with bytes as hex.
func unpack(t *testing.T, packed []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := msgpack.Unmarshal(inflate(t, packed), &v); err != nil {
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
