package check

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// lost looks for labels that list an artifact by their pieces or shards, and have no record of it: at most as many as are
// missing by its count of labels. It returns how many it found. Pieces and shards are made of records, so what they show was
// a record once; without that witness the label might as well never have listed it, and nobody must be shown what
// was held.
func (r *run) lost(ctx context.Context, a Artifact, missing int) (found int, err error) {
	for _, p := range r.places {
		known := slices.ContainsFunc(a.Records, func(l Listing) bool { return l.Label == p.Label.String() })
		if found >= missing || known || p.Subdir.String() != a.Subdir {
			continue
		}
		listed, shows, err := r.shows(ctx, p, a)
		if err == nil && !shows {
			listed, shows, err = r.sharded(ctx, p, a)
		}
		if err != nil {
			return found, err
		}
		if !shows {
			continue
		}
		d := of(Lost, a)
		d.Label, d.place, d.listedAt = p.Label.String(), p, listed
		d.Stored, d.Expected = "no record", "one, for the index shows the file"
		r.found(d)
		found++
	}
	return found, nil
}

// shows reports whether the pieces of a place show an artifact, and since when by their word; zero where they do not say.
func (r *run) shows(ctx context.Context, p index.Place, a Artifact) (listed time.Time, ok bool, err error) {
	for _, s := range []index.Series{index.TarBz2, index.Conda, index.TarBz2V3, index.CondaV3, index.Removed} {
		some, err := r.store.PiecesFrom(ctx, p, s, a.File, 1)
		if err != nil {
			return listed, false, err
		}
		for _, piece := range some.Pieces {
			raw, err := r.encoder.Decompress(piece.Bytes, piece.RawLen)
			if err != nil {
				continue // it is told of as what it is
			}
			cut, err := repodata.Cut(raw, s.Form())
			if err != nil {
				continue
			}
			for _, m := range cut {
				if s.Key(m.Key) == a.File {
					return listedAt(m.Member), true, nil
				}
			}
		}
	}
	return listed, false, nil
}

// sharded reports whether a shard of a place shows an artifact, and since when by its word. A superseded one must show these
// very bytes as a package: it may tell of what was replaced or yanked since.
func (r *run) sharded(ctx context.Context, p index.Place, a Artifact) (listed time.Time, ok bool, err error) {
	f, err := conda.ParseFilename(a.File)
	if err != nil {
		return listed, false, nil //nolint:nilerr // its record tells of that
	}
	shards, err := r.store.ShardsOf(ctx, p, f.Name())
	if err != nil {
		return listed, false, err
	}
	for _, s := range shards {
		if sum := sha256.Sum256(s.Bytes); !bytes.Equal(sum[:], s.SHA256) {
			continue // it is told of as what it is
		}
		entries, err := repodata.ReadShard(s.Bytes)
		if err != nil {
			continue
		}
		for _, e := range entries {
			switch {
			case e.File != f, s.Superseded && (e.Place == repodata.Removed || e.Record.SHA256 != a.SHA256):
			case e.Record.IndexedMS > 0:
				return time.UnixMilli(e.Record.IndexedMS), true, nil
			default:
				return time.Time{}, true, nil // one of the removed has no time
			}
		}
	}
	return listed, false, nil
}

// listedAt is the indexed_timestamp (CEP 47) of a member of repodata.json.
func listedAt(member []byte) time.Time {
	var of map[string]struct {
		Indexed int64 `json:"indexed_timestamp"` // in ms
	}
	if json.Unmarshal(slices.Concat([]byte("{"), bytes.TrimSpace(member), []byte("}")), &of) != nil {
		return time.Time{} // one of the removed has no time
	}
	for _, m := range of {
		if m.Indexed > 0 {
			return time.UnixMilli(m.Indexed)
		}
	}
	return time.Time{}
}
