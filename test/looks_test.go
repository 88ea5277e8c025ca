package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
)

// flatRecord is what clients show of a record.
type flatRecord struct {
	SHA256  string
	Depends []string
	Indexed int64 `json:"indexed_timestamp"`
}

type section map[string]flatRecord

func (s section) show(ext string, into sight) {
	for file, r := range s {
		into[file+ext] = line(r.SHA256, r.Depends, r.Indexed)
	}
}

// listing is what stands in repodata.json and in a shard alike.
type listing struct {
	Packages, PackagesConda, TarBz2V3, CondaV3 section
	Removed                                    []string
}

// UnmarshalJSON knows the keys that have dots.
func (l *listing) UnmarshalJSON(b []byte) error {
	var raw struct {
		Packages      section
		PackagesConda section `json:"packages.conda"`
		V3            struct {
			Conda  section
			TarBz2 section `json:"tar.bz2"`
		}
		Removed []string
	}
	err := json.Unmarshal(b, &raw)
	*l = listing{raw.Packages, raw.PackagesConda, raw.V3.TarBz2, raw.V3.Conda, raw.Removed}
	return err
}

// add adds what readers see who know nothing of revision 3, and what the others see besides.
func (l listing) add(old, newer sight) {
	l.Packages.show("", old)
	l.PackagesConda.show("", old)
	l.CondaV3.show(conda.ExtConda, newer)
	l.TarBz2V3.show(conda.ExtTarBz2, newer)
}

// wantReadInPython has py-rattler look in all three ways, and conda's way of decoding at each file.
func (m *model) wantReadInPython(t *testing.T) {
	args := []string{"--name", "never"}
	for l := range m.labels {
		args = append(args, "--channel", m.address(l))
	}
	for name := range m.names {
		args = append(args, "--name", name)
	}
	for _, d := range subdirs {
		args = append(args, "--subdir", d)
	}
	var got struct {
		Channels map[string]struct {
			Query map[string]query
			Files map[string]json.RawMessage
		}
	}
	m.user.Drive(t, "everything.py", args...).Into(t, &got)
	for l := range m.labels {
		read := got.Channels[m.address(l)]
		if len(read.Query) != 3 {
			t.Errorf("label %s was read in %d ways", l, len(read.Query))
		}
		for via, q := range read.Query {
			m.wantQueried(t, l, via, q)
		}
		for _, d := range subdirs {
			m.wantFiles(t, l, d, read.Files[d])
		}
		m.wantChannelData(t, l, read.Files["channeldata.json"])
		if notices := strings.Join(strings.Fields(string(read.Files["notices.json"])), ""); notices != `{"notices":[]}` {
			t.Errorf("label %s: notices.json is %s", l, notices)
		}
	}
}

// query is what py-rattler tells of a channel.
type query struct {
	Names   []string
	Records section
	Removed []string
}

// wantQueried compares it with the model. Over shards it knows of names without records, and of removed files.
func (m *model) wantQueried(t *testing.T, l, via string, q query) {
	t.Helper()
	want, seen := m.want(l, all), sight{}
	q.Records.show("", seen)
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("label %s, py-rattler via %s: want (-), got (+)\n%s", l, via, diff)
	}
	if via == "shards" {
		if removed := m.removed(l, all); !slices.Equal(removed, q.Removed) {
			t.Errorf("label %s, removed files via shards: %q, want %q", l, q.Removed, removed)
		}
	} else if names := slices.Sorted(maps.Keys(m.newest(l, all))); !slices.Equal(names, q.Names) {
		t.Errorf("label %s, names via %s: %q, want %q", l, via, q.Names, names)
	}
}

