package artifact_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
)

// seeds are packages as real tools make them, small.
func seeds(f *testing.F, ext string) (out [][]byte) {
	for _, p := range []build.Package{
		{Files: map[string][]byte{"bin/x": []byte("hello")}, Depends: []string{"a >=1,<2"}},
		{Noarch: "generic", TimestampMS: 1_700_000_000_000, RunExports: conda.RunExports{Weak: []string{"x-y"}}},
	} {
		p.Name, p.Version, p.Build, p.Subdir = "x-y", "1.0", "h0_0", "noarch"
		write := p.Conda
		if ext == conda.ExtTarBz2 {
			write = p.TarBz2
		}
		data, err := write()
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

// tight are limits under which a fuzzer's file is read fast.
func tight() artifact.Limits {
	lim := limits()
	lim.InfoBytes, lim.PayloadBytes, lim.RatioFrom, lim.Window = 1<<20, 4<<20, 1<<20, 8<<20
	return lim
}

// judge checks what holds for every file: an error is a refusal fit to be shown, and what is accepted
// says of itself what its name says, within the bounds of a record. false: refused.
func judge(t *testing.T, data []byte, ext string) (*artifact.Package, bool) {
	t.Helper()
	got, err := read(t, data, stem+ext, tight())
	if err != nil {
		wantRefusal(t, err, "")
		return nil, false
	}
	r := got.Record
	if r.Name+"-"+r.Version+"-"+r.Build != stem || r.Subdir.IsZero() || r.BuildNumber > 1<<63-1 ||
		r.TimestampMS < 0 || r.TimestampMS > now.UnixMilli()+600_000 || got.SchemaVersion > 3 || !slices.IsSorted(r.Purls) ||
		r.Noarch != "" && r.Noarch != "python" && r.Noarch != "generic" || r.Size != 0 || r.IndexedMS != 0 {
		t.Errorf("accepted the record %+v", r)
	}
	return got, true
}

// visible are the files of a tar as the standard library sees them, the last of each name counting.
func visible(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatalf("accepted what archive/tar cannot read: %v", err)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatalf("accepted what archive/tar cannot read: %v", err)
		}
		if _, twice := files[h.Name]; twice && h.Typeflag != tar.TypeDir || strings.Contains("/"+h.Name+"/", "/../") {
			t.Errorf("accepted the path %q, twice: %v", h.Name, twice)
		}
		files[h.Name] = string(b)
	}
}

// FuzzReadConda: in whatever is accepted, the standard library's readers see the same package.
func FuzzReadConda(f *testing.F) {
	for _, s := range append(seeds(f, conda.ExtConda), condaOf(nil, nil), condaOf(zst(tarOf(good(), good())), nil), condaOf(nil, zst(tarOf(good())))) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := judge(t, data, conda.ExtConda)
		if !ok {
			return
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil || len(z.File) != 3 {
			t.Fatalf("archive/zip: %v", err)
		}
		for _, m := range z.File {
			part, info := strings.CutSuffix(m.Name, "-"+stem+".tar.zst")
			if !info {
				continue
			}
			raw, err := m.Open()
			if err != nil {
				t.Fatalf("archive/zip: %v", err)
			}
			dec, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1))
			if err != nil {
				t.Fatal(err)
			}
			files := visible(t, dec)
			dec.Close()
			if index, found := files["info/index.json"]; found != (part == "info") || found && index != string(got.RawIndex) {
				t.Errorf("%s: info/index.json found: %v, %q; read %q", m.Name, found, index, got.RawIndex)
			}
		}
	})
}

// FuzzReadTarBz2: in whatever is accepted, the standard library's readers see the same package.
func FuzzReadTarBz2(f *testing.F) {
	for _, s := range append(seeds(f, conda.ExtTarBz2), bz2(tarOf(good())), bz2(tarOf(good(), good())), slices.Concat(bz2(tarOf(good())), bz2(nil))) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := judge(t, data, conda.ExtTarBz2)
		if !ok {
			return
		}
		if files := visible(t, bzip2.NewReader(bytes.NewReader(data))); files["info/index.json"] != string(got.RawIndex) {
			t.Errorf("archive/tar sees %q, read was %q", files["info/index.json"], got.RawIndex)
		}
	})
}

// FuzzTar reaches the tar reader, which hides behind compressions that a fuzzer cannot make.
func FuzzTar(f *testing.F) {
	idx := rawTar("info/index.json", '0', index(nil), nil)
	for _, s := range [][]byte{
		tarOf(good(), tarFile{path: "a/", kind: tar.TypeDir}, tarFile{path: "a/b", kind: tar.TypeSymlink, link: "c"}), slices.Concat(idx, tarEnd),
		slices.Concat(pax("path", "some/path"), idx, tarEnd), slices.Concat(rawTar("L", 'L', []byte("info/index.json\x00"), nil), idx, tarEnd),
		slices.Concat(rawTar("index.json", '0', index(nil), func(h []byte) { copy(h[345:], "info") }), tarEnd),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if fixSums(raw); len(raw) == 0 {
			return
		}
		got, ok := judge(t, condaOf(rawFrame(0, []byte{7 << 3}, raw, 1000), nil), conda.ExtConda)
		if ok && visible(t, bytes.NewReader(raw))["info/index.json"] != string(got.RawIndex) {
			t.Errorf("archive/tar sees another info/index.json than %q", got.RawIndex)
		}
		whole, err := read(t, condaOf(zst(raw), nil), stem+".conda", tight())
		if ok != (err == nil) || ok && !cmp.Equal(whole.Record, got.Record, cmp.Comparer(func(a, b conda.Subdir) bool { return a == b })) {
			t.Errorf("compressed in another way, it is read as %+v, %v", whole, err)
		}
	})
}

// fixSums makes the sum of every block that looks like a header right, or no mutation would get past it.
func fixSums(raw []byte) {
	for at := 0; at+512 <= len(raw); at += 512 {
		if h := raw[at : at+512]; string(h[257:262]) == "ustar" {
			copy(h[148:156], "        ")
			sum := 0
			for _, c := range h {
				sum += int(c)
			}
			copy(h[148:], octal(sum)[5:]+"\x00 ")
		}
	}
}
