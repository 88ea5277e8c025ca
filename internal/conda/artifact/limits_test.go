package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
)

// TestLimits sets each limit to just what a package needs, and one below.
func TestLimits(t *testing.T) {
	t.Parallel()
	idx := good()
	info := []tarFile{idx, {path: "info/about.json", data: `{"a":1}`}, {path: "info/run_exports.json", data: "{}"}, {path: "info/link.json", data: "{ }"}, {path: "info/paths.json", data: `{"p":1}`}}
	pkg := []tarFile{{path: "bin/x", data: strings.Repeat("0123456789abcdef", 100)}, {path: "bin/y"}}
	conda, bz := condaOf(zst(tarOf(info...)), zst(tarOf(pkg...))), bz2(tarOf(append(info, pkg...)...))
	total := func(files []tarFile) (n int64) {
		for _, f := range files {
			n += int64(len(f.data))
		}
		return n
	}
	for _, tt := range []struct {
		name, why        string
		set              func(lim *artifact.Limits, n int64)
		inConda, inTarBz int64 // 0: has no meaning there
	}{
		{"index", "info/index.json has", func(lim *artifact.Limits, n int64) { lim.Index = n }, int64(len(idx.data)), int64(len(idx.data))},
		{"about", "info/about.json has", func(lim *artifact.Limits, n int64) { lim.About = n }, 7, 7},
		{"run exports", "info/run_exports.json has", func(lim *artifact.Limits, n int64) { lim.RunExports = n }, 2, 2},
		{"link", "info/link.json has", func(lim *artifact.Limits, n int64) { lim.Link = n }, 3, 3},
		{"paths", "info/paths.json has", func(lim *artifact.Limits, n int64) { lim.Paths = n }, 7, 7},
		{"metadata", "metadata.json: it has", func(lim *artifact.Limits, n int64) { lim.Metadata = n }, 31, 0},
		{"info entries", "info/ has more than", func(lim *artifact.Limits, n int64) { lim.InfoEntries = int(n) }, 5, 5},
		{"info bytes", "info/ has more than", func(lim *artifact.Limits, n int64) { lim.InfoBytes = n }, 0, total(info)},
		{"info bytes, with the tar", "it unpacks to more than", func(lim *artifact.Limits, n int64) { lim.InfoBytes = n }, int64(len(tarOf(info...))), 0},
		{"payload entries", "more than 1 files", func(lim *artifact.Limits, n int64) { lim.PayloadEntries = int(n) }, 2, 2},
		{"payload bytes", "it unpacks to more than", func(lim *artifact.Limits, n int64) { lim.PayloadBytes = n }, int64(len(tarOf(pkg...))), 0},
		{"all bytes", "it unpacks to more than", func(lim *artifact.Limits, n int64) { lim.InfoBytes, lim.PayloadBytes = 5000, n-5000 }, 0, int64(len(tarOf(append(info, pkg...)...)))},
	} {
		for _, f := range []struct {
			data []byte
			ext  string
			n    int64
		}{{conda, ".conda", tt.inConda}, {bz, ".tar.bz2", tt.inTarBz}} {
			if f.n == 0 {
				continue
			}
			t.Run(tt.name+f.ext, func(t *testing.T) {
				t.Parallel()
				lim := limits()
				tt.set(&lim, f.n)
				if _, err := read(t, f.data, stem+f.ext, lim); err != nil {
					t.Errorf("refused at its limit: %v", err)
				}
				tt.set(&lim, f.n-1)
				_, err := read(t, f.data, stem+f.ext, lim)
				wantRefusal(t, err, tt.why)
				if fe, ok := errors.AsType[*artifact.FormatError](err); ok && !fe.Limit {
					t.Errorf("%q is not marked as a limit", fe.Why)
				}
			})
		}
	}
}

// TestBombs reads files that unpack to a thousand times their size and more.
func TestBombs(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 8<<20)
	lim := limits()
	lim.RatioFrom = 1 << 20
	pkg := tarOf(tarFile{path: "share/zeros", data: zeros})
	for _, tt := range []struct {
		name, ext, why string
		data           []byte
	}{
		{"pkg", ".conda", "pkg-x-y-1.0-h0_0.tar.zst: it unpacks to more than 1000 times", condaOf(nil, zst(pkg))},
		{"info", ".conda", "info-x-y-1.0-h0_0.tar.zst: it unpacks to more than 1000 times", condaOf(zst(tarOf(good(), tarFile{path: "info/zeros", data: zeros})), nil)},
		{"tar.bz2", ".tar.bz2", "x-y-1.0-h0_0.tar.bz2: it unpacks to more than 1000 times", bz2(tarOf(good(), tarFile{path: "share/zeros", data: zeros[:3<<20]}))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, tt.data, stem+tt.ext, lim)
			wantRefusal(t, err, tt.why)
			if tt.ext == ".conda" {
				if _, err := read(t, tt.data, stem+tt.ext, limits()); err != nil {
					t.Errorf("refused below the size from which the ratio counts: %v", err)
				}
			}
		})
	}
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	withPaths := func(text string) []byte {
		return condaOf(zst(tarOf(good(), tarFile{path: "info/paths.json", data: text})), nil)
	}
	var b strings.Builder
	for i := range 100_000 {
		b.WriteString(`,"` + strconv.Itoa(i) + `":0`)
	}
	check(t, withPaths("{"+b.String()[1:]+"}"), stem+".conda", "more keys than the limit")
	check(t, withPaths(`{"`+strings.Repeat("a", 2<<20)+`":1}`), stem+".conda", "longer key or path than the limit")
	check(t, withPaths(`{"paths":[`+strings.Repeat(`{"a":1,"b":2},`, 100_000)+`{}]}`), stem+".conda", "")
}

