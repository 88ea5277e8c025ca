package test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/index"
	"sluice/internal/servertest"
	"sluice/test/clients"
)

// TestPieces is the first of all tests: index files are pieces that were compressed at different times and
// joined to one zstd frame, and every client must see what is in each of them.
func TestPieces(t *testing.T) {
	t.Parallel()
	// So many names that the shard index has several pieces, too. Over PostgreSQL, where nothing differs
	// but the rows' way to us, fewer do.
	t.Run("sqlite", func(t *testing.T) { pieces(t, newWorld(t, servertest.New(t, servertest.Options{})), 1750, 3) })
	t.Run("postgres", func(t *testing.T) {
		pieces(t, newWorld(t, servertest.New(t, servertest.Options{Postgres: true})), 400, 1)
	})
}

// files tells the SHA-256 of each package file, in hex.
type files map[string]string

func pieces(t *testing.T, w *world, names, shardPieces int) {
	want := many(t, w, names)
	wantPieces(t, w, shardPieces)
	url := w.channelURL(w.forge)

	t.Run("decoded as conda does", func(t *testing.T) { decodedAsConda(t, url, want) })
	for _, via := range []string{"zst", "json", "shards"} {
		t.Run("py-rattler via "+via, func(t *testing.T) { readByPyRattler(t, w, via, want) })
	}
	for _, sharded := range []string{"true", "false"} {
		t.Run("rattler search, sharded "+sharded, func(t *testing.T) {
			u := clients.NewUser(t)
			ran := u.Rattler(t, "search", "m-*", "--format", "json", "--platform", "noarch", "--sharded", sharded, "-c", url)
			if ran.Status != 0 {
				t.Fatal(ran)
			}
			if diff := cmp.Diff(want, found(t, []byte(ran.Stdout))); diff != "" {
				t.Errorf("uploaded (-), found (+):\n%s", diff)
			}
		})
	}
	t.Run("the browser's client", func(t *testing.T) {
		var got struct{ Records []record }
		clients.NewUser(t).Drive(t, "browser.cjs", "solve", "--channel", url, "--spec", "m-all").Into(t, &got)
		wantSolved(t, got.Records, want)
	})
}

// record is what a client tells of a package; most spell it so.
type record struct {
	FileName string `json:"file_name"`
	URL      string
	Name     string
	Version  string
	SHA256   string
}

// meta is how many names m-all depends on, spread over all of them.
const meta = 40

// many publishes so many packages with long names and long records, in both formats, and m-all.
func many(t *testing.T, w *world, names int) files {
	t.Helper()
	all := build.Package{Name: "m-all", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: "BSD-3-Clause"}
	var parcels []parcel
	for i := range names {
		p := lengthy(i)
		if i%(names/meta) == 0 && len(all.Depends) < meta {
			all.Depends = append(all.Depends, p.Name+" >=1.0,<2")
		}
		ext := conda.ExtTarBz2 // much quicker to make and to read
		if i%3 == 0 {
			ext = conda.ExtConda
		}
		parcels = append(parcels, pack(t, p, ext))
	}
	parcels = append(parcels, pack(t, all, conda.ExtConda))
	w.fill(t, w.forge, parcels...)
	want := files{}
	for _, p := range parcels {
		sum := sha256.Sum256(p.body)
		want[p.file] = hex.EncodeToString(sum[:])
	}
	return want
}

// lengthy is a package with a name of 64 characters and a record of a kilobyte that does not repeat itself.
func lengthy(i int) build.Package {
	noise := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	name := fmt.Sprintf("m-%04d-%x", i, noise)[:64]
	p := build.Package{
		Name: name, Version: fmt.Sprintf("1.%d", i%7), Build: "h" + hex.EncodeToString(noise[:4]), Subdir: "noarch", Noarch: "generic",
		License: "BSD-3-Clause", RunExports: conda.RunExports{Weak: []string{name + " >=1.0"}},
	}
	for n, b := range noise[:12] {
		p.Constrains = append(p.Constrains, fmt.Sprintf("rival-%02x-%x >=1.%d,<2,!=1.%d.%d,!=1.%d.%d", b, noise[n:n+4], n, b, n, n, b))
	}
	return p
}

// wantPieces makes sure that the index is made of pieces at all.
func wantPieces(t *testing.T, w *world, shardPieces int) {
	t.Helper()
	noarch, err := conda.ParseSubdir("noarch")
	if err != nil {
		t.Fatal(err)
	}
	l, ok, err := w.DB.Pieces(t.Context(), index.Place{ChannelID: w.forge.ID, Label: conda.MainLabel(), Subdir: noarch}, nil, 0)
	if err != nil || !ok {
		t.Fatalf("pieces: found %v, %v", ok, err)
	}
	for series, least := range map[index.Series]int{index.Conda: 2, index.TarBz2: 2, index.Shards: shardPieces} {
		if n := int(l.Totals[series].Pieces); n < least {
			t.Errorf("%s has %d pieces, want at least %d", series, n, least)
		}
	}
	if n := l.Totals[index.Conda].Pieces + l.Totals[index.TarBz2].Pieces; n <= 4 {
		t.Errorf("repodata.json.zst is joined from %d pieces, want more than 4", n)
	}
}

