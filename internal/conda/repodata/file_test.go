package repodata

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/conda"
)

var generated = time.Date(2026, 9, 24, 10, 0, 0, 123456789, time.FixedZone("", 7200))

// maker makes pieces and keeps their blocks.
type maker struct {
	*Encoder
	blocks [][]byte
}

func newMaker() *maker { return &maker{Encoder: NewEncoder()} }

// Blocks implements Blocks.
func (m *maker) Blocks(ctx context.Context, numbers []int64) ([][]byte, error) {
	out := make([][]byte, len(numbers))
	for i, n := range numbers {
		out[i] = m.blocks[n]
	}
	return out, ctx.Err()
}

// keep is the piece of a block that decodes to rawLen bytes.
func (m *maker) keep(rawLen int, block []byte) Piece {
	m.blocks = append(m.blocks, block)
	return Piece{RawLen: rawLen, BlockLen: len(block), Block: int64(len(m.blocks) - 1)}
}

// piece makes a piece of members.
func (m *maker) piece(sep string, members ...[]byte) Piece {
	raw := bytes.Join(members, []byte(sep))
	return m.keep(len(raw), m.Compress(raw))
}

// pieces makes as many pieces as Split wants.
func (m *maker) pieces(sep string, members [][]byte) []Piece {
	lens := make([]int, len(members))
	for i, m := range members {
		lens[i] = len(m)
	}
	var all []Piece
	for _, r := range Split(lens, len(sep), PieceTarget) {
		all = append(all, m.piece(sep, members[r[0]:r[1]]...))
	}
	return all
}

