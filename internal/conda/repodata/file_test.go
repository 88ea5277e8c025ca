package repodata

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/conda"
)

var generated = time.Date(2026, 9, 24, 10, 0, 0, 123456789, time.FixedZone("", 7200))

// piece makes a piece of members.
func piece(e *Encoder, sep string, members ...[]byte) Piece {
	raw := bytes.Join(members, []byte(sep))
	return Piece{RawLen: len(raw), Block: e.Compress(raw)}
}

// pieces makes as many pieces as Split wants.
func pieces(e *Encoder, sep string, members [][]byte) []Piece {
	lens := make([]int, len(members))
	for i, m := range members {
		lens[i] = len(m)
	}
	var all []Piece
	for _, r := range Split(lens, len(sep)) {
		all = append(all, piece(e, sep, members[r[0]:r[1]]...))
	}
	return all
}

// written checks that a file's frame, its plain bytes and its sizes agree, and returns the plain bytes.
func written(t testing.TB, f File) []byte {
	t.Helper()
	var frame, plain bytes.Buffer
	if err := f.WriteZstd(&frame); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteRaw(&plain); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(decode(t, frame.Bytes()), plain.Bytes()) {
		t.Fatal("the frame decodes to other bytes than the plain file")
	}
	if int64(frame.Len()) != f.ZstdSize() || int64(plain.Len()) != f.RawSize() {
		t.Fatalf("wrote %d and %d bytes, promised %d and %d", frame.Len(), plain.Len(), f.ZstdSize(), f.RawSize())
	}
	return plain.Bytes()
}

