package index

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/conda"
)

// described is what a store says of names, beside its one place.
type described struct {
	stale   int // how often FreshenChannelData has something to do
	members []string
	builds  int
}

func (m *memory) Generations(context.Context, Label) ([]Generation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now.Number == 0 {
		return nil, nil
	}
	return []Generation{m.now}, nil
}

func (m *memory) FreshenChannelData(context.Context, Label) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.described.stale--
	return m.described.stale > 0, nil
}

func (m *memory) ChannelData(_ context.Context, _ Label, take func(member []byte)) (Summary, error) {
	m.mu.Lock()
	m.described.builds++
	state, members := m.now, m.described.members
	m.mu.Unlock()
	time.Sleep(m.slow)
	for _, member := range members {
		scratch := []byte(member)
		take(scratch)
		clear(scratch) // what was handed over is good until take returns
	}
	return Summary{Generations: []Generation{state}, Subdirs: []conda.Subdir{conda.Noarch()}}, nil
}

// describe makes the next generation, in which the names have these members.
func (m *memory) describe(members ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Next(m.now.CommittedAt.Add(time.Second), strings.Join(members, ","))
	m.described.members = members
}

var forge = Label{ChannelID: 7, Name: conda.MainLabel()}

// channelDataOf is what a reader gets.
func channelDataOf(t *testing.T, x *Index) (*File, string) {
	t.Helper()
	f, err := x.ChannelData(t.Context(), forge, made)
	if err != nil {
		t.Fatal(err)
	}
	r := f.Open(t.Context())
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != f.Size() {
		t.Fatalf("%d of %d bytes, %v", len(b), f.Size(), err)
	}
	if whole, ok, err := f.Whole(t.Context()); err != nil || ok && string(whole) != string(b) {
		t.Errorf("the whole is %d bytes, %v, %v; want those that Open reads", len(whole), ok, err)
	}
	return f, string(b)
}

func TestChannelDataIsMadeOncePerState(t *testing.T) {
	m := newMemory(place(t, "noarch"))
	x := New(m, 1<<20)
	m.described.stale = 3
	m.describe(`"a":{}`, `"b":{}`)
	first, got := channelDataOf(t, x)
	if want := `{"channeldata_version":1,"packages":{"a":{},"b":{}},"subdirs":["noarch"]}`; got != want {
		t.Errorf("= %s, want %s", got, want)
	}
	if !first.CommittedAt.Equal(m.now.CommittedAt) || !strings.HasSuffix(first.ETag, `-channeldata.json"`) {
		t.Errorf("ETag %s, made at %v", first.ETag, first.CommittedAt)
	}
	if again, _ := channelDataOf(t, x); again.ETag != first.ETag || m.described.builds != 1 || m.described.stale != 0 {
		t.Errorf("made %d times, %d freshenings left undone; ETags %s and %s", m.described.builds, m.described.stale, first.ETag, again.ETag)
	}
	m.describe(`"b":{}`)
	second, got := channelDataOf(t, x)
	if second.ETag == first.ETag || m.described.builds != 2 || strings.Contains(got, `"a"`) {
		t.Errorf("after a change %s, made %d times, ETag %s", got, m.described.builds, second.ETag)
	}
}

// A file of many pieces is the members, whatever pieces they fall into.
func TestChannelDataOfManyPieces(t *testing.T) {
	m := newMemory(place(t, "noarch"))
	var members []string
	for i := range 50 {
		members = append(members, fmt.Sprintf(`"n%02d":{"summary":%q}`, i, strings.Repeat("tide and time ", i*i*4)))
	}
	m.describe(members...)
	f, got := channelDataOf(t, New(m, 1<<20))
	if want := `{"channeldata_version":1,"packages":{` + strings.Join(members, ",") + `},"subdirs":["noarch"]}`; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	r := f.Open(t.Context())
	defer func() { _ = r.Close() }()
	at := f.Size() - 1000
	if _, err := r.Seek(at, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if end, err := io.ReadAll(r); err != nil || string(end) != got[at:] {
		t.Errorf("the last 1000 bytes: %d, %v", len(end), err)
	}
}

// However many ask at once, and whatever they know of: one file is made for those who wait, and nobody gets one that
// is older than his question.
func TestChannelDataForManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(place(t, "noarch"))
		m.slow = time.Second
		x := New(m, 1<<20)
		var readers sync.WaitGroup
		for state := range 6 {
			m.describe(fmt.Sprintf(`"n":%d`, state))
			for range 10 {
				readers.Go(func() {
					_, got := channelDataOf(t, x)
					var seen int
					if _, err := fmt.Sscanf(got, `{"channeldata_version":1,"packages":{"n":%d}`, &seen); err != nil || seen < state {
						t.Errorf("asked at state %d, got %s", state, got)
					}
				})
			}
			synctest.Wait() // they all wait, the first for a file that is being made, the others for the next
		}
		readers.Wait()
		if m.described.builds != 2 {
			t.Errorf("made %d times for 60 readers, want twice", m.described.builds)
		}
	})
}

// Labels and channels in which nothing was ever listed are no two alike, and are not kept.
func TestChannelDataOfNothing(t *testing.T) {
	m := newMemory(place(t, "noarch"))
	x := New(m, 1<<20)
	tags := map[string]bool{}
	for _, l := range []Label{forge, {ChannelID: 8, Name: conda.MainLabel()}, {ChannelID: 7}} {
		f, err := x.ChannelData(t.Context(), l, made)
		if err != nil || !f.CommittedAt.Equal(made) {
			t.Fatal(f, err)
		}
		tags[f.ETag] = true
	}
	if len(tags) != 3 || len(x.labels.at) != 0 {
		t.Errorf("%d validators of 3 labels, %d kept", len(tags), len(x.labels.at))
	}
}
