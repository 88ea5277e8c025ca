package verify_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/importing"
	"sluice/internal/verify"
)

// source is a channel at an address that remembers what it was asked for.
type source struct {
	*importing.Web

	address string
	mu      sync.Mutex
	asked   []string
}

func watched(t *testing.T, h http.Handler) *source {
	t.Helper()
	s := &source{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.address = server.URL
	s.Web = web(t, server.URL)
	return s
}

// index tells the kinds of index files that it was asked for, in order.
func (s *source) index() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	kinds := map[string]bool{}
	for _, p := range s.asked {
		switch name := path.Base(p); {
		case strings.HasPrefix(name, "repodata"):
			kinds[name] = true
		case strings.HasSuffix(name, ".msgpack.zst"):
			kinds["shard"] = true
		}
	}
	s.asked = nil
	return strings.Join(slices.Sorted(maps.Keys(kinds)), " ")
}

const sharded = "repodata_shards.msgpack.zst shard"

// named looks at the packages of some names.
func (w *world) named(t *testing.T, s *source, names ...string) (got []string, err error) {
	t.Helper()
	f := &verify.Foreign{Attest: w.checker(t), Terms: terms(t, `target_channel = "ignore"`)}
	err = f.Files(t.Context(), verify.Listed(t.Context(), s.Web, conda.Noarch(), names), func(r verify.Report) error {
		got = append(got, fmt.Sprintf("%s %s", strings.TrimSuffix(r.File, "-1.0-0.conda"), r.Verdict))
		return nil
	})
	return got, err
}

// Of a channel with shards no more of the index is read than those of the packages that are named.
func TestShards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.published(t)
	here, err := url.Parse(w.URL + "/forge")
	w.check(t, err)
	for name, s := range map[string]*source{
		"served": watched(t, httputil.NewSingleHostReverseProxy(here)), "exported": watched(t, http.FileServer(http.Dir(w.export(t)))),
	} {
		got, err := w.named(t, s, "tide-two", "tide-away", "tide-good", "tide-good")
		if diff := cmp.Diff([]string{"tide-good ok", "tide-two ok"}, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		if kinds := s.index(); kinds != sharded {
			t.Errorf("%s: asked for %s", name, kinds)
		}
		file, err := conda.ParseFilename("tide-plain-1.0-0.conda")
		w.check(t, err)
		claim := verify.Claim{Channel: s.Web, Subdir: conda.Noarch(), File: file}
		w.check(t, verify.Locked(t.Context(), s.Web, conda.Noarch(), []*verify.Claim{&claim}))
		if kinds := s.index(); kinds != sharded || !claim.Listed || claim.Record == nil {
			t.Errorf("%s: asked for %s; %+v", name, kinds, claim)
		}
	}
}

// A channel without shards, and one whose shards are not what their list says.
func TestShardsElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.published(t)
	const list = "repodata_shards.msgpack.zst"
	shards := func(dir string) []string {
		all, err := filepath.Glob(filepath.Join(dir, "noarch", "shards", "*.msgpack.zst"))
		if err != nil || len(all) != 4 {
			t.Fatalf("%v, %v", all, err)
		}
		return all
	}
	each := func(do func(path string) error) func(string) {
		return func(dir string) {
			for _, path := range shards(dir) {
				w.check(t, do(path))
			}
		}
	}
	packed := func(text string) func(string) {
		return func(dir string) { w.check(t, os.WriteFile(filepath.Join(dir, "noarch", list), pack(t, text), 0o600)) }
	}
	remove := func(names ...string) func(string) {
		return func(dir string) {
			for _, name := range names {
				w.check(t, os.Remove(filepath.Join(dir, "noarch", name)))
			}
		}
	}
	for name, tt := range map[string]struct {
		change func(dir string)
		// asked are the kinds of index files that are fetched, says what is wrong.
		asked, says string
	}{
		"no shards":              {remove(list), "repodata.json.zst " + list, ""},
		"neither shards nor zst": {remove(list, "repodata.json.zst"), "repodata.json repodata.json.zst " + list, ""},
		"no index":               {remove(list, "repodata.json.zst", "repodata.json"), "repodata.json repodata.json.zst " + list, "nothing"},
		"a shard is gone":        {each(os.Remove), sharded, "the shard of tide-good in the index of noarch in http://%s: the index names it, and the channel does not have it"},
		"a shard is another one": {
			each(func(path string) error { return os.WriteFile(path, pack(t, "\x80"), 0o600) }), sharded, "it was changed or damaged there",
		},
		"a shard is too large": {
			each(func(path string) error { return os.Truncate(path, 16<<20+1) }), sharded, "it has more than 16777216 bytes",
		},
		"the list is no list":       {packed("\x01"), list, "repodata_shards.msgpack.zst of noarch in http://"},
		"the list is of a new kind": {packed("\x81" + str("version") + "\x02"), list, "a shard index of version 2; version 1 is read"},
		"the list is not packed":    {func(dir string) { w.check(t, os.WriteFile(filepath.Join(dir, "noarch", list), []byte("x"), 0o600)) }, list, "read a shard index"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := w.export(t)
			tt.change(dir)
			s := watched(t, http.FileServer(http.Dir(dir)))
			got, err := w.named(t, s, "tide-good")
			if kinds := s.index(); kinds != tt.asked {
				t.Errorf("asked for %s, want %s", kinds, tt.asked)
			}
			says := strings.ReplaceAll(tt.says, "%s", strings.TrimPrefix(s.address, "http://"))
			switch {
			case tt.says == "nothing":
				if err != nil || len(got) > 0 {
					t.Errorf("%v, %v", got, err)
				}
			case tt.says == "":
				if err != nil || !slices.Equal(got, []string{"tide-good ok"}) {
					t.Errorf("%v, %v", got, err)
				}
			case err == nil || !strings.Contains(err.Error(), says):
				t.Errorf("%v, %v; want %s", got, err, says)
			}
		})
	}
}

