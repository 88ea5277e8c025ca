package repodata

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"sluice/internal/conda"
)

// full has every field.
func full(t testing.TB) listed {
	r := conda.Record{
		Name: "zlib", Version: "1.3.1", Build: "h4ab18f5_1", BuildNumber: math.MaxInt64, Subdir: subdir(t, "linux-64"),
		Depends: []string{"__glibc >=2.17,<3.0.a0", "é \"quoted\""}, Constrains: []string{"zlib-ng <0"},
		Noarch: "python", License: "Zlib", LicenseFamily: "Other", Features: "f", TrackFeatures: "a b",
		PythonSitePackagesPath: "lib/site-packages", Purls: []string{"pkg:a/b", "pkg:c/d"},
		ExtraDepends: map[string][]string{"test": {"pytest"}, "doc": {}}, Flags: []string{"cuda", "blas:mkl"},
		TimestampMS: 1716874837000, Size: 61574, IndexedMS: 1758700000123,
	}
	for i := range r.SHA256 {
		r.SHA256[i] = 0xab
	}
	for i := range r.MD5 {
		r.MD5[i] = byte(i)
	}
	return listed{filename(t, "zlib-1.3.1-h4ab18f5_1.conda"), r, conda.RunExports{
		Weak: []string{"w"}, Strong: []string{"s"}, Noarch: []string{"n"},
		WeakConstrains: []string{"wc"}, StrongConstrains: []string{"sc"},
	}}
}

// least has only what a record must have.
func least(t testing.TB) listed {
	r := conda.Record{Name: "x", Version: "1", Build: "0", Subdir: conda.Noarch(), Size: 200, IndexedMS: 1}
	return listed{file: filename(t, "x-1-0.tar.bz2"), rec: r}
}

