package repodata

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice/internal/conda"
)

// placeOf is where a file's record stands in repodata for all clients.
func placeOf(f conda.Filename) Place {
	if f.Ext() == conda.ExtConda {
		return Conda
	}
	return TarBz2
}

// said is a record as it comes back when it was written: what is not UTF-8 is replaced.
func said(r conda.Record) conda.Record {
	valid := func(ss []string) (out []string) {
		for _, s := range ss {
			out = append(out, validUTF8(s))
		}
		return out
	}
	for _, s := range []*string{&r.Noarch, &r.License, &r.LicenseFamily, &r.Features, &r.TrackFeatures, &r.PythonSitePackagesPath} {
		*s = validUTF8(*s)
	}
	for _, l := range []*[]string{&r.Depends, &r.Constrains, &r.Purls, &r.Flags} {
		*l = valid(*l)
	}
	extras := map[string][]string{}
	for k, l := range r.ExtraDepends {
		extras[k] = valid(l)
	}
	r.ExtraDepends = extras
	return r
}

// Any record comes back from its member as it went in, hashes, times before 1970 and all.
func TestMemberRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := drawArtifact(t)
		raw := Member(a.file, a.rec)
		f, r, err := ParseMember(placeOf(a.file), raw)
		if diff := conda.Diff(said(a.rec), r); err != nil || f != a.file || diff != nil {
			t.Fatalf("%s came back as %v, differing in %q: %v", raw, f, diff, err)
		}
	})
}

func TestParseMemberRefusals(t *testing.T) {
	t.Parallel()
	a := full(t)
	good := string(Member(a.file, a.rec))
	if _, _, err := ParseMember(Conda, []byte(good)); err != nil {
		t.Fatal(err)
	}
	stem := strings.Replace(good, a.file.String(), a.file.Stem(), 1)
	if f, _, err := ParseMember(CondaV3, []byte(stem)); err != nil || f != a.file {
		t.Errorf("a member of v3: %v, %v", f, err)
	}
	change := func(old, by string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(good, old, by, 1)
	}
	for _, tt := range []struct {
		place Place
		in    string
	}{
		{TarBz2, good}, {CondaV3, good}, {Conda, stem}, {Conda, ""}, {Conda, `"` + a.file.String() + `"`}, {Conda, good + " "}, {Conda, good[1:]}, {Conda, good[:len(good)-1]},
		{Conda, change(`"build_number":`, `"build_number": `)}, {Conda, change(`"name":"zlib"`, `"name":"zlib","name":"zlib"`)}, {Conda, change(`"name":"zlib"`, `"Name":"zlib"`)},
		{Conda, change(`"name":"zlib"`, `"name":"zlib2"`)}, {Conda, change(`"sha256":"`, `"sha256":"00`)}, {Conda, change(`"depends"`, `"constrains":null,"depends"`)},
		{Conda, change(`"version"`, `"zzz":1,"version"`)}, {Conda, change(`"subdir":"`, `"subdir":"../`)}, {Conda, change(a.file.String(), "../x.conda")},
	} {
		if f, r, err := ParseMember(tt.place, []byte(tt.in)); err == nil {
			t.Errorf("in %s, %s was read as %v, %+v", tt.place, tt.in, f, r)
		}
	}
}

// FuzzParseMember: what is read is written the same.
func FuzzParseMember(f *testing.F) {
	for _, a := range []listed{full(f), least(f)} {
		f.Add(Member(a.file, a.rec))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, p := range []Place{TarBz2, Conda} {
			if f, r, err := ParseMember(p, raw); err == nil && (!bytes.Equal(Member(f, r), raw) || placeOf(f) != p) {
				t.Errorf("%s was read as %v, %+v", raw, f, r)
			}
		}
	})
}

// entriesOf is what a shard of these artifacts must be read as.
func entriesOf(all []listed) (want []Entry) {
	for _, ext := range []string{conda.ExtTarBz2, conda.ExtConda} {
		for _, a := range all {
			if a.file.Ext() == ext {
				want = append(want, Entry{Place: placeOf(a.file), File: a.file, Record: said(a.rec), RunExports: &a.re})
			}
		}
	}
	return want
}

// equal compares entries, empty lists being none.
var equal = gocmp.Options{
	cmpopts.EquateEmpty(),
	gocmp.Comparer(func(a, b conda.Filename) bool { return a == b }),
	gocmp.Comparer(func(a, b conda.Subdir) bool { return a == b }),
}

func TestReadShard(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	tar, con := full(t), full(t)
	tar.file = filename(t, tar.file.Stem()+conda.ExtTarBz2)
	other := con
	other.file, other.rec.BuildNumber, other.rec.Build = filename(t, "zlib-1.3.1-h1_70000.conda"), 70000, "h1_70000"
	raw := rawOf(t, e, tar, con, other)
	got, err := ReadShard(fileOf(t, raw))
	if diff := gocmp.Diff(entriesOf([]listed{tar, con, other}), got, equal); err != nil || diff != "" {
		t.Errorf("%v, entries (-want +got):\n%s", err, diff)
	}

	// As other readers may have it: v3, names that are removed, keys in any order.
	b := appendMap(nil, 3)
	b = append(appendMap(appendStr(appendMap(appendStr(b, "v3"), 1), "conda"), 1), ShardMemberV3(con.file, con.rec, con.re)...)
	b = appendStr(appendArray(appendStr(b, "removed"), 1), "zlib-1.0-0.tar.bz2")
	b = appendMap(appendStr(b, "packages"), 0)
	want := entriesOf([]listed{con})
	want[0].Place = CondaV3
	want = append(want, Entry{Place: Removed, File: filename(t, "zlib-1.0-0.tar.bz2")})
	got, err = ReadShard(fileOf(t, b))
	if diff := gocmp.Diff(want, got, equal); err != nil || diff != "" {
		t.Errorf("%v, entries (-want +got):\n%s", err, diff)
	}
}

