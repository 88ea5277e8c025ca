package verify_test

import (
	"crypto/md5"
	"crypto/sha256"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/verify"
)

// v7.lock was written by py-rattler 0.28; the others are of the forms before it.
func TestReadLock(t *testing.T) {
	t.Parallel()
	newest, err := os.ReadFile("testdata/v7.lock")
	if err != nil {
		t.Fatal(err)
	}
	list, err := verify.ReadList(newest)
	files := list.Files
	if err != nil || list.Others != 0 || len(files) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Channel+" "+f.Subdir.String()+" "+f.File.String())
	}
	if diff := cmp.Diff([]string{
		"https://conda.example.com/forge noarch tide-a-1.0-0.conda", "https://conda.example.com/forge noarch tide-b-1.0-0.conda",
		"https://conda.example.com/other/label/rc linux-64 zlib-1.0-0.conda",
	}, got); diff != "" {
		t.Error(diff)
	}
	if f := files[0]; f.SHA256 != sha256.Sum256([]byte("tide-a")) || f.MD5 != md5.Sum([]byte("tide-a")) || files[2].SHA256 != [32]byte{} {
		t.Errorf("digests: %x %x", f.SHA256, f.MD5)
	}

	const v6 = `version: 6
environments: {}
packages:
- conda: https://conda.example.com/forge/noarch/tide-1.0-0.conda
  sha256: 9f2c1b60d1f0a3c7e4b85d6a7c90e1f2338b44c5d6e7f8091a2b3c4d5e6f7081
- conda: .
  name: mine
- pypi: https://files.example.com/six-1.16.0-py2.py3-none-any.whl
  sha256: 8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254
`
	const v4 = `version: 4
packages:
- kind: conda
  name: tide
  url: https://conda.example.com/forge/noarch/tide-1.0-0.tar.bz2
  md5: 9e3a1d6c5a2b4c7d8e9f0a1b2c3d4e5f
- kind: pypi
  name: six
  url: https://files.example.com/six-1.16.0-py2.py3-none-any.whl
`
	for text, want := range map[string]struct {
		file   string
		others int
	}{v6: {"tide-1.0-0.conda", 2}, v4: {"tide-1.0-0.tar.bz2", 1}} {
		list, err := verify.ReadList([]byte(text))
		if err != nil || len(list.Files) != 1 || list.Files[0].File.String() != want.file || list.Others != want.others {
			t.Errorf("%+v, %v", list, err)
		}
	}
	for _, tt := range []struct{ old, by, says string }{
		{"version: 6", "version: 8", "version 8"},
		{"version: 6", "version: 1", "version 1"},
		{"9f2c", "9f2", "hexadecimal"},
		{"tide-1.0-0.conda", "tide.conda", "tide.conda"},
		{"https://conda", "https://ann:secret@conda", "cannot be used"},
		{"https://conda.example.com", "https://conda.example.com/t/secret", "cannot be used"},
		{"packages:", "packages: {", "not a lock file"},
		{"packages:\n", "packages:\n- conda: https://conda.example.com/forge/noarch/tide-1.0-0.conda\n", "forge/noarch/tide-1.0-0.conda is there twice, with different digests"},
	} {
		if _, err := verify.ReadList([]byte(strings.Replace(v6, tt.old, tt.by, 1))); err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", tt.by, err)
		}
	}
}
