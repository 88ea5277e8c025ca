package artifact_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTrees says for entries beside a good info/index.json whether they may lie below info/ in a .conda,
// in its other member, and in a .tar.bz2. "" means that they may.
func TestTrees(t *testing.T) {
	t.Parallel()
	const below, climbs = "is not below info/", "climbs out"
	for _, tt := range []struct {
		name             string
		files            []tarFile
		info, pkg, tarBz string
	}{
		{"file", []tarFile{{path: "bin/x"}}, below, "", ""},
		{"info file", []tarFile{{path: "info/x"}}, "", "belongs into the other member", ""},
		{"info folder", []tarFile{{path: "info/", kind: tar.TypeDir}, {path: "info/a/", kind: tar.TypeDir}, {path: "info/a/b"}}, "", "belongs into the other", ""},
		{"folder twice", []tarFile{{path: "info/a/", kind: tar.TypeDir}, {path: "info/a", kind: tar.TypeDir}}, "", "belongs into the other", ""},
		{"file twice", []tarFile{{path: "info/a"}, {path: "info/a"}}, `has "info/a" twice`, "belongs into the other", `has "info/a" twice`},
		{"file and folder", []tarFile{{path: "info/a"}, {path: "info/a/", kind: tar.TypeDir}}, `has "info/a" twice`, "belongs into the other", "twice"},
		{"payload twice", []tarFile{{path: "a/b"}, {path: "./a//b"}}, below, `has "a/b" twice`, "twice"},
		{"index twice", []tarFile{good()}, `has "info/index.json" twice`, "belongs into the other", "twice"},
		{"index of another case", []tarFile{{path: "info/Index.JSON"}}, "which some systems take for info/index.json", "belongs", "which some systems take for"},
		{"upper-case info", []tarFile{{path: "INFO/index.json"}}, below, "belongs into the other", below},
		{"info with a dot", []tarFile{{path: "info./index.json"}}, below, "belongs into the other", below},
		{"dotted index", []tarFile{{path: "./info/index.json"}}, "the indexers look for info/", "belongs into the other", "the indexers look for info/"},
		{"dotted payload", []tarFile{{path: "./", kind: tar.TypeDir}, {path: "./bin/x"}}, "the indexers look", "", ""},
		{"empty part", []tarFile{{path: "info//a"}}, "no empty, . or .. parts", "belongs", "no empty, . or .. parts"},
		{"dot part", []tarFile{{path: "info/./a"}}, "no empty, . or .. parts", "belongs", "no empty, . or .. parts"},
		{"climbing", []tarFile{{path: "info/../a"}}, "no empty, . or .. parts", "belongs", "no empty, . or .. parts"},
		{"climbing to info", []tarFile{{path: "a/../info/index.json"}}, below, climbs, climbs},
		{"climbing out", []tarFile{{path: "../a"}}, below, climbs, climbs},
		{"climbing inside", []tarFile{{path: "a/../b"}}, below, climbs, climbs},
		{"climbing on Windows", []tarFile{{path: `a\..\..\b`}}, "no backslash", climbs, climbs},
		{"dots in a name", []tarFile{{path: "a..b/..c/d.."}}, below, "", ""},
		{"absolute", []tarFile{{path: "/bin/x"}}, below, "absolute path", "absolute path"},
		{"absolute info", []tarFile{{path: "/info/index.json"}}, below, "belongs into the other", below},
		{"absolute on Windows", []tarFile{{path: `C:\x`}}, "no backslash", "absolute path", "absolute path"},
		{"drive", []tarFile{{path: `c:x`}}, below, "absolute path", "absolute path"},
		{"share on Windows", []tarFile{{path: `\\host\x`}}, "no backslash", "absolute path", "absolute path"},
		{"backslash", []tarFile{{path: `etc/a\x2db`}}, "no backslash", "", ""},
		{"backslash into info", []tarFile{{path: `info\index.json`}}, "no backslash", "belongs into the other", "no backslash"},
		{"backslash below info", []tarFile{{path: `info/a\b`}}, "no backslash", "belongs into the other", "no backslash"},
		{"not UTF-8", []tarFile{{path: "info/\xff"}}, "is not UTF-8", "belongs into the other", "is not UTF-8"},
		{"not UTF-8, payload", []tarFile{{path: "a/\xff"}}, "is not UTF-8", "", ""},
		{"non-ASCII", []tarFile{{path: "info/licenses/größe"}}, "", "belongs", ""},
		{"conda-meta", []tarFile{{path: "conda-meta/x.json"}}, below, "belongs to the client", "belongs to the client"},
		{"conda-meta of another case", []tarFile{{path: "./Conda-Meta/x.json"}}, "the indexers look", "belongs to the client", "belongs to the client"},
		{"conda-meta further down", []tarFile{{path: "share/conda-meta/x.json"}}, below, "", ""},
		{"info further down", []tarFile{{path: "share/info/dir"}}, below, "", ""},
		{"name that begins as info", []tarFile{{path: "information/x"}}, below, "", ""},
		{"repodata_record", []tarFile{{path: "info/repodata_record.json"}}, "only clients write", "belongs", "only clients write"},
		{"link in info", []tarFile{{path: "info/x", kind: tar.TypeSymlink, link: "index.json"}}, "", "belongs", ""},
		{"link that leaves", []tarFile{{path: "lib/x", kind: tar.TypeSymlink, link: "../../../etc/passwd"}, {path: "lib/y", kind: tar.TypeLink, link: "lib/x"}}, below, "", ""},
		{"through a link", []tarFile{{path: "foo", kind: tar.TypeSymlink, link: "info"}, {path: "foo/index.json"}}, below, "leads through the link", "leads through the link"},
		{"through a link in info", []tarFile{{path: "info/s", kind: tar.TypeSymlink, link: "."}, {path: "info/s/index.json"}}, "leads through the link", "belongs", "leads through the link"},
		{"link replaced by a file", []tarFile{{path: "foo", kind: tar.TypeSymlink, link: "info/index.json"}, {path: "foo"}}, below, "twice", "twice"},
		{"info as a link", []tarFile{{path: "info", kind: tar.TypeSymlink, link: "x"}}, "something else than a folder", "belongs", "something else than a folder"},
		{"root as a file", []tarFile{{path: ".", data: "x"}}, below, "something else than a folder", "something else than a folder"},
		{"about as a link", []tarFile{{path: "info/about.json", kind: tar.TypeSymlink, link: "x"}}, "must be a plain file", "belongs", "must be a plain file"},
		{"about as a folder", []tarFile{{path: "info/about.json/", kind: tar.TypeDir}}, "must be a plain file", "belongs", "must be a plain file"},
		{"device", []tarFile{{path: "dev/x", kind: tar.TypeChar}}, "packages hold files, folders and links", "packages hold", "packages hold"},
		{"pipe", []tarFile{{path: "info/x", kind: tar.TypeFifo}}, "packages hold", "packages hold", "packages hold"},
		{"bad link.json", []tarFile{{path: "info/link.json", data: "[]"}}, "info/link.json: it is not a JSON object", "belongs", "info/link.json: it is not"},
		{"long paths", []tarFile{{path: "info/" + strings.Repeat("a/", 200) + "b"}}, "", "belongs", ""},
		{"empty", nil, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, condaOf(zst(tarOf(append([]tarFile{good()}, tt.files...)...)), nil), stem+".conda", tt.info)
			check(t, condaOf(nil, zst(tarOf(tt.files...))), stem+".conda", tt.pkg)
			check(t, bz2(tarOf(append(slices.Clone(tt.files), good())...)), stem+".tar.bz2", tt.tarBz)
		})
	}
}

