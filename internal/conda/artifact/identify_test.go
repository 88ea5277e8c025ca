package artifact_test

import (
	"bytes"
	"strings"
	"testing"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
)

// A package is known by its own word, in both formats; what is none is refused.
func TestIdentify(t *testing.T) {
	t.Parallel()
	p := build.Package{Name: "lib-tide", Version: "1!2.0+x", Build: "h1_0", Subdir: "linux-64"}
	inConda, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	inTar, err := p.TarBz2()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		b         []byte
		want, why string
	}{
		{name: "conda", b: inConda, want: "lib-tide-1!2.0+x-h1_0.conda"},
		{name: "tar.bz2", b: inTar, want: "lib-tide-1!2.0+x-h1_0.tar.bz2"},
		{name: "nothing", why: "no package"},
		{name: "text", b: []byte("text"), why: "no package"},
		{name: "cut conda", b: inConda[:len(inConda)/2], why: "ZIP"},
		{name: "cut tar.bz2", b: inTar[:len(inTar)/2], why: "cut short"},
		{name: "no index", b: bz2(tarOf(tarFile{path: "bin/x", data: "x"})), why: "info/index.json"},
		{name: "no version", b: bz2(tarOf(tarFile{path: "info/index.json", data: `{"name":"x","build":"0"}`})), why: "no name that a file can have"},
		{name: "a number for a name", b: bz2(tarOf(tarFile{path: "info/index.json", data: `{"name":7,"version":"1","build":"0"}`})), why: `"name"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := artifact.Identify(t.Context(), bytes.NewReader(tt.b), int64(len(tt.b)), limits())
			if tt.why != "" {
				if err == nil || !strings.Contains(err.Error(), tt.why) {
					t.Errorf("= %v, %v; want %q", f, err, tt.why)
				}
				return
			}
			if err != nil || f.String() != tt.want {
				t.Errorf("= %v, %v; want %s", f, err, tt.want)
			}
		})
	}
}

// What is identified is a name, and whatever can be read under it says the same of itself.
func FuzzIdentify(f *testing.F) {
	p := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch"}
	for _, bytesOf := range []func() ([]byte, error){p.Conda, p.TarBz2} {
		b, err := bytesOf()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name, err := artifact.Identify(t.Context(), bytes.NewReader(b), int64(len(b)), limits())
		if err != nil {
			return
		}
		if again, err := conda.ParseFilename(name.String()); err != nil || again != name {
			t.Fatalf("identified as %q", name)
		}
		pkg, err := artifact.Read(t.Context(), bytes.NewReader(b), int64(len(b)), name, limits())
		if err == nil && pkg.Record.Name != name.Name() {
			t.Errorf("%s says that it is %s", name, pkg.Record.Name)
		}
	})
}