// written checks that a file's frame, its plain bytes and its sizes agree, and returns the plain bytes.
func written(t testing.TB, f File, blocks Blocks) []byte {
	t.Helper()
	var frame, plain bytes.Buffer
	if err := f.WriteZstd(t.Context(), &frame, blocks); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteRaw(t.Context(), &plain, blocks); err != nil {
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
		{"repodata", Repodata(linux, Records{}),
			`{"info":{"subdir":"linux-64"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}`},
		{"run_exports", RunExportsFile(linux, nil, []Piece{}),
			`{"info":{"subdir":"linux-64","version":1},"packages":{},"packages.conda":{}}`},
		{"pieces of nothing", Repodata(linux, Records{TarBz2: []Piece{{}}, Conda: []Piece{{}, {}}, Removed: []Piece{{}}}),
			`{"info":{"subdir":"linux-64"},"packages":{},"packages.conda":{},"removed":[],"repodata_version":1}`},
		{"shard index", ShardIndex(conda.Noarch(), generated, Names{}),
			"\x83\xa4info\x84\xa8base_url\xa2./\xaacreated_at\xb42026-09-24T08:00:00Z\xafshards_base_url\xa9./shards/" +
				"\xa6subdir\xa6noarch\xa6shards\xdf\x00\x00\x00\x00\xa7version\x01"},
		{"shard index with revision 3", ShardIndex(conda.Noarch(), generated, Names{V3: 300}),
			"\x83\xa4info\x85\xa8base_url\xa2./\xaacreated_at\xb42026-09-24T08:00:00Z\xb2repodata_revisions\x81\xa2v3\x81\xaan_packages\xcd\x01\x2c" +
				"\xafshards_base_url\xa9./shards/\xa6subdir\xa6noarch\xa6shards\xdf\x00\x00\x00\x00\xa7version\x01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, string(written(t, tt.file, nil))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The layout, byte by byte: clients read it, so it changes for a reason only.
func TestFrameBytes(t *testing.T) {
	t.Parallel()
	m := newMaker()
	a := m.keep(3, unhex(t, "180000 613a31")) // `a:1`
	b := m.keep(3, unhex(t, "180000 623a32"))
	f := RunExportsFile(conda.Noarch(), nil, []Piece{a, b})
	var frame bytes.Buffer
	if err := f.WriteZstd(t.Context(), &frame, m); err != nil {
		t.Fatal(err)
	}
	parts := []string{`{"info":{"subdir":"noarch","version":1},"packages":{`, `},"packages.conda":{`}
	want := unhex(t, "28b52ffd c0 38")
	want = append(want, byte(len(parts[0])+len(parts[1])+3+1+3+2), 0, 0, 0, 0, 0, 0, 0)
	for _, p := range parts {
		want = append(append(want, byte(len(p)<<3), byte(len(p)>>5), 0), p...)
	}
	want = append(append(append(want, m.blocks[a.Block]...), 0x08, 0, 0, ','), m.blocks[b.Block]...)
	want = append(append(want, 0x10, 0, 0), "}}"...)
	want = append(want, 1, 0, 0)
	if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(frame.Bytes())); diff != "" {
		t.Error(diff)
	}
}

// What stands behind the records: the names of yanked files, and revision 3.
func TestRepodataBytes(t *testing.T) {
	t.Parallel()
	m := newMaker()
	one := func(members ...string) []Piece {
		var all []Piece
		for _, s := range members { // a piece each
			all = append(all, m.piece(",", []byte(s)))
		}
		return all
	}
	records := Records{TarBz2: one(`"a-1-0.tar.bz2":{}`), Conda: one(`"b-1-0.conda":{}`)}
	const head, old = `{"info":{"subdir":"noarch"},`, `"packages":{"a-1-0.tar.bz2":{}},"packages.conda":{"b-1-0.conda":{}},`
	const announced = `{"info":{"repodata_revisions":{"v3":{"n_packages":2}},"subdir":"noarch"},`
	for _, tt := range []struct {
		name    string
		removed []Piece
		v3      Records
		want    string
	}{
		{"neither", nil, Records{}, head + old + `"removed":[],"repodata_version":1}`},
		{"removed", one(`"c-1-0.conda"`, `"d-1-0.conda"`), Records{}, head + old + `"removed":["c-1-0.conda","d-1-0.conda"],"repodata_version":1}`},
		{"revision 3", nil, Records{CondaV3: one(`"e-1-0":{}`, `"f-1-0":{}`), V3: 2},
			announced + old + `"removed":[],"repodata_version":1,"v3":{"conda":{"e-1-0":{},"f-1-0":{}},"tar.bz2":{}}}`},
		{"both", one(`"c-1-0.conda"`), Records{CondaV3: one(`"e-1-0":{}`), TarBz2V3: one(`"f-1-0":{}`), V3: 2},
			announced + old + `"removed":["c-1-0.conda"],"repodata_version":1,"v3":{"conda":{"e-1-0":{}},"tar.bz2":{"f-1-0":{}}}}`},
	} {
		r := records
		r.Removed, r.CondaV3, r.TarBz2V3, r.V3 = tt.removed, tt.v3.CondaV3, tt.v3.TarBz2V3, tt.v3.V3
		f := Repodata(conda.Noarch(), r)
		plain := written(t, f, m)
		if diff := cmp.Diff(tt.want, string(plain)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		var frame bytes.Buffer
		if err := f.WriteZstd(t.Context(), &frame, m); err != nil || !bytes.Equal(libzstd(t, frame.Bytes(), "-d"), plain) {
			t.Errorf("%s: libzstd decodes it to other bytes, %v", tt.name, err)
		}
	}
}

// channel-format's example of a shard index with one name, and created_at.
func TestShardIndexBytes(t *testing.T) {
	t.Parallel()
	m := newMaker()
	sum := [32]byte(bytes.Repeat([]byte{0xab}, 32))
	f := ShardIndex(conda.Noarch(), generated, Names{Pieces: []Piece{m.piece("", ShardIndexMember("x", sum))}, Count: 1})
	str := func(s string) string { return hex.EncodeToString(appendStr(nil, s)) }
	want := "83" + str("info") + "84" + str("base_url") + str("./") + str("created_at") + str("2026-09-24T08:00:00Z") +
		str("shards_base_url") + str("./shards/") + str("subdir") + str("noarch") +
		str("shards") + "df00000001" + str("x") + "c420" + strings.Repeat("ab", 32) + str("version") + "01"
	if diff := cmp.Diff(want, hex.EncodeToString(written(t, f, m))); diff != "" {
		t.Error(diff)
	}
}

func TestBigFilesByLibzstd(t *testing.T) {
	t.Parallel()
	m, all := newMaker(), artifacts(t, 1500)
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
		"repodata":    Repodata(linux, Records{TarBz2: m.pieces(",", members[:300]), Conda: m.pieces(",", members[300:])}),
		"run_exports": RunExportsFile(linux, nil, m.pieces(",", exports)),
		"shard index": ShardIndex(linux, generated, Names{Pieces: m.pieces("", indexMembers(9000)), Count: 9000}),
	} {
		plain := written(t, f, m)
		var frame bytes.Buffer
		if err := f.WriteZstd(t.Context(), &frame, m); err != nil {
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
	m := newMaker()
	f := ShardIndex(subdir(t, "osx-arm64"), generated, Names{Pieces: m.pieces("", indexMembers(5000)), Count: 5000})
	var got struct {
		Version int               `msgpack:"version"`
		Info    map[string]string `msgpack:"info"`
		Shards  map[string][]byte `msgpack:"shards"`
	}
	if err := msgpack.Unmarshal(written(t, f, m), &got); err != nil {
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
	m := newMaker()
	members := jsonMembers(artifacts(t, 12))
	three := []Piece{m.piece(",", members[1:4]...), {}, m.piece(",", members[4:]...)}
	for name, f := range map[string]File{
		"three pieces": Repodata(conda.Noarch(), Records{TarBz2: []Piece{m.piece(",", members[0])}, Conda: three}),
		"empty":        Repodata(conda.Noarch(), Records{}), "no seams": ShardIndex(conda.Noarch(), generated, Names{Pieces: three}),
	} {
		var want bytes.Buffer
		if err := f.WriteZstd(t.Context(), &want, m); err != nil {
			t.Fatal(err)
		}
		r := f.Zstd(t.Context(), m)
		if err := iotest.TestReader(r, want.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for off := range int64(want.Len() + 3) {
			if _, err := r.Seek(off-f.ZstdSize(), io.SeekEnd); err != nil && off <= f.ZstdSize() {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want.Bytes()[min(off, f.ZstdSize()):]) {
				t.Fatalf("%s: from %d on %d bytes, %v", name, off, len(got), err)
			}
		}
		plain := f.Raw(t.Context(), m)
		for _, r := range []io.Seeker{r, plain} {
			for _, whence := range []int{io.SeekStart, 3} {
				if _, err := r.Seek(-1, whence); err == nil {
					t.Errorf("%s: seeks by -1 from %d", name, whence)
				}
			}
		}
		if err := iotest.TestReader(plain, written(t, f, m)); err != nil {
			t.Errorf("%s, plain: %v", name, err)
		}
		if err := errors.Join(r.Close(), plain.Close(), plain.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
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
func manyPieces(t testing.TB, n int) (File, *maker) {
	m := newMaker()
	all := slices.Repeat([]Piece{m.piece(",", jsonMembers(artifacts(t, 150))...)}, n)
	return Repodata(conda.Noarch(), Records{Conda: all}), m
}

type writeFunc func(context.Context, io.Writer, Blocks) error

func TestWritesAreLarge(t *testing.T) {
	t.Parallel()
	f, m := manyPieces(t, 100)
	for name, write := range map[string]writeFunc{"zstd": f.WriteZstd, "plain": f.WriteRaw} {
		var c counter
		if err := write(t.Context(), &c, m); err != nil || c.small > 1 {
			t.Errorf("%s: %d of %d writes are small, %v", name, c.small, c.writes, err)
		}
		for _, at := range []int{1, c.writes} {
			if err := write(t.Context(), &counter{failAt: at}, m); !errors.Is(err, errFull) {
				t.Errorf("%s: a failed write gave %v", name, err)
			}
		}
	}
}

func TestWriteRawRefusesWrongPieces(t *testing.T) {
	t.Parallel()
	m := newMaker()
	good := m.piece(",", jsonMembers(artifacts(t, 40))...)
	half := m.keep(good.RawLen, m.blocks[good.Block][:good.BlockLen/2])
	for name, p := range map[string]Piece{
		"a byte too many":      {RawLen: good.RawLen - 1, BlockLen: good.BlockLen, Block: good.Block},
		"a byte too few":       {RawLen: good.RawLen + 1, BlockLen: good.BlockLen, Block: good.Block},
		"half a block":         half,
		"another block's size": {RawLen: good.RawLen, BlockLen: good.BlockLen - 1, Block: good.Block},
	} {
		if err := Repodata(conda.Noarch(), Records{Conda: []Piece{good, p}}).WriteRaw(t.Context(), io.Discard, m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Writing a file costs the same memory for any number of pieces. Not parallel: it counts everything.
func TestWriteAllocs(t *testing.T) {
	for name, write := range map[string]func(File) writeFunc{
		"WriteZstd": func(f File) writeFunc { return f.WriteZstd },
		"WriteRaw":  func(f File) writeFunc { return f.WriteRaw },
	} {
		size := func(pieces int) float64 {
			f, m := manyPieces(t, pieces)
			const runs = 4
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if err := write(f)(t.Context(), io.Discard, m); err != nil {
					t.Error(err)
				}
			}
			runtime.ReadMemStats(&after)
			return float64(after.TotalAlloc-before.TotalAlloc) / runs
		}
		few, many := size(100), size(1000)
		const batch = 4 << 10 // for each batch: numbers and slices, no bytes of blocks
		if most := few + 900*9e3/batchSize*batch; many > most {
			t.Errorf("%s allocates %v bytes for 100 pieces and %v for 1000, want at most %v", name, few, many, most)
		}
	}
}