// pax is a pax header with one record.
func pax(key, value string) []byte {
	n := len(key) + len(value) + 3
	for total := 0; total != n; {
		total, n = n, len(fmt.Sprint(n))+len(key)+len(value)+3
	}
	return rawTar("pax", 'x', fmt.Appendf(nil, "%d %s=%s\n", n, key, value), nil)
}

// TestTarHeaders is about what no library writes: each case is put before a good info/index.json.
func TestTarHeaders(t *testing.T) {
	t.Parallel()
	file := rawTar("a", '0', []byte("x"), nil)
	long := rawTar("././@LongLink", 'L', []byte("some/long/path\x00"), nil)
	gnu := func(h []byte) { copy(h[257:], "ustar  \x00") }
	for _, tt := range []struct {
		name, why string
		raw       []byte
	}{
		{"ustar", "", file},
		{"GNU", "", rawTar("a", '0', nil, gnu)},
		{"before POSIX", "", rawTar("a", 0, nil, func(h []byte) { clear(h[257:265]) })},
		{"another dialect", "dialect", rawTar("a", '0', nil, func(h []byte) { h[257] = 'U' })},
		{"star", "dialect", rawTar("a", '0', nil, func(h []byte) { copy(h[508:], "tar\x00") })},
		{"binary size", "", rawTar("a", '0', []byte("x"), func(h []byte) { clear(h[124:136]); h[124], h[135] = 0x80, 1 })},
		{"blanks around the size", "", rawTar("a", '0', []byte("x"), func(h []byte) { copy(h[124:], "         1 \x00") })},
		{"size 2^63", "whose size", rawTar("a", '0', nil, func(h []byte) { clear(h[124:136]); h[124], h[128] = 0x80, 0x80 })},
		{"size 2^90", "whose size", rawTar("a", '0', nil, func(h []byte) { clear(h[124:136]); h[124], h[125] = 0x80, 4 })},
		{"negative size", "whose size", rawTar("a", '0', nil, func(h []byte) { copy(h[124:], bytes.Repeat([]byte{0xff}, 12)) })},
		{"size of letters", "whose size", rawTar("a", '0', nil, func(h []byte) { h[130] = '8' })},
		{"size beyond the file", "cut short", rawTar("a", '0', nil, func(h []byte) { copy(h[124:], "77777777777\x00") })},
		{"mode of letters", "damaged number at byte 100", rawTar("a", '0', nil, func(h []byte) { h[100] = 'x' })},
		{"time before 1970", "damaged number at byte 136", rawTar("a", '0', nil, func(h []byte) { copy(h[136:], "-0000000001\x00") })},
		{"sum wrong", "damaged header", func() []byte { b := bytes.Clone(file); b[0] = 'b'; return b }()},
		{"prefix", "", rawTar("index.json", '0', nil, func(h []byte) { copy(h[345:], "share") })},
		{"prefix into info", "twice", rawTar("index.json", '0', index(nil), func(h []byte) { copy(h[345:], "info") })},
		{"no prefix in GNU", "", rawTar("index.json", '0', nil, func(h []byte) { copy(h[345:], "info"); gnu(h) })},
		{"folder with data", "folder or link with data", rawTar("a", '5', []byte("x"), nil)},
		{"link with data", "folder or link with data", rawTar("a", '2', []byte("x"), nil)},
		{"hard link with data", "folder or link with data", rawTar("a", '1', []byte("x"), nil)},
		{"file named as a folder", "ends as a folder's", rawTar("a/", '0', nil, nil)},
		{"folder of old", "ends as a folder's", rawTar("info/a/", 0, nil, nil)},
		{"empty path", "without a path", rawTar("", '0', nil, nil)},
		{"contiguous file", "of type '7'", rawTar("a", '7', nil, nil)},
		{"sparse file", "of type 'S'", rawTar("a", 'S', nil, gnu)},
		{"volume", "of type 'V'", rawTar("a", 'V', nil, gnu)},
		{"global header", "global header", rawTar("a", 'g', []byte("9 path=b\n"), nil)},

		{"long path", "", slices.Concat(long, file)},
		{"long path into info", "twice", slices.Concat(rawTar("L", 'L', []byte("info/index.json\x00"), nil), rawTar("a", '0', index(nil), nil))},
		{"long link", "", slices.Concat(rawTar("L", 'K', []byte("somewhere\x00"), nil), rawTar("a", '2', nil, nil))},
		{"long link and path", "", slices.Concat(rawTar("L", 'K', []byte("somewhere\x00"), nil), long, rawTar("a", '2', nil, nil))},
		{"two long paths", "names an entry twice", slices.Concat(long, long, file)},
		{"two long links", "names an entry twice", slices.Concat(rawTar("L", 'K', []byte("a\x00"), nil), rawTar("L", 'K', []byte("b\x00"), nil), file)},
		{"long path and pax path", "names an entry twice", slices.Concat(long, pax("path", "info/index.json"), file)},
		{"pax path and long path", "names an entry twice", slices.Concat(pax("path", "info/index.json"), long, file)},
		{"long path with a zero", "zero byte", slices.Concat(rawTar("L", 'L', []byte("a\x00b"), nil), file)},
		{"empty long path", "extended header of 0 bytes", slices.Concat(rawTar("L", 'L', nil, nil), file)},
		{"long path of zeros", "long path that is empty", slices.Concat(rawTar("L", 'L', []byte("\x00"), nil), file)},
		{"huge long path", "extended header of 1048577 bytes", slices.Concat(rawTar("L", 'L', make([]byte, 1<<20+1), nil), file)},
		{"dangling long path", "ends after an extended header", nil},

		{"pax path", "", slices.Concat(pax("path", "some/path"), file)},
		{"pax path into info", "twice", slices.Concat(pax("path", "info/index.json"), rawTar("a", '0', index(nil), nil))},
		{"pax time and attributes", "", slices.Concat(pax("mtime", "1.5"), pax("SCHILY.xattr.user.x", "a=b\x00c"), file)},
		{"pax size", `pax header with "size"`, slices.Concat(pax("size", "600"), file)},
		{"pax sparse", `pax header with "GNU.sparse.major"`, slices.Concat(pax("GNU.sparse.major", "1"), file)},
		{"pax empty path", "path is empty", slices.Concat(pax("path", ""), file)},
		{"pax path with a zero", "zero byte", slices.Concat(pax("path", "a\x00b"), file)},
		{"pax path twice", "path is empty, double", slices.Concat(rawTar("p", 'x', []byte("9 path=a\n9 path=b\n"), nil), file)},
		{"pax length short", "damaged pax header", slices.Concat(rawTar("p", 'x', []byte("8 path=a\n"), nil), file)},
		{"pax length long", "damaged pax header", slices.Concat(rawTar("p", 'x', []byte("99 path=a\n"), nil), file)},
		{"pax length signed", "damaged pax header", slices.Concat(rawTar("p", 'x', []byte("+10 path=a\n"), nil), file)},
		{"pax without a key", "damaged pax header", slices.Concat(rawTar("p", 'x', []byte("5 =a\n"), nil), file)},
		{"pax without a value", "damaged pax header", slices.Concat(rawTar("p", 'x', []byte("7 path\n"), nil), file)},
		{"pax without an end", "damaged pax header", slices.Concat(rawTar("p", 'x', []byte("9 path=ab"), nil), file)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			idx := rawTar("info/index.json", '0', index(nil), nil)
			raw := slices.Concat(tt.raw, idx, tarEnd)
			if tt.name == "dangling long path" {
				raw = slices.Concat(idx, long, tarEnd)
			}
			check(t, bz2(raw), stem+".tar.bz2", tt.why)
		})
	}
}

