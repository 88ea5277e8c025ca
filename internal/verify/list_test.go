package verify_test

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/verify"
)

// Explicit lists as the clients write them: conda without digests and with either, pixi and mamba with MD5, rattler's form of SHA-256, and
// conda-lock's comments about PyPI.
func TestReadExplicit(t *testing.T) {
	t.Parallel()
	old, sum := md5.Sum([]byte("x")), sha256.Sum256([]byte("x"))
	list, err := verify.ReadList([]byte(strings.ReplaceAll(fmt.Sprintf(`# This file may be used to create an environment using:
# $ conda create --name <env> --file <this file>
# platform: linux-64
@EXPLICIT

https://conda.example.com/forge/linux-64/zlib-1.0-0.conda#%x
  https://conda.example.com/forge/noarch/tide-1.0-0.tar.bz2#%x
http://other.example.com/a/b/label/rc/noarch/x264-1%%211.0-0.conda#sha256:%x
https://conda.example.com/forge/noarch/plain-1.0-0.conda
https://conda.example.com/forge/noarch/plain-1.0-0.conda
# no URL for: mine-1.0-0.conda
# pip six @ https://files.example.com/six-1.16.0-py2.py3-none-any.whl --hash=sha256:8abb
# pip is not asked
file:///home/ann/own-1.0-0.conda#%x`, old, sum, sum, old), "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list.Files {
		said := "nothing"
		switch {
		case f.MD5 == old && f.SHA256 == [32]byte{}:
			said = "md5"
		case f.SHA256 == sum && f.MD5 == [16]byte{}:
			said = "sha256"
		}
		got = append(got, fmt.Sprintf("%s %s %s %s", f.Channel, f.Subdir, f.File, said))
	}
	if diff := cmp.Diff([]string{
		"https://conda.example.com/forge linux-64 zlib-1.0-0.conda md5", "https://conda.example.com/forge noarch tide-1.0-0.tar.bz2 sha256",
		"http://other.example.com/a/b/label/rc noarch x264-1!1.0-0.conda sha256", "https://conda.example.com/forge noarch plain-1.0-0.conda nothing",
	}, got); diff != "" || list.Others != 3 || list.Names != nil {
		t.Errorf("%s; %d others, names %v", diff, list.Others, list.Names)
	}
}

// Each bad line is told with its number, and what may be a secret is not repeated.
func TestReadListRefuses(t *testing.T) {
	t.Parallel()
	const good = "https://conda.example.com/forge/noarch/tide-1.0-0.conda"
	for line, says := range map[string]string{
		"tide=1.0=0":                                           "no address of a package",
		"noarch/tide-1.0-0.conda":                              "no address of a package",
		"https://conda.example.com/tide.txt":                   "is no file in a subdir of a channel",
		"https://conda.example.com/forge/noarch/tide.conda":    "tide.conda",
		"https://conda.example.com/forge/Lin/tide-1.0-0.conda": "Lin",
		good + "#":   "must be the 32 hexadecimal digits",
		good + "#12": "must be the 32 hexadecimal digits",
		good + "#sha256:" + strings.Repeat("1", 32):                                        "must be the 32 hexadecimal digits",
		good + "#" + strings.Repeat("g", 64):                                               "must be the 32 hexadecimal digits",
		good + "?token=secret":                                                             "without a password or a token",
		"https://ann:secret@conda.example.com/forge/noarch/a-1-0.conda":                    "without a password or a token",
		"https://conda.example.com/t/secret/forge/noarch/a-1-0.conda":                      "without a password or a token",
		good + "#" + strings.Repeat("1", 32) + "\n" + good + "#" + strings.Repeat("2", 32): "twice, with different digests",
	} {
		_, err := verify.ReadList([]byte("# comment\n@EXPLICIT\n" + line + "\n"))
		at := 3 + strings.Count(line, "\n")
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: ", at)) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// Names alone are packages of one channel. Anything else is told with what can be read.
func TestReadNames(t *testing.T) {
	t.Parallel()
	list, err := verify.ReadList([]byte("# what we ship\ntide\n\n libtide \n"))
	if err != nil || !slices.Equal(list.Names, []string{"tide", "libtide"}) || list.Files != nil {
		t.Errorf("%+v, %v", list, err)
	}
	for _, line := range []string{"tide=1.0", "tide >=1", "Tide", "https://conda.example.com/forge/noarch/tide-1.0-0.conda", "require: true"} {
		if _, err := verify.ReadList([]byte("tide\n" + line)); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") || !strings.Contains(err.Error(), "a line @EXPLICIT, or names") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// Whatever a list says is an address of a file in a channel, each once.
func FuzzReadList(f *testing.F) {
	f.Add("@EXPLICIT\nhttps://conda.example.com/forge/noarch/tide-1.0-0.conda#4d6f8f3bf8101ce372b09756c36ab41d\n")
	f.Add("version: 6\npackages:\n- conda: https://conda.example.com/forge/noarch/tide-1.0-0.conda\n")
	f.Add("tide\nlibtide\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := verify.ReadList([]byte(text))
		seen := map[string]bool{}
		for _, l := range list.Files {
			at := l.Channel + "/" + l.Subdir.String() + "/" + l.File.String()
			if err != nil || seen[at] || l.File.IsZero() || l.Subdir.IsZero() || !strings.HasPrefix(at, "http") {
				t.Errorf("%q: %s, %v", text, at, err)
			}
			seen[at] = true
		}
	})
}
