package generate

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
)

// A Filer makes the package files of records: whole ones, with metadata and one small file to install. It
// makes thousands in a second, since it uses its memory again, where build.Package takes care of large ones.
// It is for one goroutine.
type Filer struct {
	zstd           *zstd.Encoder
	tar, file      bytes.Buffer
	packed         []byte
	json           bytes.Buffer
	about, payload []byte
}

// NewFiler makes a Filer.
func NewFiler() *Filer {
	return &Filer{zstd: must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)))}
}

// File makes the file of a package, in the format that its name says. The bytes are good until the next call.
func (f *Filer) File(p Package) ([]byte, error) {
	f.payload = fmt.Appendf(f.payload[:0], "%s %s %s\n", p.Record.Name, p.Record.Version, p.Record.Build)
	f.about = fmt.Appendf(f.about[:0], `{"home":"https://example.org/%s","license":%q,"summary":"What %[1]s does"}`+"\n", p.Record.Name, p.Record.License)
	f.file.Reset()
	if p.File.Ext() == conda.ExtTarBz2 {
		err := f.old(p).WriteTarBz2(&f.file)
		return f.file.Bytes(), err
	}
	if err := f.conda(p); err != nil {
		return nil, fmt.Errorf("make %s: %w", p.File, err)
	}
	return f.file.Bytes(), nil
}

// installed is the path of the one file that a package installs.
func installed(r conda.Record) string { return "share/" + r.Name + "/" + r.Version + "-" + r.Build }

// old is the package for the slow writer, which knows the old format.
func (f *Filer) old(p Package) build.Package {
	r := p.Record
	return build.Package{
		Name: r.Name, Version: r.Version, Build: r.Build, BuildNumber: r.BuildNumber, Subdir: r.Subdir.String(), Noarch: r.Noarch,
		Depends: r.Depends, License: r.License, TimestampMS: r.TimestampMS, RunExports: p.RunExports,
		About: build.About{Home: "https://example.org/" + r.Name, Summary: "What " + r.Name + " does"},
		Files: map[string][]byte{installed(r): f.payload},
	}
}

// conda writes the package as a .conda file (CEP 35): three stored members, info last.
func (f *Filer) conda(p Package) error {
	z := zip.NewWriter(&f.file)
	if err := store(z, "metadata.json", []byte(`{"conda_pkg_format_version": 2}`)); err != nil {
		return err
	}
	stem, at := p.File.Stem(), time.UnixMilli(p.Record.TimestampMS)
	if err := f.member(z, "pkg-"+stem+".tar.zst", at, []content{{installed(p.Record), f.payload}}); err != nil {
		return err
	}
	info, err := f.info(p)
	if err != nil {
		return err
	}
	if err := f.member(z, "info-"+stem+".tar.zst", at, info); err != nil {
		return err
	}
	return z.Close()
}

// content is one file in a tar.
type content struct {
	path string
	data []byte
}

// info makes what stands below info/ (CEP 34).
func (f *Filer) info(p Package) ([]content, error) {
	sum := sha256.Sum256(f.payload)
	path := installed(p.Record)
	f.json.Reset()
	e := json.NewEncoder(&f.json)
	e.SetEscapeHTML(false)
	var ends []int
	for _, v := range []any{indexOf(p.Record), paths{1, []pathEntry{{path, "hardlink", hex.EncodeToString(sum[:]), len(f.payload)}}}, exportsOf(p.RunExports)} {
		if err := e.Encode(v); err != nil {
			return nil, err
		}
		ends = append(ends, f.json.Len())
	}
	b := f.json.Bytes()
	out := []content{
		{"info/about.json", f.about},
		{"info/files", []byte(path + "\n")},
		{"info/index.json", b[:ends[0]]},
		{"info/paths.json", b[ends[0]:ends[1]]},
	}
	if !p.RunExports.IsZero() {
		out = append(out, content{"info/run_exports.json", b[ends[1]:ends[2]]})
	}
	return out, nil
}

// indexJSON is info/index.json.
type indexJSON struct {
	Build       string   `json:"build"`
	BuildNumber uint64   `json:"build_number"`
	Depends     []string `json:"depends"`
	License     string   `json:"license"`
	Name        string   `json:"name"`
	Noarch      string   `json:"noarch,omitempty"`
	Subdir      string   `json:"subdir"`
	Timestamp   int64    `json:"timestamp"`
	Version     string   `json:"version"`
}

func indexOf(r conda.Record) indexJSON {
	return indexJSON{
		Build: r.Build, BuildNumber: r.BuildNumber, Depends: append([]string{}, r.Depends...), License: r.License, Name: r.Name,
		Noarch: r.Noarch, Subdir: r.Subdir.String(), Timestamp: r.TimestampMS, Version: r.Version,
	}
}

// paths is info/paths.json.
type paths struct {
	Version int         `json:"paths_version"`
	Paths   []pathEntry `json:"paths"`
}

type pathEntry struct {
	Path   string `json:"_path"`
	Type   string `json:"path_type"`
	SHA256 string `json:"sha256"`
	Size   int    `json:"size_in_bytes"`
}

// exportsOf is info/run_exports.json; what is made here exports weakly or not at all.
func exportsOf(e conda.RunExports) map[string][]string { return map[string][]string{"weak": e.Weak} }

// member adds files to the ZIP as a tar in one zstd frame.
func (f *Filer) member(z *zip.Writer, name string, at time.Time, files []content) error {
	f.tar.Reset()
	t := tar.NewWriter(&f.tar)
	for _, c := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: c.path, Mode: 0o644, Size: int64(len(c.data)), ModTime: at.Truncate(time.Second)}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(c.data); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	f.packed = f.zstd.EncodeAll(f.tar.Bytes(), f.packed[:0])
	return store(z, name, f.packed)
}

// store adds an uncompressed member with its size and sum in the header, where streaming readers look for them.
func store(z *zip.Writer, name string, data []byte) error {
	size := uint64(len(data))
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data), CompressedSize64: size, UncompressedSize64: size,
	})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
