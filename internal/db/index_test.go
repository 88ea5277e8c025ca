package db_test

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/index"
)

// Whoever asks after an upload has been answered sees it, however many ask at once and keep their answers.
func TestReadersSeeEveryCommit(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		const uploads = 30
		var answered atomic.Int64
		x := index.New(f.DB, 1<<20)
		p := f.place(t, "noarch")
		file := func(i int64) conda.Filename { return must(conda.ParseFilename(fmt.Sprintf("p%02d-1.0-0.conda", i)))(t) }
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for seen := int64(0); seen < uploads; {
					seen = answered.Load()
					got, err := x.File(t.Context(), p, f.channel.CreatedAt, index.RepodataZst)
					if err != nil || got.Number < seen {
						t.Errorf("after upload %d: generation %d, %v", seen, got.Number, err)
						return
					}
					if seen > 0 {
						if _, err := f.Locate(t.Context(), p, file(seen)); err != nil {
							t.Errorf("after upload %d: %v", seen, err)
							return
						}
					}
				}
			})
		}
		for i := range int64(uploads) {
			f.publish(t, f.commit(t, "noarch", file(i+1).String(), byte(i+1)))
			answered.Store(i + 1)
		}
		readers.Wait()
	})
}

// A channel that becomes private is private for whoever asks then.
func TestChannelByNameIsNeverOld(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		before := must(f.ChannelByName(t.Context(), f.channel.Name))(t)
		after := before
		after.Visibility = channel.Private
		for _, c := range []struct{ from, to channel.Channel }{{before, after}, {after, before}, {before, after}} {
			if err := f.ChangeChannel(t.Context(), c.from, c.to, audit.Event{Kind: audit.ChannelChanged, ChannelID: c.to.ID}); err != nil {
				t.Fatal(err)
			}
			if got := must(f.ChannelByName(t.Context(), f.channel.Name))(t); !reflect.DeepEqual(got, c.to) {
				t.Errorf("= %+v, want %+v", got, c.to)
			}
		}
	})
}