// TestPayloadNotScanned: without the scan, only the other member's sum is checked.
func TestPayloadNotScanned(t *testing.T) {
	t.Parallel()
	lim := limits()
	lim.ScanPayload = false
	data := condaOf(nil, zst(tarOf(tarFile{path: "../x"})))
	if _, err := read(t, data, stem+".conda", lim); err != nil {
		t.Errorf("refused: %v", err)
	}
	m, p, i := members()
	p.local, p.central = func(h []byte) { h[14]++ }, func(h []byte) { h[16]++ }
	_, err := read(t, zipOf(ending{}, m, p, i), stem+".conda", lim)
	wantRefusal(t, err, "CRC-32")
}

func TestManyFiles(t *testing.T) {
	t.Parallel()
	const n = 100_000
	files := make([]tarFile, n)
	for i := range files {
		files[i].path = "share/x/" + strconv.Itoa(i)
	}
	paths := `{"paths":[` + strings.Repeat(`{"_path":"share/x/0","path_type":"hardlink"},`, n-1) + `{}]}`
	data := condaOf(zst(tarOf(good(), tarFile{path: "info/paths.json", data: paths})), zst(tarOf(files...)))
	got, err := read(t, data, stem+".conda", limits())
	if err != nil || got.Files != n {
		t.Fatalf("= %+v, %v", got, err)
	}
	files[n-1] = files[0]
	check(t, condaOf(nil, zst(tarOf(files...))), stem+".conda", `has "share/x/0" twice`)
}

// TestMemoryDoesNotGrow reads a small and a large package in each format and compares what was allocated
// in all, freed or not. It does not run beside other tests, whose memory would be counted.
func TestMemoryDoesNotGrow(t *testing.T) {
	for ext, sizes := range map[string][2]int64{".conda": {1 << 20, 24 << 20}, ".tar.bz2": {128 << 10, 1 << 20}} {
		small, large := allocated(t, ext, sizes[0]), allocated(t, ext, sizes[1])
		t.Logf("%s: %d KiB and %d KiB allocated", ext, small>>10, large>>10)
		if large > small+2<<20 || large > 24<<20 {
			t.Errorf("%s: %d bytes allocated for %d, %d for %d", ext, small, sizes[0], large, sizes[1])
		}
	}
}

func allocated(t *testing.T, ext string, noise int64) uint64 {
	p := build.Package{Name: "x-y", Version: "1.0", Build: "h0_0", Subdir: "linux-64", Noise: noise}
	file, err := os.Create(filepath.Join(t.TempDir(), stem+ext))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	write := p.WriteConda
	if ext == conda.ExtTarBz2 {
		write = p.WriteTarBz2
	}
	if err := write(file); err != nil {
		t.Fatal(err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size < noise {
		t.Fatalf("%d bytes written, %v", size, err)
	}
	f, err := p.Filename(ext)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := artifact.Read(t.Context(), file, size, f, limits()); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestWindowIsNotBelieved: a small frame that asks for 128 MiB does not get them.
func TestWindowIsNotBelieved(t *testing.T) {
	data := condaOf(rawFrame(0, []byte{17 << 3}, tarOf(good())[:1024], 1000), nil)
	known := condaOf(rawFrame(3<<6, append([]byte{17 << 3}, 0, 4, 0, 0, 0, 0, 0, 0), tarOf(good())[:1024], 1000), nil)
	for _, tt := range []struct {
		name string
		data []byte
		max  uint64
	}{{"size unknown", data, 72 << 20}, {"size known", known, 4 << 20}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := read(t, tt.data, stem+".conda", limits()); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > tt.max {
			t.Errorf("%s: %d bytes allocated", tt.name, got)
		}
	}
}

// failing fails at and after an offset.
type failing struct {
	r   io.ReaderAt
	at  int64
	err error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		return 0, f.err
	}
	return f.r.ReadAt(p, off)
}

// TestReaderFailures: when the store fails at any place, the package is not blamed.
func TestReaderFailures(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	for ext, data := range map[string][]byte{".conda": condaOf(nil, nil), ".tar.bz2": bz2(tarOf(good()))} {
		f, err := conda.ParseFilename(stem + ext)
		if err != nil {
			t.Fatal(err)
		}
		for at := range int64(len(data)) {
			_, err := artifact.Read(t.Context(), failing{bytes.NewReader(data), at, broken}, int64(len(data)), f, limits())
			if !errors.Is(err, broken) {
				t.Fatalf("%s: failure at %d gives %v", ext, at, err)
			}
		}
		_, err = artifact.Read(t.Context(), bytes.NewReader(data), int64(len(data))+1000, f, limits())
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: a file shorter than told gives %v", ext, err)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	late := errors.New("too late")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(late)
	for ext, data := range map[string][]byte{".conda": condaOf(nil, nil), ".tar.bz2": bz2(tarOf(good()))} {
		f, err := conda.ParseFilename(stem + ext)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := artifact.Read(ctx, bytes.NewReader(data), int64(len(data)), f, limits()); !errors.Is(err, late) {
			t.Errorf("%s: error = %v, want the context's cause", ext, err)
		}
	}
}
