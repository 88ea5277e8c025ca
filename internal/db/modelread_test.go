package db_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"

	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/index"
)

// modelReaders is how many read meanwhile.
const modelReaders = 1

// read lets readers look at places while steps are done, and compare what must fit together at any moment. What stops
// them returns how many readings there were.
func (w *modelWorld) read(t *testing.T) (stop func() int64) {
	t.Helper()
	w.readers = make(chan index.Place, modelReaders)
	var readers sync.WaitGroup
	var readings atomic.Int64
	for range modelReaders {
		readers.Go(func() {
			last := map[index.Place]int64{}
			for p := range w.readers {
				if err := w.fits(withoutEnd(t.Context()), p, last); err != nil {
					t.Errorf("a reader of %v: %v", p, err)
				}
				readings.Add(1)
			}
		})
	}
	return sync.OnceValue(func() int64 {
		close(w.readers)
		readers.Wait()
		return readings.Load()
	})
}

// look has readers look at a place during the next step, unless they are all still at another one.
func (w *modelWorld) look(p index.Place) {
	for range modelReaders {
		select {
		case w.readers <- p:
		default:
		}
	}
}

// fits reads the files of a place.
func (w *modelWorld) fits(ctx context.Context, p index.Place, last map[index.Place]int64) error {
	shards, err := w.index.File(ctx, p, w.channel.CreatedAt, index.ShardIndex)
	if err != nil {
		return err
	}
	repodata, err := w.index.File(ctx, p, w.channel.CreatedAt, index.RepodataZst)
	if err != nil {
		return err
	}
	if shards.Number < last[p] || repodata.Number < shards.Number {
		return fmt.Errorf("generation %d, then %d, then %d", last[p], shards.Number, repodata.Number)
	}
	last[p] = repodata.Number
	sharded, err := w.sharded(ctx, p, shards)
	if err != nil {
		return fmt.Errorf("shards of generation %d: %w", shards.Number, err)
	}
	flat, err := w.listed(ctx, p, repodata)
	if err != nil {
		return fmt.Errorf("repodata of generation %d: %w", repodata.Number, err)
	}
	if shards.Chain == repodata.Chain && fmt.Sprint(flat) != fmt.Sprint(sharded) {
		return fmt.Errorf("of generation %d repodata lists %v, the shards %v", shards.Number, flat, sharded)
	}
	return nil
}

// sharded reads every shard that an index names, and returns the files that they list by digest.
func (w *modelWorld) sharded(ctx context.Context, p index.Place, f *index.File) (map[string]string, error) {
	raw, err := content(ctx, f)
	if err != nil {
		return nil, err
	}
	var x struct {
		Shards map[string][]byte `msgpack:"shards"`
	}
	if err := msgpack.Unmarshal(raw, &x); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, sum := range x.Shards {
		b, err := w.index.Shard(ctx, p, [32]byte(sum))
		if err != nil {
			return nil, fmt.Errorf("the shard of %s: %w", name, err)
		}
		if b, err = inflated(bytes.NewReader(b)); err != nil {
			return nil, err
		}
		var shard object
		if err := msgpack.Unmarshal(b, &shard); err != nil {
			return nil, err
		}
		for _, section := range []string{"packages", "packages.conda"} {
			records, _ := shard[section].(object)
			for file, r := range records {
				out[file] = fmt.Sprintf("%x", r.(object)["sha256"])
			}
		}
	}
	return out, nil
}

// listed reads what repodata.json lists, and finds the bytes of each: they are there, unless the index has moved on.
func (w *modelWorld) listed(ctx context.Context, p index.Place, f *index.File) (map[string]string, error) {
	raw, err := content(ctx, f)
	if err != nil {
		return nil, err
	}
	var x map[string]json.RawMessage
	if err := json.Unmarshal(raw, &x); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, section := range []string{"packages", "packages.conda"} {
		var records map[string]struct {
			SHA256 string `json:"sha256"`
		}
		if err := json.Unmarshal(x[section], &records); err != nil {
			return nil, err
		}
		for file, r := range records {
			out[file] = r.SHA256
			if err := w.there(ctx, p, f, file, r.SHA256); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (w *modelWorld) there(ctx context.Context, p index.Place, f *index.File, file, sum string) error {
	name, err := conda.ParseFilename(file)
	if err != nil {
		return err
	}
	l, err := w.Locate(ctx, p, name)
	if err == nil && fmt.Sprintf("%x", l.SHA256) == sum {
		return nil
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if now, _, other := w.Generation(ctx, p); other != nil || now.Number > f.Number {
		return other
	}
	return fmt.Errorf("%s is listed with %s, and found at %x, %w", file, sum, l.SHA256, err)
}

// content is what a compressed file of an index holds.
func content(ctx context.Context, f *index.File) ([]byte, error) {
	r := f.Open(ctx)
	b, err := inflated(r)
	return b, errors.Join(err, r.Close())
}

func inflated(r io.Reader) ([]byte, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return io.ReadAll(d)
}