func TestMember(t *testing.T) {
	t.Parallel()
	ab := strings.Repeat("ab", 32)
	for _, tt := range []struct {
		a    listed
		want string
	}{
		{least(t), `"x-1-0.tar.bz2":{"build":"0","build_number":0,"depends":[],"indexed_timestamp":1,` +
			`"md5":"00000000000000000000000000000000","name":"x","sha256":"` + strings.Repeat("0", 64) + `",` +
			`"size":200,"subdir":"noarch","version":"1"}`},
		{full(t), `"zlib-1.3.1-h4ab18f5_1.conda":{"build":"h4ab18f5_1","build_number":9223372036854775807,` +
			`"constrains":["zlib-ng <0"],"depends":["__glibc >=2.17,<3.0.a0","é \"quoted\""],` +
			`"extra_depends":{"doc":[],"test":["pytest"]},"features":"f","flags":["cuda","blas:mkl"],` +
			`"indexed_timestamp":1758700000123,"license":"Zlib","license_family":"Other",` +
			`"md5":"000102030405060708090a0b0c0d0e0f","name":"zlib","noarch":"python",` +
			`"purls":["pkg:a/b","pkg:c/d"],"python_site_packages_path":"lib/site-packages","sha256":"` + ab + `",` +
			`"size":61574,"subdir":"linux-64","timestamp":1716874837000,"track_features":"a b","version":"1.3.1"}`},
	} {
		t.Run(tt.a.file.String(), func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, string(Member(tt.a.file, tt.a.rec))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRunExportsMember(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a    listed
		want string
	}{
		{least(t), `"x-1-0.tar.bz2":{"run_exports":{}}`},
		{full(t), `"zlib-1.3.1-h4ab18f5_1.conda":{"run_exports":{"noarch":["n"],"strong":["s"],` +
			`"strong_constrains":["sc"],"weak":["w"],"weak_constrains":["wc"]}}`},
	} {
		if got := string(RunExportsMember(tt.a.file, tt.a.re)); got != tt.want {
			t.Errorf("= %s, want %s", got, tt.want)
		}
	}
}

func TestShardMemberBytes(t *testing.T) {
	t.Parallel()
	str := func(s string) string { return hex.EncodeToString(appendStr(nil, s)) }
	want := str("x-1-0.tar.bz2") + "8b" + str("build") + str("0") + str("build_number") + "00" +
		str("depends") + "90" + str("indexed_timestamp") + "01" +
		str("md5") + "c410" + strings.Repeat("00", 16) + str("name") + str("x") + str("run_exports") + "80" +
		str("sha256") + "c420" + strings.Repeat("00", 32) + str("size") + "ccc8" + str("subdir") + str("noarch") +
		str("version") + str("1")
	a := least(t)
	if diff := cmp.Diff(want, hex.EncodeToString(ShardMember(a.file, a.rec, a.re))); diff != "" {
		t.Error(diff)
	}
}

func TestShardIndexMemberBytes(t *testing.T) {
	t.Parallel()
	var sum [32]byte
	sum[0], sum[31] = 0xab, 0xcd
	want := "a178 c420 ab" + strings.Repeat("00", 30) + "cd"
	if got := ShardIndexMember("x", sum); !bytes.Equal(got, unhex(t, want)) {
		t.Errorf("= %x, want %s", got, want)
	}
}

// A shard's record has the values of the flat one, its hashes as bin, and run_exports besides.
func TestShardMemberEqualsMember(t *testing.T) {
	t.Parallel()
	for _, a := range append(artifacts(t, 50), full(t), least(t)) {
		var flat map[string]map[string]any
		dec := json.NewDecoder(bytes.NewReader([]byte("{" + string(Member(a.file, a.rec)) + "}")))
		dec.UseNumber()
		if err := dec.Decode(&flat); err != nil {
			t.Fatal(err)
		}
		name, rec := unpackMember(t, ShardMember(a.file, a.rec, a.re))
		var exports struct {
			Exports any `json:"run_exports"`
		}
		_, value, _ := strings.Cut(string(RunExportsMember(a.file, a.re)), ":")
		if err := json.Unmarshal([]byte(value), &exports); err != nil {
			t.Fatal(err)
		}
		want := flat[a.file.String()]
		want["run_exports"] = exports.Exports
		if diff := cmp.Diff(want, jsonLike(rec)); diff != "" || name != a.file.String() {
			t.Errorf("%s: the shard differs (-flat +shard): %s", name, diff)
		}
	}
}

// unpackMember reads one member and checks what clients demand of the wire: no nil, integers in the
// shortest form, hashes as bin and nothing else as bin.
func unpackMember(t testing.TB, b []byte) (string, map[string]any) {
	t.Helper()
	r := bytes.NewReader(b)
	dec := msgpack.NewDecoder(r)
	name, err := dec.DecodeString()
	if err != nil {
		t.Fatal(err)
	}
	rec := unpackMap(t, dec)
	if r.Len() > 0 {
		t.Fatalf("%d bytes after the member of %s", r.Len(), name)
	}
	return name, rec
}

func unpackMap(t testing.TB, dec *msgpack.Decoder) map[string]any {
	t.Helper()
	n, err := dec.DecodeMapLen()
	if err != nil {
		t.Fatal(err)
	}
	m, last := make(map[string]any), ""
	for range n {
		key, err := dec.DecodeString()
		if err != nil || key <= last {
			t.Fatalf("key %q after %q, %v", key, last, err)
		}
		last, m[key] = key, unpackValue(t, dec, key)
	}
	return m
}

func unpackValue(t testing.TB, dec *msgpack.Decoder, key string) any {
	t.Helper()
	code, err := dec.PeekCode()
	if err != nil {
		t.Fatal(err)
	}
	hash := key == "md5" || key == "sha256"
	switch {
	case msgpcode.IsFixedMap(code), code == msgpcode.Map16:
		return unpackMap(t, dec)
	case hash != (code == msgpcode.Bin8), code == msgpcode.Nil:
		t.Fatalf("%s has wire type %#x", key, code)
	}
	v, err := dec.DecodeInterface()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// jsonLike turns what msgpack gave into what encoding/json would give.
func jsonLike(v any) any {
	b, err := json.Marshal(hexed(v))
	if err != nil {
		panic(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		panic(err)
	}
	return out
}

func hexed(v any) any {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case map[string]any:
		for k := range v {
			v[k] = hexed(v[k])
		}
	}
	return v
}

func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{"", "plain", "a <2,>=1 & b", "\"\\\b\f\n\r\t\x00\x1f\x7f", "é日本\u2028😀", "bad\xff\xc3", "\xed\xa0\x80", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := appendJSON(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil || !utf8.Valid(got) {
			t.Fatalf("%q became %q: %v", s, got, err)
		}
		if want := strings.Map(func(r rune) rune { return r }, s); back != want {
			t.Errorf("%q came back as %q", s, back)
		}
		var std bytes.Buffer
		enc := json.NewEncoder(&std)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		if len(got) > std.Len()-1 {
			t.Errorf("%q became %q, longer than the standard library's %q", s, got, std.Bytes())
		}
		if packed, err := msgpackString(appendStr(nil, s)); err != nil || packed != back {
			t.Errorf("msgpack says %q, %v; JSON says %q", packed, err, back)
		}
	})
}

func msgpackString(b []byte) (s string, err error) {
	err = msgpack.Unmarshal(b, &s)
	return s, err
}

// Every number comes back, and takes no more bytes than msgpack's own shortest form.
func TestAppendInt(t *testing.T) {
	t.Parallel()
	for shift := range 64 {
		for _, d := range []int64{-2, -1, 0, 1} {
			for _, n := range []int64{1<<shift + d, -(1 << shift) + d} {
				got := appendInt(nil, n)
				var back int64
				var shortest bytes.Buffer
				enc := msgpack.NewEncoder(&shortest)
				if err := enc.EncodeInt(n); err != nil {
					t.Fatal(err)
				}
				if err := msgpack.Unmarshal(got, &back); err != nil || back != n || !bytes.Equal(got, shortest.Bytes()) {
					t.Errorf("%d became %x, read as %d, %v; want %x", n, got, back, err, shortest.Bytes())
				}
			}
		}
	}
}

func TestAppendLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		var want bytes.Buffer
		enc := msgpack.NewEncoder(&want)
		s := strings.Repeat("s", n)
		for _, err := range []error{enc.EncodeString(s), enc.EncodeArrayLen(n), enc.EncodeMapLen(n)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := appendMap(appendArray(appendStr(nil, s), n), n); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%d: the headers differ from msgpack's", n)
		}
	}
}

// A record that tells of attestations is read as it was written, from repodata.json and from a shard.
func TestAttestedRecordIsReadBack(t *testing.T) {
	t.Parallel()
	a := artifacts(t, 1)[0]
	a.rec.AttestationsSHA256 = [32]byte{1, 2, 31: 3}
	if _, got, err := ParseMember(Conda, Member(a.file, a.rec)); err != nil || got.AttestationsSHA256 != a.rec.AttestationsSHA256 {
		t.Errorf("a member: %x, %v", got.AttestationsSHA256, err)
	}
	e := NewEncoder()
	entries, err := ReadShard(e.Shard(ShardMembers{Conda: [][]byte{ShardMember(a.file, a.rec, conda.RunExports{})}}))
	if err != nil || len(entries) != 1 || entries[0].Record.AttestationsSHA256 != a.rec.AttestationsSHA256 {
		t.Errorf("a shard: %+v, %v", entries, err)
	}
}
