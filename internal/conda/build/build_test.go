package build_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
)

func sample() build.Package {
	return build.Package{
		Name: "hello-tool", Version: "1.2", Build: "h0_1", BuildNumber: 1, Subdir: "linux-64",
		Depends: []string{"libc >=2,<3"}, Constrains: []string{"other <1"}, License: "MIT", TimestampMS: 1_700_000_000_123,
		RunExports: conda.RunExports{Weak: []string{"hello-tool >=1.2"}, StrongConstrains: []string{"x <2"}},
		About:      build.About{Home: "https://example.org", Summary: "Says <hello>"},
		Files:      map[string][]byte{"bin/hello": []byte("#!/bin/sh\necho hello\n"), "share/hello/readme.txt": []byte("hi\n")},
		Noise:      70_000,
	}
}

// TestWhatIsBuiltIsRead builds in both formats and reads the packages back as the server does.
func TestWhatIsBuiltIsRead(t *testing.T) {
	t.Parallel()
	p := sample()
	sub, err := conda.ParseSubdir(p.Subdir)
	if err != nil {
		t.Fatal(err)
	}
	want := conda.Record{
		Name: p.Name, Version: p.Version, Build: p.Build, BuildNumber: 1, Subdir: sub, Depends: p.Depends,
		Constrains: p.Constrains, License: "MIT", TimestampMS: p.TimestampMS,
	}
	for ext, write := range map[string]func() ([]byte, error){conda.ExtConda: p.Conda, conda.ExtTarBz2: p.TarBz2} {
		data, err := write()
		if err != nil {
			t.Fatalf("%s: %v", ext, err)
		}
		again, _ := write()
		if !bytes.Equal(data, again) {
			t.Errorf("%s: two runs give different bytes", ext)
		}
		f, err := p.Filename(ext)
		if err != nil {
			t.Fatalf("%s: %v", ext, err)
		}
		lim := artifact.DefaultLimits()
		lim.Now = time.UnixMilli(p.TimestampMS)
		got, err := artifact.Read(t.Context(), bytes.NewReader(data), int64(len(data)), f, lim)
		if err != nil {
			t.Fatalf("%s: %v", ext, err)
		}
		if diff := cmp.Diff(want, got.Record, cmp.Comparer(func(a, b conda.Subdir) bool { return a == b })); diff != "" {
			t.Errorf("%s: record (-want +got):\n%s", ext, diff)
		}
		if diff := cmp.Diff(p.RunExports, got.RunExports); diff != "" {
			t.Errorf("%s: run exports (-want +got):\n%s", ext, diff)
		}
		if got.Files != 3 || got.About.Summary != "Says <hello>" || got.About.Home != p.About.Home {
			t.Errorf("%s: %d files, about %+v", ext, got.Files, got.About)
		}
	}
}

// TestPathsAreTrue unpacks both formats with the standard library and checks every file against
// info/paths.json.
func TestPathsAreTrue(t *testing.T) {
	t.Parallel()
	p := sample()
	for ext, unpack := range map[string]func(*testing.T, build.Package) map[string][]byte{".conda": unpackConda, ".tar.bz2": unpackTarBz2} {
		files := unpack(t, p)
		var paths struct {
			Paths []struct {
				Path   string `json:"_path"`
				SHA256 string `json:"sha256"`
				Size   int    `json:"size_in_bytes"`
			} `json:"paths"`
		}
		if err := json.Unmarshal(files["info/paths.json"], &paths); err != nil {
			t.Fatalf("%s: paths.json: %v", ext, err)
		}
		var names []string
		for _, e := range paths.Paths {
			names = append(names, e.Path)
			sum := sha256.Sum256(files[e.Path])
			if len(files[e.Path]) != e.Size || hex.EncodeToString(sum[:]) != e.SHA256 {
				t.Errorf("%s: %s has %d bytes, sha256 %x; paths.json says %d, %s", ext, e.Path, len(files[e.Path]), sum, e.Size, e.SHA256)
			}
		}
		var installed []string
		for _, path := range slices.Sorted(maps.Keys(files)) {
			if !strings.HasPrefix(path, "info/") {
				installed = append(installed, path)
			}
		}
		if diff := cmp.Diff(installed, names); diff != "" {
			t.Errorf("%s: installed files and paths.json differ (-installed +listed):\n%s", ext, diff)
		}
		if want := strings.Join(names, "\n") + "\n"; string(files["info/files"]) != want {
			t.Errorf("%s: info/files is %q, want %q", ext, files["info/files"], want)
		}
		if !bytes.Contains(files["info/index.json"], []byte("libc >=2,<3")) {
			t.Errorf("%s: index.json escapes its specifications: %s", ext, files["info/index.json"])
		}
	}
}

func TestInfoCanBeReplaced(t *testing.T) {
	t.Parallel()
	p := sample()
	p.Info = map[string][]byte{"about.json": nil, "index.json": []byte("{}"), "test/run.sh": []byte("true")}
	files := unpackConda(t, p)
	if _, ok := files["info/about.json"]; ok || string(files["info/index.json"]) != "{}" || string(files["info/test/run.sh"]) != "true" {
		t.Errorf("info files: %q", slices.Sorted(maps.Keys(files)))
	}
}

func unpackConda(t *testing.T, p build.Package) map[string][]byte {
	data, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	var names []string
	for _, m := range z.File {
		names = append(names, m.Name)
		if m.Name == "metadata.json" {
			continue
		}
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		dec, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		unpackTar(t, dec, files)
		dec.Close()
	}
	if want := []string{"metadata.json", "pkg-" + p.Stem() + ".tar.zst", "info-" + p.Stem() + ".tar.zst"}; !slices.Equal(names, want) {
		t.Errorf("members = %q, want %q", names, want)
	}
	return files
}

func unpackTarBz2(t *testing.T, p build.Package) map[string][]byte {
	data, err := p.TarBz2()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	unpackTar(t, bzip2.NewReader(bytes.NewReader(data)), files)
	return files
}

func unpackTar(t *testing.T, r io.Reader, files map[string][]byte) {
	t.Helper()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
		if exec := h.Mode&0o111 != 0; exec != strings.HasPrefix(h.Name, "bin/") {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
	}
}