func TestEmptyFiles(t *testing.T) {
	t.Parallel()
	linux := subdir(t, "linux-64")
	for _, tt := range []struct {
		name string
		file File
		want string
	}{
		{"repodata", Repodata(linux, nil, nil),
			`{"info":{"subdir":"linux-64"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}`},
		{"run_exports", RunExportsFile(linux, nil, []Piece{}),
			`{"info":{"subdir":"linux-64","version":1},"packages":{},"packages.conda":{}}`},
		{"pieces of nothing", Repodata(linux, []Piece{{}}, []Piece{{}, {}}),
			`{"info":{"subdir":"linux-64"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}`},
		{"shard index", ShardIndex(conda.Noarch(), generated, 0, nil),
			"\x83\xa4info\x84\xa8base_url\xa2./\xaacreated_at\xb42026-09-24T08:00:00Z\xafshards_base_url\xa9./shards/" +
				"\xa6subdir\xa6noarch\xa6shards\xdf\x00\x00\x00\x00\xa7version\x01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, string(written(t, tt.file))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The layout, byte by byte: clients read it, so it changes for a reason only.
func TestFrameBytes(t *testing.T) {
	t.Parallel()
	a := Piece{RawLen: 3, Block: unhex(t, "180000 613a31")} // `a:1`
	b := Piece{RawLen: 3, Block: unhex(t, "180000 623a32")}
	f := RunExportsFile(conda.Noarch(), nil, []Piece{a, b})
	var frame bytes.Buffer
	if err := f.WriteZstd(&frame); err != nil {
		t.Fatal(err)
	}
	parts := []string{`{"info":{"subdir":"noarch","version":1},"packages":{`, `},"packages.conda":{`}
	want := unhex(t, "28b52ffd c0 38")
	want = append(want, byte(len(parts[0])+len(parts[1])+3+1+3+2), 0, 0, 0, 0, 0, 0, 0)
	for _, p := range parts {
		want = append(append(want, byte(len(p)<<3), byte(len(p)>>5), 0), p...)
	}
	want = append(append(append(want, a.Block...), 0x08, 0, 0, ','), b.Block...)
	want = append(append(want, 0x10, 0, 0), "}}"...)
	want = append(want, 1, 0, 0)
	if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(frame.Bytes())); diff != "" {
		t.Error(diff)
	}
}

// channel-format's example of a shard index with one name, and created_at.
func TestShardIndexBytes(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	sum := [32]byte(bytes.Repeat([]byte{0xab}, 32))
	f := ShardIndex(conda.Noarch(), generated, 1, []Piece{piece(e, "", ShardIndexMember("x", sum))})
	str := func(s string) string { return hex.EncodeToString(appendStr(nil, s)) }
	want := "83" + str("info") + "84" + str("base_url") + str("./") + str("created_at") + str("2026-09-24T08:00:00Z") +
		str("shards_base_url") + str("./shards/") + str("subdir") + str("noarch") +
		str("shards") + "df00000001" + str("x") + "c420" + strings.Repeat("ab", 32) + str("version") + "01"
	if diff := cmp.Diff(want, hex.EncodeToString(written(t, f))); diff != "" {
		t.Error(diff)
	}
}

func TestBigFilesByLibzstd(t *testing.T) {
	t.Parallel()
	e, all := NewEncoder(), artifacts(t, 1500)
	var exports [][]byte
	for _, a := range all {
		exports = append(exports, RunExportsMember(a.file, a.re))
	}
	monster := all[700]
	for range 9000 {
		monster.rec.Depends = append(monster.rec.Depends, "another-dependency >=1.2.3,<2.0a0")
	}
	members := jsonMembers(all)
	members[700] = Member(monster.file, monster.rec)
	linux := subdir(t, "linux-64")
	for name, f := range map[string]File{
		"repodata":    Repodata(linux, pieces(e, ",", members[:300]), pieces(e, ",", members[300:])),
		"run_exports": RunExportsFile(linux, nil, pieces(e, ",", exports)),
		"shard index": ShardIndex(linux, generated, 9000, pieces(e, "", indexMembers(9000))),
	} {
		plain := written(t, f)
		var frame bytes.Buffer
		if err := f.WriteZstd(&frame); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(libzstd(t, frame.Bytes(), "-d"), plain) {
			t.Errorf("%s: libzstd decodes it to other bytes", name)
		}
		if frame.Len() > len(plain)*9/10 {
			t.Errorf("%s: %d bytes of %d are no compression", name, frame.Len(), len(plain))
		}
	}
}

func TestShardIndexReads(t *testing.T) {
	t.Parallel()
	f := ShardIndex(subdir(t, "osx-arm64"), generated, 5000, pieces(NewEncoder(), "", indexMembers(5000)))
	var got struct {
		Version int               `msgpack:"version"`
		Info    map[string]string `msgpack:"info"`
		Shards  map[string][]byte `msgpack:"shards"`
	}
	if err := msgpack.Unmarshal(written(t, f), &got); err != nil {
		t.Fatal(err)
	}
	info := map[string]string{"subdir": "osx-arm64", "base_url": "./", "shards_base_url": "./shards/", "created_at": "2026-09-24T08:00:00Z"}
	if diff := cmp.Diff(info, got.Info); diff != "" || got.Version != 1 || len(got.Shards) != 5000 || len(got.Shards["package-04999"]) != 32 {
		t.Errorf("version %d, %d shards, info (-want +got): %s", got.Version, len(got.Shards), diff)
	}
}

// The readers are files for everything that reads files, at every offset.
func TestReaders(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	members := jsonMembers(artifacts(t, 12))
	f := Repodata(conda.Noarch(), []Piece{piece(e, ",", members[0])}, []Piece{piece(e, ",", members[1:4]...), {}, piece(e, ",", members[4:]...)})
	for name, f := range map[string]File{"three pieces": f, "empty": Repodata(conda.Noarch(), nil, nil), "no seams": ShardIndex(conda.Noarch(), generated, 0, f.sections[1].pieces)} {
		var want bytes.Buffer
		if err := f.WriteZstd(&want); err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(f.Zstd(), want.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r := f.Zstd()
		for off := range int64(want.Len() + 3) {
			if _, err := r.Seek(off-f.ZstdSize(), io.SeekEnd); err != nil && off <= f.ZstdSize() {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want.Bytes()[min(off, f.ZstdSize()):]) {
				t.Fatalf("%s: from %d on %d bytes, %v", name, off, len(got), err)
			}
		}
		for _, r := range []io.Seeker{r, f.Raw()} {
			for _, whence := range []int{io.SeekStart, 3} {
				if _, err := r.Seek(-1, whence); err == nil {
					t.Errorf("%s: seeks by -1 from %d", name, whence)
				}
			}
		}
		plain := f.Raw()
		if err := iotest.TestReader(plain, written(t, f)); err != nil {
			t.Errorf("%s, plain: %v", name, err)
		}
		if err := plain.Close(); err != nil {
			t.Errorf("%s, plain: %v", name, err)
		}
	}
}

// counter counts writes and refuses the n-th.
type counter struct{ writes, small, failAt int }

var errFull = errors.New("no space left")

func (c *counter) Write(p []byte) (int, error) {
	c.writes++
	if len(p) < 64<<10 {
		c.small++
	}
	if c.writes == c.failAt {
		return 0, errFull
	}
	return len(p), nil
}

// manyPieces is a file of n pieces, each the same.
func manyPieces(t testing.TB, n int) File {
	p := piece(NewEncoder(), ",", jsonMembers(artifacts(t, 150))...)
	all := make([]Piece, n)
	for i := range all {
		all[i] = p
	}
	return Repodata(conda.Noarch(), nil, all)
}

func TestWritesAreLarge(t *testing.T) {
	t.Parallel()
	f := manyPieces(t, 100)
	for name, write := range map[string]func(io.Writer) error{"zstd": f.WriteZstd, "plain": f.WriteRaw} {
		var c counter
		if err := write(&c); err != nil || c.small > 1 {
			t.Errorf("%s: %d of %d writes are small, %v", name, c.small, c.writes, err)
		}
		for _, at := range []int{1, c.writes} {
			if err := write(&counter{failAt: at}); !errors.Is(err, errFull) {
				t.Errorf("%s: a failed write gave %v", name, err)
			}
		}
	}
}

func TestWriteRawRefusesWrongPieces(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	good := piece(e, ",", jsonMembers(artifacts(t, 40))...)
	for name, p := range map[string]Piece{
		"a byte too many": {RawLen: good.RawLen - 1, Block: good.Block},
		"a byte too few":  {RawLen: good.RawLen + 1, Block: good.Block},
		"half a block":    {RawLen: good.RawLen, Block: good.Block[:len(good.Block)/2]},
	} {
		if err := Repodata(conda.Noarch(), nil, []Piece{good, p}).WriteRaw(io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Writing a file costs the same memory for any number of pieces. Not parallel: it counts everything.
func TestWriteAllocs(t *testing.T) {
	few, many := manyPieces(t, 10), manyPieces(t, 1000)
	for name, write := range map[string]func(File) error{
		"WriteZstd": func(f File) error { return f.WriteZstd(io.Discard) },
		"WriteRaw":  func(f File) error { return f.WriteRaw(io.Discard) },
	} {
		count := func(f File) (times, size float64) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			times = testing.AllocsPerRun(4, func() {
				if err := write(f); err != nil {
					t.Error(err)
				}
			})
			runtime.ReadMemStats(&after)
			return times, float64(after.TotalAlloc-before.TotalAlloc) / 5
		}
		timesFew, sizeFew := count(few)
		timesMany, sizeMany := count(many)
		const pooled = 20 // what a collection may take from the decoder's pools meanwhile
		if timesMany > timesFew+pooled || sizeMany > sizeFew*1.1 {
			t.Errorf("%s allocates %v times, %v bytes for 10 pieces and %v times, %v bytes for 1000",
				name, timesFew, sizeFew, timesMany, sizeMany)
		}
	}
}
