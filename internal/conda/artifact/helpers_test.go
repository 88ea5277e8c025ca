package artifact_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build/bzip2"
)

// stem is the name of the package that the tests take apart.
const stem = "x-y-1.0-h0_0"

// now is the time of every upload here.
var now = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func limits() artifact.Limits {
	lim := artifact.DefaultLimits()
	lim.Now = now
	return lim
}

// read reads data as the file with that name.
func read(t testing.TB, data []byte, name string, lim artifact.Limits) (*artifact.Package, error) {
	t.Helper()
	f, err := conda.ParseFilename(name)
	if err != nil {
		t.Fatal(err)
	}
	return artifact.Read(t.Context(), bytes.NewReader(data), int64(len(data)), f, lim)
}

// wantRefusal checks that err is a FormatError whose sentence holds why and is fit to be shown.
func wantRefusal(t testing.TB, err error, why string) {
	t.Helper()
	fe, ok := errors.AsType[*artifact.FormatError](err)
	if !ok {
		t.Fatalf("error = %v, want a FormatError with %q", err, why)
	}
	if !strings.Contains(fe.Error(), why) {
		t.Errorf("error = %q, want one with %q", fe.Why, why)
	}
	if len(fe.Why) > 400 || strings.ContainsFunc(fe.Why, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the sentence is too long or unprintable: %q", fe.Why)
	}
}

// check reads data in both formats' name and wants a refusal, or none when why is "".
func check(t *testing.T, data []byte, name, why string) {
	t.Helper()
	_, err := read(t, data, name, limits())
	if why == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	wantRefusal(t, err, why)
}

// index is the JSON of a good index.json with some fields replaced; a field of nil is left out.
func index(fields map[string]any) []byte {
	m := map[string]any{"name": "x-y", "version": "1.0", "build": "h0_0", "build_number": 0, "subdir": "linux-64", "depends": []string{}}
	maps.Copy(m, fields)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	b, _ := json.Marshal(m)
	return b
}

// tarFile is one entry for tarOf. kind 0 is a plain file.
type tarFile struct {
	path string
	kind byte
	data string
	link string
}

// good is the entry that every package needs.
func good() tarFile { return tarFile{path: "info/index.json", data: string(index(nil))} }

// tarOf writes entries with the standard library, which refuses little.
func tarOf(files ...tarFile) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.path, Typeflag: f.kind, Linkname: f.link, Mode: 0o644, Size: int64(len(f.data))}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		io.WriteString(w, f.data)
	}
	w.Close()
	return buf.Bytes()
}

// tarEnd is what ends a tar.
var tarEnd = make([]byte, 1024)

// rawTar is one ustar header and its data, with fix called on the header before it is summed.
func rawTar(path string, kind byte, data []byte, fix func(h []byte)) []byte {
	h := make([]byte, 512)
	copy(h, path)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], octal(len(data))+"\x0000000000000\x00        ")
	h[156] = kind
	copy(h[257:], "ustar\x0000")
	if fix != nil {
		fix(h)
	}
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], octal(sum)[5:]+"\x00 ")
	return slices.Concat(h, data, make([]byte, -len(data)&511))
}

// octal is n in 11 octal digits.
func octal(n int) string {
	b := []byte("00000000000")
	for i := 10; n > 0; i, n = i-1, n/8 {
		b[i] = byte('0' + n%8)
	}
	return string(b)
}

// zst compresses as one frame.
func zst(data []byte, opts ...zstd.EOption) []byte {
	w, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(data, nil)
}

// bz2 compresses as one stream.
func bz2(data []byte) []byte {
	var buf bytes.Buffer
	w := bzip2.NewWriter(&buf)
	w.Write(data)
	w.Close()
	return buf.Bytes()
}

// part is one member for zipOf. The hooks change its headers after they are filled in.
type part struct {
	name    string
	data    []byte
	local   func(h []byte)
	central func(h []byte)
	extra   []byte // of the local header
	cextra  []byte // of the central entry
	tail    []byte // after the data
}

// ending is the end of the file, for hooks.
type ending struct {
	front  []byte // before the first member
	before []byte // between the directory and the end record
	fix    func(end []byte)
	after  []byte
}

// zipOf lays members out as a ZIP file by hand.
func zipOf(e ending, parts ...part) []byte {
	le := binary.LittleEndian
	out, dir := e.front, []byte(nil)
	for _, p := range parts {
		offset := len(out)
		sizes := le.AppendUint32(nil, crc32.ChecksumIEEE(p.data))
		sizes = le.AppendUint32(le.AppendUint32(sizes, uint32(len(p.data))), uint32(len(p.data)))
		h := append([]byte("PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x21\x00"), sizes...)
		h = le.AppendUint16(le.AppendUint16(h, uint16(len(p.name))), uint16(len(p.extra)))
		h = append(append(h, p.name...), p.extra...)
		if p.local != nil {
			p.local(h)
		}
		out = append(append(append(out, h...), p.data...), p.tail...)
		c := append([]byte("PK\x01\x02\x14\x00\x14\x00\x00\x00\x00\x00\x00\x00\x21\x00"), sizes...)
		c = le.AppendUint16(le.AppendUint16(c, uint16(len(p.name))), uint16(len(p.cextra)))
		c = le.AppendUint32(append(c, make([]byte, 10)...), uint32(offset))
		c = append(append(c, p.name...), p.cextra...)
		if p.central != nil {
			p.central(c)
		}
		dir = append(dir, c...)
	}
	end := append([]byte("PK\x05\x06"), make([]byte, 18)...)
	le.PutUint16(end[8:], uint16(len(parts)))
	le.PutUint16(end[10:], uint16(len(parts)))
	le.PutUint32(end[12:], uint32(len(dir)))
	le.PutUint32(end[16:], uint32(len(out)))
	if e.fix != nil {
		e.fix(end)
	}
	out = append(append(out, dir...), e.before...)
	return append(append(out, end...), e.after...)
}

// members are the three members of a good .conda file, in rattler-build's order.
func members() (meta, pkg, info part) {
	return part{name: "metadata.json", data: []byte(`{"conda_pkg_format_version": 2}`)},
		part{name: "pkg-" + stem + ".tar.zst", data: zst(tarOf(tarFile{path: "bin/x", data: "hi"}))},
		part{name: "info-" + stem + ".tar.zst", data: zst(tarOf(good()))}
}

// condaOf is a .conda file with these two members in place of the good ones; nil keeps the good one.
func condaOf(info, pkg []byte) []byte {
	m, p, i := members()
	if info != nil {
		i.data = info
	}
	if pkg != nil {
		p.data = pkg
	}
	return zipOf(ending{}, m, p, i)
}