func TestTarEnds(t *testing.T) {
	t.Parallel()
	idx := rawTar("info/index.json", '0', index(nil), nil)
	for _, tt := range []struct {
		name, why string
		raw       []byte
	}{
		{"two blocks", "", slices.Concat(idx, tarEnd)},
		{"padded to 10 kB", "", slices.Concat(idx, make([]byte, 10240))},
		{"one block", "", slices.Concat(idx, tarEnd[:512])},
		{"one block and a half", "cut short", slices.Concat(idx, tarEnd[:700])},
		{"none", "", idx},
		{"padding cut", "cut short", idx[:len(idx)-1]},
		{"data cut", "cut short", idx[:520]},
		{"header cut", "cut short", slices.Concat(idx, idx[:100])},
		{"data after one block", "data after its end", slices.Concat(idx, tarEnd[:512], rawTar("info/index.json", '0', index(fields{"depends": []string{"evil"}}), nil), tarEnd)},
		{"data after two blocks", "data after its end", slices.Concat(idx, tarEnd, []byte("x"))},
		{"nothing", "no info/index.json", tarEnd},
		{"empty", "no info/index.json", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, bz2(tt.raw), stem+".tar.bz2", tt.why)
			check(t, condaOf(zst(tt.raw), nil), stem+".conda", tt.why)
		})
	}
	check(t, condaOf(nil, zst(tarEnd)), stem+".conda", "")
	check(t, condaOf(nil, []byte{}), stem+".conda", "pkg-x-y-1.0-h0_0.tar.zst: its zstd frame is cut short")
}