// decodedAsConda decodes each file with libzstd and the parser of Python, and compares all with all.
func decodedAsConda(t *testing.T, url string, want files) {
	u := clients.NewUser(t)
	for _, file := range []string{"repodata.json.zst", "repodata.json", "run_exports.json.zst", "run_exports.json"} {
		var got struct {
			Content struct {
				Packages      map[string]struct{ SHA256 string }
				PackagesConda map[string]struct{ SHA256 string } `json:"packages.conda"`
			}
			Unused int
		}
		u.Drive(t, "decode.py", url+"/noarch/"+file).Into(t, &got)
		seen := files{}
		for file, r := range got.Content.Packages {
			seen[file] = r.SHA256
		}
		for file, r := range got.Content.PackagesConda {
			seen[file] = r.SHA256
		}
		if strings.HasPrefix(file, "run_exports") {
			for file := range seen {
				seen[file] = want[file] // it has no hashes
			}
		}
		if diff := cmp.Diff(want, seen); diff != "" || got.Unused != 0 {
			t.Errorf("%s: %d bytes behind the frame; uploaded (-), read (+):\n%s", file, got.Unused, diff)
		}
	}
	var got struct {
		Content struct{ Shards map[string]string }
		Unused  int
	}
	u.Drive(t, "decode.py", url+"/noarch/repodata_shards.msgpack.zst").Into(t, &got)
	if len(got.Content.Shards) != len(want) || got.Unused != 0 {
		t.Errorf("the shard index names %d shards, and %d bytes stand behind its frame; want %d and none", len(got.Content.Shards), got.Unused, len(want))
	}
	name := slices.Sorted(maps.Keys(got.Content.Shards))[len(want)/2]
	var shard struct {
		Content struct {
			Packages      map[string]struct{ SHA256 string }
			PackagesConda map[string]struct{ SHA256 string } `json:"packages.conda"`
		}
	}
	u.Drive(t, "decode.py", url+"/noarch/shards/"+got.Content.Shards[name]+".msgpack.zst").Into(t, &shard)
	maps.Copy(shard.Content.Packages, shard.Content.PackagesConda)
	for file, r := range shard.Content.Packages {
		if r.SHA256 != want[file] || len(shard.Content.Packages) != 1 {
			t.Errorf("the shard of %s has %v, want %s with SHA-256 %s", name, shard.Content, file, want[file])
		}
	}
}

// readByPyRattler looks at all names, reads many records, and solves for m-all.
func readByPyRattler(t *testing.T, w *world, via string, want files) {
	u, url := clients.NewUser(t), w.channelURL(w.forge)
	before := len(w.asked())

	var got struct{ Names []string }
	u.Drive(t, "read.py", "names", "--channel", url, "--via", via, "--platform", "noarch").Into(t, &got)
	if len(got.Names) != len(want) {
		t.Errorf("names: %d, want %d", len(got.Names), len(want))
	}

	some := want
	args := []string{"query", "--channel", url, "--via", via, "--platform", "noarch"}
	if via == "shards" { // one request a name: a tenth of them tells as much
		some = files{}
		for i, file := range slices.Sorted(maps.Keys(want)) {
			if i%10 == 0 {
				some[file] = want[file]
			}
		}
	}
	for file := range some {
		args = append(args, "--spec", nameOf(t, file))
	}
	var queried struct{ Records map[string]record }
	u.Drive(t, "read.py", args...).Into(t, &queried)
	seen := files{}
	for _, r := range queried.Records {
		seen[r.FileName] = r.SHA256
	}
	if diff := cmp.Diff(some, seen); diff != "" {
		t.Errorf("uploaded (-), read (+):\n%s", diff)
	}

	var solved struct{ Records []record }
	u.Drive(t, "read.py", "solve", "--channel", url, "--via", via, "--platform", "noarch", "--spec", "m-all").Into(t, &solved)
	wantSolved(t, solved.Records, want)

	wantSource(t, w.asked()[before:], via)
}

func nameOf(t *testing.T, file string) string {
	t.Helper()
	f, err := conda.ParseFilename(file)
	if err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// wantSolved makes sure that m-all came with everything that it depends on, and nothing else.
func wantSolved(t *testing.T, got []record, want files) {
	t.Helper()
	if len(got) != meta+1 {
		t.Errorf("solved %d records, want %d", len(got), meta+1)
	}
	for _, r := range got {
		if file := path.Base(r.URL); r.SHA256 != want[file] {
			t.Errorf("%s has SHA-256 %s, want %s", file, r.SHA256, want[file])
		}
	}
}

// wantSource makes sure that a client read a channel in the way that we think: shards fall back silently.
func wantSource(t *testing.T, asked []string, via string) {
	t.Helper()
	file := map[string]string{"shards": "repodata_shards.msgpack.zst", "zst": "repodata.json.zst", "json": "repodata.json"}[via]
	found := false
	for _, line := range asked {
		method, rest, _ := strings.Cut(line, " ")
		name := path.Base(strings.Fields(rest)[0])
		if method != "GET" || !strings.HasPrefix(name, "repodata") {
			continue
		}
		if found = true; name != file {
			t.Errorf("asked for %s, want only %s", line, file)
		}
	}
	if !found {
		t.Errorf("nobody asked for %s: %q", file, asked)
	}
}

// found takes the answer of "rattler search --format json" apart, whatever it groups by.
func found(t *testing.T, answer []byte) files {
	t.Helper()
	var v any
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Fatalf("answer of rattler search: %v\n%.500s", err, answer)
	}
	got := files{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if sum, ok := v["sha256"].(string); ok {
				got[path.Base(fmt.Sprint(v["url"]))] = sum
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(v)
	return got
}