// rawOf is the raw shard of these artifacts.
func rawOf(t testing.TB, e *Encoder, all ...listed) []byte {
	t.Helper()
	var tars, condas []listed
	for _, a := range all {
		if a.file.Ext() == conda.ExtConda {
			condas = append(condas, a)
		} else {
			tars = append(tars, a)
		}
	}
	return decode(t, e.Shard(ShardMembers{TarBz2: shardMembers(tars), Conda: shardMembers(condas)}))
}

// fileOf is raw as the one frame of a file.
func fileOf(t testing.TB, raw []byte) []byte {
	t.Helper()
	m := newMaker()
	var b builder
	b.add("", []Piece{m.piece("", raw)})
	return frameIn(t, b.end(""), m)
}

// frameIn is the file as one zstd frame.
func frameIn(t testing.TB, f File, blocks Blocks) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := f.WriteZstd(t.Context(), &out, blocks); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadShardRefusals(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	a := full(t)
	a.rec.BuildNumber = 1
	file := e.Shard(ShardMembers{Conda: shardMembers([]listed{a})})
	raw := decode(t, file)
	change := func(old, by string) []byte {
		t.Helper()
		if !bytes.Contains(raw, []byte(old)) {
			t.Fatalf("no %q in the shard", old)
		}
		return bytes.Replace(raw, []byte(old), []byte(by), 1)
	}
	other := a
	other.file, other.rec.Name = filename(t, "a-1.3.1-h4ab18f5_1.conda"), "a"
	for name, tt := range map[string]struct {
		file []byte
		why  string
	}{
		"nothing":            {nil, "zstd"},
		"two frames":         {slices.Concat(file, file), "not exactly one zstd frame"},
		"bytes after it":     {append(slices.Clone(file), 0), "not exactly one zstd frame"},
		"cut short":          {file[:len(file)-1], "cut short"},
		"frame to skip":      {[]byte("\x50\x2a\x4d\x18\x01\x00\x00\x00x"), "to skip"},
		"more content":       {fileOf(t, append(slices.Clone(raw), 0xC0)), "more after its end"},
		"less content":       {fileOf(t, raw[:len(raw)-1]), "cut short"},
		"no packages":        {fileOf(t, change("packages", "sackages")), "unknown key"},
		"packages lacking":   {fileOf(t, appendMap(nil, 0)), `lacks "packages"`},
		"a key twice":        {fileOf(t, append(slices.Concat(appendMap(nil, 2), appendStr(nil, "packages"), appendMap(nil, 0), appendStr(nil, "packages")), 0x80)), "twice"},
		"nil":                {fileOf(t, change("\xA4Zlib", "\xC0lib.")), "type"},
		"a hash as text":     {fileOf(t, change("\xA3md5\xC4\x10", "\xA3md5\xD9\x10")), ""},
		"a wider number":     {fileOf(t, change("\xACbuild_number\x01", "\xACbuild_number\xCC\x01")), "not written as"},
		"another's record":   {fileOf(t, change("\xA4name\xA4zlib", "\xA4name\xA4blib")), "is that of blib"},
		"a file twice":       {e.Shard(ShardMembers{Conda: shardMembers([]listed{a, a})}), "twice"},
		"two names":          {e.Shard(ShardMembers{Conda: shardMembers([]listed{other, a})}), "not of one name"},
		"wrong map":          {e.Shard(ShardMembers{TarBz2: shardMembers([]listed{a})}), "does not belong into packages"},
		"too large for some": {e.Shard(ShardMembers{Conda: [][]byte{append(appendStr(nil, "x"), bytes.Repeat([]byte{1}, 17<<20)...)}}), "decode the zstd frame"},
		"deep":               {fileOf(t, append(appendMap(appendStr(appendMap(nil, 1), "packages"), 1), append(appendStr(nil, "x-1-0.tar.bz2"), bytes.Repeat([]byte{0x91}, 100)...)...)), "nested too deep"},
		"a huge count":       {fileOf(t, append(appendStr(appendMap(nil, 1), "packages"), 0xDF, 0xFF, 0xFF, 0xFF, 0xFF)), "cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := ReadShard(tt.file); err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("= %d entries, %v; want an error with %q", len(got), err, tt.why)
			}
		})
	}
}

// FuzzReadShard: the entries that are read are the members that were written, none more and none less.
func FuzzReadShard(f *testing.F) {
	e := NewEncoder()
	f.Add(rawOf(f, e, full(f)))
	f.Add(rawOf(f, e, least(f)))
	f.Add(rawOf(f, e))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 || len(raw) > PieceTarget {
			return
		}
		got, err := ReadShard(fileOf(t, raw))
		if err != nil {
			return
		}
		for _, g := range got {
			if g.Place == TarBz2 || g.Place == Conda {
				if !bytes.Contains(raw, ShardMember(g.File, g.Record, *g.RunExports)) {
					t.Errorf("%v is not in the shard", g)
				}
			}
		}
	})
}
