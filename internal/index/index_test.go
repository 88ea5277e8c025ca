package index

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/fault"
)

// memory is a store of one place. It counts what is read.
type memory struct {
	now     Generation
	series  map[Series][]Piece
	blocks  map[int64][]byte
	encoder *repodata.Encoder
	slow    time.Duration

	described described

	mu    sync.Mutex // guards what follows
	read  int        // pieces
	calls int        // of Pieces
	bytes int        // of blocks
}

func newMemory(p Place) *memory {
	return &memory{now: First(p, made), series: map[Series][]Piece{}, blocks: map[int64][]byte{}, encoder: repodata.NewEncoder()}
}

// write makes the next generation, in which the piece of s that begins with first holds these members.
func (m *memory) write(s Series, first string, members ...string) {
	m.now = m.now.Next(m.now.CommittedAt.Add(time.Second), first)
	m.put(s, first, members...)
}

func (m *memory) put(s Series, first string, members ...string) {
	raw := []byte(strings.Join(members, s.Separator()))
	block := m.encoder.Compress(raw)
	id := int64(len(m.blocks) + 1)
	m.blocks[id] = block
	m.drop(s, first)
	m.series[s] = append(m.series[s], Piece{
		First: first, Generation: m.now.Number, Members: len(members),
		Piece: repodata.Piece{RawLen: len(raw), BlockLen: len(block), Block: id},
	})
	slices.SortFunc(m.series[s], func(a, b Piece) int { return cmp.Compare(a.First, b.First) })
}

func (m *memory) drop(s Series, first string) {
	m.series[s] = slices.DeleteFunc(slices.Clone(m.series[s]), func(p Piece) bool { return p.First == first })
}

func (m *memory) Generation(context.Context, Place) (Generation, bool, error) {
	return m.now, m.now.Number > 0, nil
}

func (m *memory) Pieces(_ context.Context, _ Place, of []Series, after int64) (Listing, bool, error) {
	time.Sleep(m.slow)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	l := Listing{Generation: m.now, Totals: map[Series]Totals{}, Pieces: map[Series][]Piece{}}
	for s, pieces := range m.series {
		var sum Totals
		for _, p := range pieces {
			sum.add(p)
			if p.Generation > after && slices.Contains(of, s) {
				l.Pieces[s] = append(l.Pieces[s], p)
				m.read++
			}
		}
		l.Totals[s] = sum
	}
	return l, m.now.Number > 0, nil
}

