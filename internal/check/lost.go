package check

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// lost looks for labels that list an artifact by their pieces, and have no record of it: at most as many as are missing
// by its count of labels. It returns how many it found. Pieces are made of records, so what a piece shows was
// a record once; without that witness the label might as well never have listed it, and nobody must be shown what
// was held.
func (r *run) lost(ctx context.Context, a Artifact, missing int) (found int, err error) {
	for _, p := range r.places {
		known := slices.ContainsFunc(a.Records, func(l Listing) bool { return l.Label == p.Label.String() })
		if found >= missing || known || p.Subdir.String() != a.Subdir {
			continue
		}
		listed, shows, err := r.shows(ctx, p, a)
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