// wantFiles compares all index files of a subdir, decoded, with the model.
func (m *model) wantFiles(t *testing.T, l, subdir string, decoded []byte) {
	t.Helper()
	var got struct {
		Plain   listing `json:"repodata.json"`
		Zst     listing `json:"repodata.json.zst"`
		Exports struct {
			Packages      map[string]any
			PackagesConda map[string]any `json:"packages.conda"`
		} `json:"run_exports.json"`
		ExportsZst struct {
			Packages      map[string]any
			PackagesConda map[string]any `json:"packages.conda"`
		} `json:"run_exports.json.zst"`
		Shards map[string]listing
	}
	if err := json.Unmarshal(decoded, &got); err != nil {
		t.Fatal(err)
	}
	old := m.want(l, func(e *entry) bool { return e.subdir == subdir && !e.v3 })
	newer := m.want(l, func(e *entry) bool { return e.subdir == subdir && e.v3 })
	removed := m.removed(l, func(e *entry) bool { return e.subdir == subdir })
	var sharded listing
	for _, shard := range got.Shards {
		shard.join(&sharded)
	}
	slices.Sort(sharded.Removed)
	for file, list := range map[string]listing{"repodata.json": got.Plain, "repodata.json.zst": got.Zst, "shards": sharded} {
		seenOld, seenNewer := sight{}, sight{}
		list.add(seenOld, seenNewer)
		if diff := cmp.Diff([]sight{old, newer}, []sight{seenOld, seenNewer}); diff != "" {
			t.Errorf("label %s, %s/%s: want (-), got (+)\n%s", l, subdir, file, diff)
		}
		if !slices.Equal(removed, list.Removed) {
			t.Errorf("label %s, %s/%s: removed are %q, want %q", l, subdir, file, list.Removed, removed)
		}
	}
	var exporting []string
	for _, files := range []map[string]any{got.Exports.Packages, got.Exports.PackagesConda} {
		exporting = slices.AppendSeq(exporting, maps.Keys(files))
	}
	slices.Sort(exporting)
	visible := maps.Clone(old)
	maps.Copy(visible, newer)
	if want := slices.Sorted(maps.Keys(visible)); !slices.Equal(want, exporting) {
		t.Errorf("label %s, %s/run_exports.json lists %q, want %q", l, subdir, exporting, want)
	}
	if diff := cmp.Diff(got.Exports, got.ExportsZst); diff != "" {
		t.Errorf("label %s, %s/run_exports.json (-) and .zst (+) differ:\n%s", l, subdir, diff)
	}
}

// join adds all that stands in l to another listing.
func (l listing) join(to *listing) {
	for _, s := range []struct {
		from section
		to   *section
	}{{l.Packages, &to.Packages}, {l.PackagesConda, &to.PackagesConda}, {l.TarBz2V3, &to.TarBz2V3}, {l.CondaV3, &to.CondaV3}} {
		if *s.to == nil {
			*s.to = section{}
		}
		maps.Copy(*s.to, s.from)
	}
	to.Removed = append(to.Removed, l.Removed...)
}

// wantChannelData compares names, newest versions and subdirs with the model.
func (m *model) wantChannelData(t *testing.T, l string, decoded []byte) {
	t.Helper()
	type named struct {
		Version string
		Subdirs []string
	}
	var got struct {
		Packages map[string]named
		Subdirs  []string
	}
	if err := json.Unmarshal(decoded, &got); err != nil {
		t.Fatal(err)
	}
	want, in := map[string]named{}, map[string]bool{}
	for name, e := range m.newest(l, all) {
		want[name] = named{e.version, []string{e.subdir}} // each name is in one subdir here
		in[e.subdir] = true
	}
	if diff := cmp.Diff(want, got.Packages); diff != "" || len(got.Subdirs) != len(in) {
		t.Errorf("label %s, channeldata.json of %q: want (-), got (+)\n%s", l, got.Subdirs, diff)
	}
}

