package verify_test

import (
	"context"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sluice/internal/conda"
	"sluice/internal/verify"
)

// A whole channel is counted before anything of it is looked at.
func TestWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for subdir, text := range map[string]string{
		"noarch": `{"packages":{"a-1-0.tar.bz2":{"name":"a","version":"1","build":"0","build_number":0,"depends":[]}},
			"packages.conda":{"b-1-0.conda":{"name":"b","version":"1","build":"0","build_number":0,"depends":[],"size":1000},"c-1-0.conda":7,"B.conda":{}},
			"removed":["gone-1-0.conda"]}`,
		"linux-64": `{"packages.conda":{"b-1-1.conda":{"name":"b","version":"1","build":"1","build_number":1,"depends":[],"size":200}}}`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, subdir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, subdir, "repodata.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := watched(t, http.FileServer(http.Dir(dir)))
	var subdirs []conda.Subdir
	for _, name := range []string{"linux-64", "noarch", "osx-64"} {
		d, err := conda.ParseSubdir(name)
		if err != nil {
			t.Fatal(err)
		}
		subdirs = append(subdirs, d)
	}
	all, err := verify.OpenWhole(t.Context(), s.Web, subdirs)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if all.Files != 4 || all.Bytes != 1200 || all.Unsized != 2 {
		t.Errorf("%d files, %d bytes, %d without a size", all.Files, all.Bytes, all.Unsized)
	}
	if kinds := s.index(); kinds != "repodata.json repodata.json.zst" {
		t.Errorf("asked for %s", kinds)
	}
	for range 2 {
		var got []string
		for c, err := range all.Listed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c.Subdir.String()+"/"+c.File.String())
		}
		if !slices.Equal(got, []string{"linux-64/b-1-1.conda", "noarch/a-1-0.tar.bz2", "noarch/b-1-0.conda", "noarch/c-1-0.conda"}) {
			t.Errorf("%v", got)
		}
	}
	if kinds := s.index(); kinds != "" {
		t.Errorf("asked once more for %s", kinds)
	}
}

// Whoever stops because they are interrupted wants no more, not even to be told why.
func TestListedInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.published(t)
	channel := web(t, w.URL+"/forge")
	all, err := verify.OpenWhole(t.Context(), channel, []conda.Subdir{conda.Noarch()})
	w.check(t, err)
	defer all.Close()
	for what, files := range map[string]func(context.Context) iter.Seq2[verify.Claim, error]{
		"all": all.Listed,
		"some": func(ctx context.Context) iter.Seq2[verify.Claim, error] {
			return verify.Listed(ctx, channel, conda.Noarch(), []string{"tide-good", "tide-two"})
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, err := range files(ctx) {
			w.check(t, err)
			cancel()
			break
		}
		if ctx.Err() == nil {
			t.Errorf("%s: nothing was listed", what)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range all.Listed(ctx) {
		if err == nil {
			t.Error("files were listed for somebody who had left")
		}
	}
}