// A store that refuses what it does not have is one without shards.
func TestShardsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.published(t)
	files := http.FileServer(http.Dir(w.export(t)))
	s := watched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "shards") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		files.ServeHTTP(w, r)
	}))
	got, err := w.named(t, s, "tide-good")
	if kinds := s.index(); err != nil || !slices.Equal(got, []string{"tide-good ok"}) || kinds != "repodata.json.zst repodata_shards.msgpack.zst" {
		t.Errorf("%v, %v; asked for %s", got, err, kinds)
	}
}

// str is a str of msgpack.
func str(s string) string { return "\xd9" + string([]byte{byte(len(s))}) + s }

// pack makes a frame.
func pack(t testing.TB, text string) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = enc.Close() }()
	return enc.EncodeAll([]byte(text), nil)
}

// Shards and packages may lie anywhere.
func TestShardsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.published(t)
	dir := w.export(t)
	store := watched(t, http.FileServer(http.Dir(filepath.Join(dir, "noarch"))))
	list := func(shards, packages string) []byte {
		text := "\x83" + str("version") + "\x01" + str("info") + "\x82" + str("shards_base_url") + str(shards) + str("base_url") + str(packages) + str("shards") + "\xdf\x00\x00\x00\x01"
		return pack(t, text+str("tide-plain")+"\xc4\x20"+string(w.shard(t, dir, "tide-plain")))
	}
	for _, tt := range []struct{ shards, packages string }{
		{store.address + "/shards", store.address}, {store.address + "/shards/", store.address + "/"}, {"/far/shards/", "../far"},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("/noarch/repodata_shards.msgpack.zst", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(list(tt.shards, tt.packages)) })
		mux.Handle("/far/", http.StripPrefix("/far", http.FileServer(http.Dir(filepath.Join(dir, "noarch")))))
		if got, err := w.named(t, watched(t, mux), "tide-plain"); err != nil || !slices.Equal(got, []string{"tide-plain unattested"}) {
			t.Errorf("%+v: %v, %v", tt, got, err)
		}
	}
}

// shard finds the hash of the shard of a package in a folder.
func (w *world) shard(t testing.TB, dir, name string) []byte {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(dir, "noarch", "repodata_shards.msgpack.zst"))
	w.check(t, err)
	dec, err := zstd.NewReader(nil)
	w.check(t, err)
	defer dec.Close()
	text, err := dec.DecodeAll(list, nil)
	w.check(t, err)
	_, after, ok := strings.Cut(string(text), name+"\xc4\x20")
	if !ok {
		t.Fatalf("no %s in %q", name, text)
	}
	return []byte(after[:32])
}

// The shards in testdata were written by the indexers of py-rattler 0.28 and conda-index 0.13. They stand there alone.
func TestShardsOfOthers(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"rattler", "conda-index"} {
		w := web(t, httptestFolder(t, filepath.Join("testdata", by)))
		f := &verify.Foreign{Terms: verify.DefaultTerms()}
		got, _ := look(t, func(ctx context.Context, hand func(verify.Report) error) error {
			return f.Files(ctx, verify.Listed(ctx, w, conda.Noarch(), []string{"tide", "libtide", "ebb"}), hand)
		})
		if diff := cmp.Diff([]string{"libtide-1.0-h0_0.tar.bz2 unattested", "tide unattested", "tide-1.1-0.conda unattested"}, got); diff != "" {
			t.Errorf("%s: %s", by, diff)
		}
	}
}

func httptestFolder(t *testing.T, dir string) string {
	t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}
