package server_test

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/conda/build"
)

// member is one member of a .conda file.
type member struct {
	name string
	data []byte
}

// rewrite takes a .conda file apart and puts it together as change wants it.
func rewrite(t *testing.T, pkg []byte, change func([]member) []member) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(pkg), int64(len(pkg)))
	if err != nil {
		t.Fatal(err)
	}
	var members []member
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{f.Name, b})
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range change(members) {
		to, err := w.CreateRaw(&zip.FileHeader{
			Name: m.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(m.data), CompressedSize64: uint64(len(m.data)), UncompressedSize64: uint64(len(m.data)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zst compresses without saying how large the content is, so that the frame asks for the whole window.
func zst(t *testing.T, data []byte, window int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(window))
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 { // a single Write before Close would be one segment
		n := min(len(data), 1000)
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hostile is every way in which a package is refused for what it is: the readers' own tests know many more
// of each kind, here it is about what the server answers and leaves.
func hostile(t *testing.T) map[string]struct {
	body   []byte
	status int
	says   string
} {
	t.Helper()
	with := func(change func(*build.Package)) []byte {
		_, b := packageOf(t, "tide", change)
		return b
	}
	index := func(s string) []byte {
		return with(func(p *build.Package) { p.Info = map[string][]byte{"index.json": []byte(s)} })
	}
	good := with(nil)
	members := func(change func([]member) []member) []byte { return rewrite(t, good, change) }
	type want = struct {
		body   []byte
		status int
		says   string
	}
	const named = `{"name":"tide","version":"1.0","build":"0","build_number":0,"subdir":"noarch","depends":[]`
	return map[string]want{
		"not a zip":                   {[]byte(strings.Repeat("hello ", 100)), 422, "does not end as a ZIP"},
		"too short":                   {[]byte("PK"), 422, "too short"},
		"cut short":                   {good[:len(good)-40], 422, "does not end as a ZIP"},
		"bytes before":                {append([]byte("#!/bin/sh\n"), good...), 422, "ZIP"},
		"bytes after":                 {append(bytes.Clone(good), 0), 422, "bytes after its end"},
		"a flipped byte":              {flipped(good), 422, "damaged"},
		"a member twice":              {members(func(m []member) []member { return append(m[:2:2], m[0]) }), 422, "twice"},
		"a member too many":           {members(func(m []member) []member { return append(m, member{"evil.py", nil}) }), 422, "holds 4 members"},
		"a member of another build":   {members(func(m []member) []member { m[1].name = "pkg-tide-1.0-1.tar.zst"; return m }), 422, "upload it under the name it was built with"},
		"another format version":      {members(func(m []member) []member { m[0].data = []byte(`{"conda_pkg_format_version": 3}`); return m }), 422, "conda_pkg_format_version"},
		"no zstd":                     {members(func(m []member) []member { m[2].data = []byte("plain"); return m }), 422, "zstd"},
		"a wide window":               {members(func(m []member) []member { m[1].data = zst(t, make([]byte, 1<<20), 512<<20); return m }), 422, "zstd window"},
		"a bomb":                      {bomb(t, good), 413, "1000 times its size"},
		"no index":                    {with(func(p *build.Package) { p.Info = map[string][]byte{"index.json": nil} }), 422, "no info/index.json"},
		"an index that is a list":     {index(`[]`), 422, "not a JSON object"},
		"an index that is no JSON":    {index(`{"name"`), 422, "not valid JSON"},
		"an index in Latin-1":         {index(named + ",\"license\":\"B\xfcro\"}"), 422, "not UTF-8"},
		"a key twice":                 {index(named + `,"name":"tide"}`), 422, "twice"},
		"another name":                {index(strings.Replace(named, `"tide"`, `"ebb"`, 1) + `}`), 422, "the file name tide-1.0-0.conda says"},
		"another version":             {index(strings.Replace(named, `"1.0"`, `"1.1"`, 1) + `}`), 422, "the file name tide-1.0-0.conda says"},
		"a subdir that climbs":        {index(strings.Replace(named, `"noarch"`, `"../etc"`, 1) + `}`), 422, "subdir"},
		"a site-packages that climbs": {index(named + `,"python_site_packages_path":"../../etc"}`), 422, "climb"},
		"a build number below zero":   {index(strings.Replace(named, `"build_number":0`, `"build_number":-1`, 1) + `}`), 422, "build_number"},
		"dependencies that are text":  {index(strings.Replace(named, `[]`, `"all"`, 1) + `}`), 422, "depends"},
		"a file that climbs":          {with(func(p *build.Package) { p.Files = map[string][]byte{"../evil": nil} }), 422, "climbs"},
		"a file from the root":        {with(func(p *build.Package) { p.Files = map[string][]byte{"/etc/passwd": nil} }), 422, "absolute path"},
		"a file of the client":        {with(func(p *build.Package) { p.Files = map[string][]byte{"conda-meta/x.json": nil} }), 422, "conda-meta"},
		"info in the wrong member":    {with(func(p *build.Package) { p.Files = map[string][]byte{"info/index.json": nil} }), 422, "other member"},
		"an info that climbs":         {with(func(p *build.Package) { p.Info = map[string][]byte{"../../x": {}} }), 422, "no empty, . or .. parts"},
		"a build from the future":     {with(func(p *build.Package) { p.TimestampMS = 4e12 }), 422, "timestamp"},
	}
}

// flipped changes a byte of the compressed files.
func flipped(pkg []byte) []byte {
	b := bytes.Clone(pkg)
	at := bytes.Index(b, []byte("pkg-")) + 60
	b[at] ^= 0x10
	return b
}

// bomb is a package whose files unpack to a hundred thousand times their size.
func bomb(t *testing.T, good []byte) []byte {
	t.Helper()
	_, big := packageOf(t, "tide", func(p *build.Package) { p.Files = map[string][]byte{"share/zero": make([]byte, 80<<20)} })
	if len(big) > uploadMax {
		t.Fatalf("the bomb has %d bytes", len(big))
	}
	return big
}

func TestHostilePackagesLeaveNothing(t *testing.T) {
	t.Parallel()
	packages := hostile(t)
	both(t, func(t *testing.T, w *world) {
		before := w.state(t)
		for name, p := range packages {
			for _, bearer := range []string{w.ci, w.annUploads} {
				status, said := w.do(t, w.post(t, "forge", bearer, filePart("tide-1.0-0.conda", "", p.body)))
				if status != p.status || !strings.Contains(said, p.says) || !strings.Contains(said, "tide-1.0-0.conda") || len(said) > 512 {
					t.Errorf("%s: %d %q, want %d with %q", name, status, said, p.status, p.says)
				}
			}
			if after := w.state(t); after != before {
				t.Fatalf("%s left something:\n%s\nbefore:\n%s", name, after, before)
			}
		}
		w.publish(t, w.ci, "tide-1.0-0.conda", must(packageOf(t, "tide", nil)))
		if status, _ := w.do(t, w.request(t, http.MethodGet, "/forge/noarch/tide-1.0-0.conda", nil)); status != http.StatusOK {
			t.Errorf("after all that, the good package answers %d", status)
		}
	})
}

func must(_ string, b []byte) []byte { return b }
