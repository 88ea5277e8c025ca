package repodata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
)

// readAll reads a whole source: its entries, the keys of those that are bad, and how it ended.
func readAll(text string) (entries []Entry, bad []string, info SourceInfo, err error) {
	s := NewSource(strings.NewReader(text), conda.Noarch())
	for entry, oops := range s.Entries() {
		if e, ok := errors.AsType[*EntryError](oops); ok {
			bad = append(bad, fmt.Sprintf("%s %s: %v", e.Place, e.Key, e.Unwrap()))
		} else if oops != nil {
			err = oops
		} else {
			entries = append(entries, entry)
		}
	}
	return entries, bad, s.Info(), err
}

// rec is a record of x-VERSION-0 with more fields.
func rec(version, fields string) string {
	return `{"name":"x","version":"` + version + `","build":"0","build_number":0,"depends":[]` + fields + `}`
}

// What other channels write, odd as it may be, is read as it was meant, and what cannot be read spoils nothing.
func TestSourceTakesWhatChannelsHave(t *testing.T) {
	t.Parallel()
	sum, sum5 := strings.Repeat("ab", 32), strings.Repeat("cd", 16)
	text := `{"removed":["x-0-0.conda","X.conda"],"repodata_version":2,"signatures":{"x":{"y":[1,{}]}},
"packages":{
 "x-1-0.tar.bz2":` + rec("1", `,"subdir":"linux-64","noarch":true,"license":null,"track_features":["a","b"],"unknown":{"a":[]},"timestamp":1500000000,
   "md5":"`+sum5+`","sha256":"`+sum+`","size":12.0,"indexed_timestamp":1.7e12,"attestations_sha256":"`+sum+`"`) + `,
 "x-2-0.tar.bz2":` + rec("2", `,"subdir":"unknown","md5":null,"timestamp":4102444800000,"run_exports":["x >=2"]`) + `,
 "x-3-0.tar.bz2":{"name":"x","version":"4","build":"0","build_number":0},
 "x-4-0.tar.bz2":7,
 "x-5-0.tar.bz2":` + rec("5", `,"sha256":"00"`) + `,
 "x-6-0.tar.bz2":` + rec("6", `,"size":1.5`) + `,
 "x-7-0.conda":` + rec("7", ``) + `,
 "x-8-0.tar.bz2":` + rec("8", `,"noarch":"no"`) + `,
 "x-9-0.tar.bz2":` + rec("9", `,"run_exports":{"weak":"a"}`) + `,
 "x-10-0.tar.bz2":` + rec("10", `,"name":"x"`) + `,
 "x-11-0.tar.bz2":` + rec("11", "") + `,
 "x-11-0.tar.bz2":` + rec("11", `,"license":"evil"`) + `,
 "../x-12-0.tar.bz2":` + rec("12", "") + `},
"packages.conda":null,
"v3":{"whl":{"x-1-0":{}},"conda":{"x-13-0":` + rec("13", `,"flags":["cuda"]`) + `}},
"info":{"base_url":"https://example.org/","subdir":"noarch","arch":7}}`
	linux := subdir(t, "linux-64")
	one := conda.Record{Name: "x", Version: "1", Build: "0", Subdir: linux, Noarch: "generic", TrackFeatures: "a b", TimestampMS: 1_500_000_000_000,
		Size: 12, IndexedMS: 1_700_000_000_000, MD5: [16]byte(bytes.Repeat([]byte{0xcd}, 16)), SHA256: [32]byte(bytes.Repeat([]byte{0xab}, 32)), AttestationsSHA256: [32]byte(bytes.Repeat([]byte{0xab}, 32))}
	plain := func(version string) conda.Record {
		return conda.Record{Name: "x", Version: version, Build: "0", Subdir: conda.Noarch()}
	}
	two, seven, eleven, thirteen := plain("2"), plain("7"), plain("11"), plain("13")
	two.TimestampMS, thirteen.Flags = 4_102_444_800_000, []string{"cuda"}
	want := []Entry{
		{Place: Removed, File: filename(t, "x-0-0.conda")},
		{Place: TarBz2, File: filename(t, "x-1-0.tar.bz2"), Record: one},
		{Place: TarBz2, File: filename(t, "x-2-0.tar.bz2"), Record: two, RunExports: &conda.RunExports{Weak: []string{"x >=2"}}},
		{Place: TarBz2, File: filename(t, "x-7-0.conda"), Record: seven},
		{Place: TarBz2, File: filename(t, "x-11-0.tar.bz2"), Record: eleven},
		{Place: CondaV3, File: filename(t, "x-13-0.conda"), Record: thirteen},
	}
	entries, bad, info, err := readAll(text)
	if diff := gocmp.Diff(want, entries, equal); err != nil || diff != "" {
		t.Errorf("%v, entries (-want +got):\n%s", err, diff)
	}
	if want := (SourceInfo{Subdir: "noarch", BaseURL: "https://example.org/"}); info != want {
		t.Errorf("info = %+v, want %+v", info, want)
	}
	wantBad := []string{
		"removed X.conda: file name", `packages x-3-0.tar.bz2: "version" is "4"`, "packages x-4-0.tar.bz2: it is not a JSON object",
		`packages x-5-0.tar.bz2: "sha256" is`, `packages x-6-0.tar.bz2: "size" is "1.5"; it must be a whole number`,
		`packages x-8-0.tar.bz2: "noarch"`, `packages x-9-0.tar.bz2: "weak"`,
		`packages x-10-0.tar.bz2: it has the key "name" twice`, "packages x-11-0.tar.bz2: the file is listed twice", "packages ../x-12-0.tar.bz2: file name",
	}
	if len(bad) != len(wantBad) || !slices.EqualFunc(bad, wantBad, strings.HasPrefix) {
		t.Errorf("bad entries: %q, want %q", bad, wantBad)
	}
}

func TestSourceRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, why string }{
		{``, "unexpected EOF"},
		{`[]`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{`{}{}`, "more after the JSON object"},
		{`{} x`, "invalid character"},
		{`{"packages":{`, "unexpected EOF"},
		{`{"packages":{"x-1-0.tar.bz2":{`, "unexpected EOF"},
		{`{"packages":[]}`, "packages is not an object"},
		{`{"v3":7}`, "v3 is not an object"},
		{`{"removed":{}}`, "removed is not a list"},
		{`{"removed":[1]}`, "removed is not a list of file names"},
		{`{"removed":[["x"]]}`, "removed is not a list of file names"},
		{`{"packages":{},"packages":{}}`, `it has "packages" twice`},
		{`{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "nested too deep"},
		{`{"x":[}`, "invalid character"},
		{`{"` + strings.Repeat("x", 5<<20) + `":1}`, "more than 4194304 bytes"},
		{`{"x":"` + strings.Repeat("x", 5<<20) + `"}`, "more than 4194304 bytes"},
		{`{"packages":{"x-1-0.tar.bz2":{"name":"` + strings.Repeat("x", 5<<20) + `"}}}`, "more than 4194304 bytes"},
	} {
		t.Run(fmt.Sprintf("%.40s", tt.in), func(t *testing.T) {
			t.Parallel()
			if entries, bad, _, err := readAll(tt.in); err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("= %v, %q, %v; want an error with %q", entries, bad, err, tt.why)
			}
		})
	}
	_, bad, _, err := readAll(`{"packages":{"x-1-0.tar.bz2":` + rec("1", `,"license":"`+strings.Repeat("x", 2<<20)+`"`) + `,"x-2-0.tar.bz2":` + rec("2", "") + `}}`)
	if err != nil || len(bad) != 1 || !strings.Contains(bad[0], "more than 1048576 bytes") {
		t.Errorf("a record of two MiB: %q, %v", bad, err)
	}
}

// Whoever has seen enough gets no more.
func TestSourceStops(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"packages":{"x-1-0.tar.bz2":1,"x-2-0.tar.bz2":2}}`, `{"removed":["x-1-0.conda","x-2-0.conda"],"packages":[]}`} {
		n := 0
		for range NewSource(strings.NewReader(text), conda.Noarch()).Entries() {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s: %d entries before the stop", text, n)
		}
	}
}

// Our own repodata.json is read as what it was made of.
func TestSourceReadsOurOwn(t *testing.T) {
	t.Parallel()
	m := newMaker()
	all := artifacts(t, 500)
	old, v3 := all[:400], all[400:]
	var v3Members [][]byte
	for _, a := range v3 {
		v3Members = append(v3Members, MemberV3(a.file, a.rec))
	}
	text := written(t, Repodata(subdir(t, "linux-64"), Records{
		Conda: m.pieces(",", jsonMembers(old)), CondaV3: m.pieces(",", v3Members), V3: len(v3),
		Removed: []Piece{m.piece(",", RemovedMember("x-1-0.tar.bz2"))},
	}), m)
	want := append(entriesOf(old), Entry{Place: Removed, File: filename(t, "x-1-0.tar.bz2")})
	for _, e := range entriesOf(v3) {
		e.Place = CondaV3
		want = append(want, e)
	}
	for i := range want {
		want[i].RunExports = nil
	}
	entries, bad, info, err := readAll(string(text))
	if diff := gocmp.Diff(want, entries, equal); err != nil || bad != nil || diff != "" {
		t.Errorf("%v, %q, entries (-want +got):\n%s", err, bad, diff)
	}
	if info.Subdir != "linux-64" || info.BaseURL != "" {
		t.Errorf("info = %+v", info)
	}
}

// endless is a repodata.json of n records that nobody holds whole.
type endless struct {
	n, at int
	buf   bytes.Buffer
}

func (e *endless) Read(p []byte) (int, error) {
	for e.buf.Len() < len(p) && e.at <= e.n+1 {
		switch {
		case e.at == 0:
			e.buf.WriteString(`{"packages":{"x-0-0.conda":0`)
		case e.at <= e.n:
			fmt.Fprintf(&e.buf, `,"x-%d-0.tar.bz2":%s`, e.at, rec(fmt.Sprint(e.at), `,"summary":"`+strings.Repeat("s", 2000)+`"`))
		default:
			e.buf.WriteString("}}")
		}
		e.at++
	}
	if e.buf.Len() == 0 {
		return 0, io.EOF
	}
	return e.buf.Read(p)
}

// Memory does not grow with the file but for the file names' hashes: 16 MB are read in less than 4 MiB.
func TestSourceMemoryIsFlat(t *testing.T) {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for _, err := range NewSource(&endless{n: 8_000}, conda.Noarch()).Entries() {
		if n++; n == 8_000 {
			runtime.GC()
			runtime.ReadMemStats(&now)
		}
		if _, ok := errors.AsType[*EntryError](err); err != nil && (!ok || n > 1) {
			t.Fatal(err)
		}
	}
	if held := int64(now.HeapAlloc) - int64(before.HeapAlloc); n != 8_001 || held > 4<<20 {
		t.Errorf("%d entries held %d bytes", n, held)
	}
}

// FuzzSource holds the reader against encoding/json, and its records against our own members: a file that is
// taken is one JSON object; no removed name gets lost; and what is taken as a record survives being written by
// us and read again.
func FuzzSource(f *testing.F) {
	for _, s := range []string{
		`{"packages":{"x-1-0.tar.bz2":` + rec("1", `,"size":1,"subdir":"noarch"`) + `}}`, `{"removed":["x-1-0.conda"],"info":{"base_url":"x"},"v3":{"conda":{"x-1-0":` + rec("1", "") + `}}}`,
		`{"packages":{"x-1-0.tar.bz2":1,"x-1-0.tar.bz2":2}}`, `{"x":[[{}]]}`, `{}`, `{"packages":null}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, bad, _, err := readAll(text)
		if err != nil {
			return
		}
		var file map[string]json.RawMessage
		var removed []json.RawMessage
		if err := json.Unmarshal([]byte(text), &file); err != nil {
			t.Fatalf("%s was taken: %v", text, err)
		}
		if json.Unmarshal(file["removed"], &removed) == nil && len(entries)+len(bad) < len(removed) {
			t.Errorf("%d entries for %d removed names", len(entries)+len(bad), len(removed))
		}
		for _, e := range entries {
			if e.Place == Removed {
				continue
			}
			j := jsonForm{}
			j.key(e.File.String())
			writeRecord(&j, e.Record, nil)
			if _, r, err := ParseMember(placeOf(e.File), j.b); err != nil || !r.Equal(e.Record) {
				t.Errorf("%+v was written as %s and read as %+v, %v", e.Record, j.b, r, err)
			}
		}
	})
}