func (m *memory) Blocks(ctx context.Context, numbers []int64) ([][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([][]byte, len(numbers))
	for i, n := range numbers {
		if out[i] = m.blocks[n]; out[i] == nil {
			return nil, errors.New("gone")
		}
		m.bytes += len(out[i])
	}
	return out, ctx.Err()
}

func (m *memory) Shard(_ context.Context, _ Place, sum [32]byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	for n := range 256 {
		if sum == shardSum(byte(n)) {
			return []byte{byte(n)}, nil
		}
	}
	if sum == damaged {
		return []byte("other bytes"), nil
	}
	return nil, fault.New(fault.NotFound, "none")
}

// shardSum names a shard that there is, which is one byte; damaged one that has other bytes than those of its name.
func shardSum(n byte) [32]byte { return sha256.Sum256([]byte{n}) }

var damaged = [32]byte{1}

var made = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

func place(t *testing.T, subdir string) Place {
	t.Helper()
	d, err := conda.ParseSubdir(subdir)
	if err != nil {
		t.Fatal(err)
	}
	return Place{ChannelID: 7, Label: conda.MainLabel(), Subdir: d}
}

// content is what a reader of a file gets.
func content(t *testing.T, x *Index, p Place, n Name) string {
	t.Helper()
	f, err := x.File(t.Context(), p, made, n)
	if err != nil {
		t.Fatal(err)
	}
	r := f.Open(t.Context())
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || int64(len(b)) != f.Size() {
		t.Fatalf("%s: %d of %d bytes, %v", n, len(b), f.Size(), err)
	}
	if whole, ok, err := f.Whole(t.Context()); err != nil || ok && !bytes.Equal(whole, b) {
		t.Errorf("%s: the whole is %d bytes, %v, %v; want those that Open reads", n, len(whole), ok, err)
	}
	return string(b)
}

func TestGenerationsChain(t *testing.T) {
	noarch, linux := place(t, "noarch"), place(t, "linux-64")
	a, b := First(noarch, made), First(linux, made)
	if a.Number != 0 || a.Chain == b.Chain || a.Chain != First(noarch, made).Chain || a.Chain == First(noarch, made.Add(1000)).Chain {
		t.Error("the first generation must follow from its place and the channel alone")
	}
	next := a.Next(made.Add(time.Second), "list x")
	if next.Number != 1 || next.Chain == a.Chain || next.Chain != a.Next(made.Add(time.Second), "list x").Chain {
		t.Error("the next generation must follow from the one before and the change")
	}
	for _, other := range []Generation{a.Next(made.Add(time.Second), "list y"), a.Next(made.Add(2*time.Second), "list x"), b.Next(made.Add(time.Second), "list x")} {
		if other.Chain == next.Chain {
			t.Error("another change, time or place must give another chain")
		}
	}
}

// Of a generation only that is read which came since the one in memory, and nothing twice.
func TestOnlyWhatChangedIsRead(t *testing.T) {
	p := place(t, "noarch")
	m := newMemory(p)
	x := New(m, 1<<20)
	for i := range 100 {
		m.write(Conda, fmt.Sprintf("k%03d", i), fmt.Sprintf(`"k%03d-1-0.conda":{}`, i))
	}
	want := func(pieces, calls int) {
		t.Helper()
		if got := content(t, x, p, RepodataJSON); strings.Count(got, ".conda\"") != 100+1 {
			t.Errorf("repodata.json = %s", got)
		}
		if m.read != pieces || m.calls != calls {
			t.Errorf("read %d pieces in %d calls, want %d in %d", m.read, m.calls, pieces, calls)
		}
	}
	want(100, 1)
	want(100, 1)
	bytes := m.bytes
	m.write(Conda, "k050", `"k050-2-0.conda":{}`)
	want(101, 2)
	if again := m.bytes - bytes; again >= bytes/50 {
		t.Errorf("%d bytes of blocks were read anew of %d", again, bytes)
	}
	content(t, x, p, RepodataZst) // of the same pieces
	want(101, 2)
	m.write(Shards, "", "x") // of another file, and yet of the same generation
	want(101, 3)
}

// Whatever happens to the pieces, a reader who comes along gets what one gets who reads for the first time.
func TestFollowersReadWhatNewcomersRead(t *testing.T) {
	t.Parallel()
	p := place(t, "noarch")
	m, rnd := newMemory(p), rand.New(rand.NewPCG(1, 2))
	follower := New(m, 1<<20)
	keys := []string{"", "b", "c", "d", "e", "f"}
	full := 0
	for range 300 {
		s := []Series{TarBz2, Conda, Removed}[rnd.IntN(3)]
		for range rnd.IntN(3) + 1 { // several generations between two reads
			key := keys[rnd.IntN(len(keys))]
			m.write(s, key, fmt.Sprintf(`"%s-%d"`, key, rnd.IntN(1000)))
		}
		if rnd.IntN(3) == 0 { // a piece is joined to the one before it
			m.drop(s, keys[1+rnd.IntN(len(keys)-1)])
		}
		before := m.calls
		got := content(t, follower, p, RepodataJSON)
		if m.calls-before == 2 {
			full++
		}
		if diff := gocmp.Diff(content(t, New(m, 1<<20), p, RepodataJSON), got); diff != "" {
			t.Fatalf("at generation %d (-newcomer +follower):\n%s", m.now.Number, diff)
		}
	}
	if full == 0 || full > 200 {
		t.Errorf("everything was read anew %d times of 300: want it sometimes", full)
	}
}

// A database that was restored from a backup goes on with other generations of the same numbers.
func TestAnotherHistoryIsReadAnew(t *testing.T) {
	p := place(t, "noarch")
	m := newMemory(p)
	m.write(Conda, "", `"old":{}`)
	m.write(Conda, "b", `"older":{}`)
	x := New(m, 1<<20)
	content(t, x, p, RepodataJSON)
	restored := newMemory(p)
	restored.write(Conda, "", `"new":{}`)
	restored.write(Conda, "", `"new":{}`)
	x.store = restored
	restored.blocks = map[int64][]byte{3: restored.blocks[2]}
	restored.series[Conda][0].Block = 3
	if got := content(t, x, p, RepodataJSON); !strings.Contains(got, `{"new":{}}`) || strings.Contains(got, "old") {
		t.Errorf("= %s", got)
	}
}

func TestReadersAtOnceReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := place(t, "noarch")
		m := newMemory(p)
		m.write(Conda, "", `"x":{}`)
		m.slow = time.Second
		x := New(m, 1<<20)
		hasty, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := x.File(hasty, p, made, RepodataZst); !errors.Is(err, context.Canceled) {
				t.Errorf("a reader that left: %v", err)
			}
		})
		synctest.Wait()
		for i := range 20 {
			wg.Go(func() {
				if got, err := x.File(t.Context(), p, made, []Name{RepodataZst, RepodataJSON}[i%2]); err != nil || got.Number != 1 {
					t.Errorf("= %+v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if m.calls != 1 {
			t.Errorf("read %d times", m.calls)
		}
	})
}

// Whoever holds a file reads it to its end, while the place moves on.
func TestAFileStaysWhatItIs(t *testing.T) {
	p := place(t, "noarch")
	m := newMemory(p)
	m.write(Conda, "", `"first":{}`)
	x := New(m, 1) // nothing is kept
	f, err := x.File(t.Context(), p, made, RepodataJSON)
	if err != nil {
		t.Fatal(err)
	}
	m.write(Conda, "", `"second":{}`)
	r := f.Open(t.Context())
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !strings.Contains(string(b), "first") || int64(len(b)) != f.Size() {
		t.Errorf("= %s, %v", b, err)
	}
	if got := content(t, x, p, RepodataJSON); !strings.Contains(got, "second") {
		t.Errorf("after the change: %s", got)
	}
	clear(m.blocks)
	late := f.Open(t.Context())
	defer late.Close()
	if _, err := io.ReadAll(late); err == nil {
		t.Error("a file whose blocks are gone is read without an error")
	}
}

func TestShardsAreReadOnce(t *testing.T) {
	p := place(t, "noarch")
	m := newMemory(p)
	x := New(m, 1<<20)
	for range 3 {
		if b, err := x.Shard(t.Context(), p, shardSum(1)); err != nil || b[0] != 1 {
			t.Fatal(b, err)
		}
	}
	if m.calls != 1 {
		t.Errorf("read %d times", m.calls)
	}
	m.calls = 0
	for range 2 {
		if b, err := x.Shard(t.Context(), p, damaged); err != nil || string(b) != "other bytes" {
			t.Errorf("a damaged one: %s, %v", b, err)
		}
	}
	if m.calls != 2 {
		t.Error("a damaged one was kept")
	}
	m.calls = 0
	for range 2 {
		if _, err := x.Shard(t.Context(), p, [32]byte{}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	}
	if m.calls != 2 {
		t.Error("that there is none was kept")
	}
}

// Everything that is kept, of all kinds and channels, is within one bound.
func TestMemoryStaysWithinItsBound(t *testing.T) {
	p := place(t, "noarch")
	m := newMemory(p)
	noise := func(n int) string {
		rnd := rand.New(rand.NewPCG(3, uint64(n)))
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789abcdef"[rnd.IntN(16)]
		}
		return `"` + string(b) + `"`
	}
	for i := range 40 {
		m.write(Conda, fmt.Sprint("k", i), noise(100_000+i))
	}
	const limit = 1 << 20
	x := New(m, limit)
	read := func() int {
		before := m.bytes
		content(t, x, p, RepodataZst)
		if c := x.layers.cache; c.size > c.limit || len(x.blocks.at)+len(x.layers.at)+len(x.bodies.at)+len(x.shards.at)+len(x.labels.at) != c.byUse.Len() {
			t.Errorf("%d of %d bytes in %d things, %d of them blocks", c.size, c.limit, c.byUse.Len(), len(x.blocks.at))
		}
		return m.bytes - before
	}
	f, err := x.File(t.Context(), p, made, RepodataZst)
	if err != nil || f.Size() < limit {
		t.Fatalf("the file is of %d bytes, too small for this test (%v)", f.Size(), err)
	}
	if _, err := x.Shard(t.Context(), p, shardSum(1)); err != nil {
		t.Fatal(err)
	}
	if a, b := read(), read(); a != b || int64(a) < f.Size()*9/10 {
		t.Errorf("%d and %d bytes of blocks were read of a file of %d that is larger than the memory", a, b, f.Size())
	}
	if len(x.shards.at) != 1 || len(x.blocks.at) != 0 {
		t.Errorf("a file that is larger than the memory drove others out: %d shards, %d of its blocks", len(x.shards.at), len(x.blocks.at))
	}
	for i := range 40 {
		if i >= 8 {
			m.drop(Conda, fmt.Sprint("k", i))
		}
	}
	m.write(Conda, "k0", noise(1000))
	read()
	if again := read(); again != 0 {
		t.Errorf("%d bytes were read again of a file that has room", again)
	}
	for i := range byte(200) {
		if _, err := x.Shard(t.Context(), p, shardSum(i)); err != nil {
			t.Fatal(err)
		}
		x.shards.put(shardKey{p, [32]byte{2, i}}, nil, 50_000)
	}
	if again := read(); again == 0 {
		t.Error("what was used least recently stayed")
	}
}

func TestFilesOfAnEmptyPlace(t *testing.T) {
	tags := map[string]bool{}
	for _, subdir := range []string{"noarch", "linux-64"} {
		p := place(t, subdir)
		x := New(newMemory(p), 1<<20)
		for _, n := range []Name{RepodataJSON, RepodataZst, ShardIndex, RunExportsJSON, RunExportsZst} {
			f, err := x.File(t.Context(), p, made, n)
			if err != nil || !f.CommittedAt.Equal(made) || !strings.HasPrefix(f.ETag, `"`) {
				t.Errorf("%s/%s = %+v, %v", subdir, n, f, err)
			}
			if tags[f.ETag] {
				t.Errorf("%s/%s has the ETag %s, which another file has, too", subdir, n, f.ETag)
			}
			tags[f.ETag] = true
			if plain := strings.HasPrefix(content(t, x, p, n), "{"); plain != strings.HasSuffix(string(n), ".json") {
				t.Errorf("%s is plain: %v", n, plain)
			}
		}
		if _, err := x.File(t.Context(), p, made, "current_repodata.json"); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown file: %v", err)
		}
	}
}

// The shard index announces what the shards hold, though it is laid out from none of it.
func TestRevision3IsAnnounced(t *testing.T) {
	p := place(t, "noarch")
	m := newMemory(p)
	m.write(Shards, "", string(repodata.ShardIndexMember("x", [32]byte{1})))
	m.put(CondaV3, "", `"x-1-0":{}`, `"x-2-0":{}`)
	m.put(TarBz2V3, "", `"x-1-0":{}`)
	m.put(Removed, "", `"y-1-0.conda"`)
	x := New(m, 1<<20)
	if got := content(t, x, p, RepodataJSON); got != `{"info":{"repodata_revisions":{"v3":{"n_packages":3}},"subdir":"noarch"},"packages":{},"packages.conda":{},`+
		`"removed":["y-1-0.conda"],"repodata_version":1,"v3":{"conda":{"x-1-0":{},"x-2-0":{}},"tar.bz2":{"x-1-0":{}}}}` {
		t.Errorf("repodata.json = %s", got)
	}
	if got := content(t, x, p, ShardIndex); !strings.Contains(got, "repodata_revisions\x81\xa2v3\x81\xaan_packages\x03") {
		t.Errorf("the shard index = %q", got)
	}
}