// wantSearched has the rattler command look for everything in the label main, by shards and by the whole file. It looks
// into noarch by itself.
func (m *model) wantSearched(t *testing.T) {
	want := files{}
	for file, e := range m.labels["main"] {
		if e.listed() {
			want[file] = e.sha256
		}
	}
	for _, sharded := range []string{"true", "false"} {
		ran := m.user.Rattler(t, "search", "*", "--format", "json", "--platform", "linux-64", "--sharded", sharded, "-c", m.address("main"))
		if ran.Status != 0 {
			t.Fatal(ran)
		}
		if diff := cmp.Diff(want, found(t, []byte(ran.Stdout))); diff != "" {
			t.Errorf("rattler search, sharded %s: want (-), got (+)\n%s\n%s", sharded, diff, ran)
		}
	}
}

// wantSolvedInNode has the browser's client solve for every name of the label main. It knows nothing of revision 3, and
// so must find what needs it nowhere and all else as if there were none.
func (m *model) wantSolvedInNode(t *testing.T) {
	args := []string{"solve", "--channel", m.address("main")}
	want := files{}
	for name, e := range m.newest("main", legacy) {
		args = append(args, "--spec", name)
		want[name] = e.version + " " + e.sha256
	}
	if len(want) == 0 {
		return // there is nothing to solve for
	}
	var got struct{ Records []record }
	m.user.Drive(t, "browser.cjs", args...).Into(t, &got)
	seen := files{}
	for _, r := range got.Records {
		seen[r.Name] = r.Version + " " + r.SHA256
	}
	for _, e := range m.labels["main"] {
		if !e.v3 || !e.listed() {
			continue
		}
		a := m.user.Drive(t, "browser.cjs", "solve", "--channel", m.address("main"), "--spec", e.name)
		if a.OK || !strings.Contains(a.Error, "No candidates were found for "+e.name) {
			t.Errorf("Node on %s, which needs revision 3: %s", e.name, a.JSON)
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("solved in Node: want (-), got (+)\n%s", diff)
	}
}

// wantTested has the zstd command test every compressed file.
func (m *model) wantTested(t *testing.T) {
	var packed []string
	for l := range m.labels {
		for _, d := range subdirs {
			base := "/forge/label/" + l + "/" + d + "/"
			paths := []string{"repodata.json.zst", "run_exports.json.zst", "repodata_shards.msgpack.zst"}
			for _, sum := range unpack(t, m.read(t, base+paths[2]))["shards"].(map[string]any) {
				paths = append(paths, fmt.Sprintf("shards/%s.msgpack.zst", sum))
			}
			for _, p := range paths {
				packed = append(packed, base+p)
			}
		}
	}
	zstdTests(t, packed, func(path string) []byte { return m.read(t, path) })
}

// read fetches a file of the private channel.
func (m *model) read(t *testing.T, path string) []byte {
	t.Helper()
	status, _, body := m.Get(t, path, m.key)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	return []byte(body)
}

// zstdTests writes each file beside the others and lets the zstd command test and decode them; those of which there is
// a plain form must be that.
func zstdTests(t *testing.T, paths []string, read func(path string) []byte) {
	t.Helper()
	folder := t.TempDir()
	var names []string
	for i, path := range paths {
		name := filepath.Join(folder, fmt.Sprintf("%d.zst", i))
		if err := os.WriteFile(name, read(path), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	for _, args := range [][]string{{"-q", "-t"}, {"-q", "-d"}} {
		if out, err := exec.CommandContext(t.Context(), "zstd", append(args, names...)...).CombinedOutput(); err != nil {
			t.Fatalf("zstd %q: %v\n%s", args, err, out)
		}
	}
	for i, path := range paths {
		plain, ok := strings.CutSuffix(path, ".json.zst")
		if !ok {
			continue
		}
		decoded, err := os.ReadFile(strings.TrimSuffix(names[i], ".zst"))
		if err != nil || !bytes.Equal(decoded, read(plain+".json")) {
			t.Errorf("%s does not decode to its plain form (%v)", path, err)
		}
	}
}
