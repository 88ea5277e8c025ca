// Package check finds out whether what a channel's index says is what its artifacts say: it reads the artifacts' bytes,
// makes anew from their own metadata what the index should hold, and compares it, piece by piece, with what is stored.
// It can have the store make anew what differs. It runs beside uploads: what it compares comes from one moment each, and
// what it finds in the store of bytes it looks at twice. It must not know of HTTP or SQL, nor decide who may.
package check

import (
	"context"
	"time"

	"sluice/internal/channel"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// Checker is the use case of a check. Use New.
type Checker struct {
	store   Store
	blobs   Blobs
	limits  artifact.Limits
	encoder *repodata.Encoder
}

// New makes a Checker. Its methods may be called by several goroutines, but do one thing at a time where they compress.
func New(s Store, b Blobs) *Checker {
	lim := artifact.DefaultLimits()
	lim.Now, lim.Imported = time.Unix(0, 0), true // what was let in once is not refused again
	return &Checker{store: s, blobs: b, limits: lim, encoder: repodata.NewEncoder()}
}

// Options say how to look.
type Options struct {
	// Quick takes the metadata that the database keeps in place of the bytes of packages, of which only the size is
	// looked at.
	Quick bool
	// Found is told of every difference as it is found, Progress of how far the check is. Both may be nil.
	Found    func(Difference)
	Progress func(Progress)
}

// Progress is how far a check is.
type Progress struct {
	// Step is what is being looked at, for people: "artifacts", or a label and subdir.
	Step string `json:"step"`
	// Done and Total count artifacts.
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// Result is what a check of one channel has found.
type Result struct {
	Channel channel.Channel
	// Artifacts, Records, Pieces and Shards are how many were compared.
	Artifacts, Records, Pieces, Shards int64
	// Counts are how many differences there are of each kind.
	Counts map[Kind]int
	// plan is what a repair would do about them.
	plan plan
}

// Differences is how many there are.
func (r *Result) Differences() int {
	n := 0
	for _, c := range r.Counts {
		n += c
	}
	return n
}

// run is one check of one channel.
type run struct {
	*Checker
	Options
	channel channel.Channel
	result  *Result
	total   int64
	// places are where the channel had anything of an index at the beginning.
	places []index.Place
	// untrue are labels and names of which channeldata.json was found to be wrong.
	untrue map[string]bool
}

// Channel compares everything that readers are told of a channel. The error is for what kept it from being looked at.
func (c *Checker) Channel(ctx context.Context, ch channel.Channel, o Options) (*Result, error) {
	r := &run{Checker: c, Options: o, channel: ch, result: &Result{Channel: ch, Counts: map[Kind]int{}}, untrue: map[string]bool{}}
	var err error
	if r.total, err = c.store.CountArtifacts(ctx, ch.ID); err != nil {
		return nil, err
	}
	if r.places, err = c.store.Places(ctx, ch.ID); err != nil {
		return nil, err
	}
	if err := r.artifacts(ctx); err != nil {
		return nil, err
	}
	places, err := c.store.Places(ctx, ch.ID) // uploads may have made more
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		if err := r.place(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := r.packages(ctx); err != nil {
		return nil, err
	}
	return r.result, r.strays(ctx)
}

func (r *run) progress(step string) {
	if r.Progress != nil {
		r.Progress(Progress{Step: step, Done: r.result.Artifacts, Total: max(r.total, r.result.Artifacts)})
	}
}

// found notes a difference of the channel.
func (r *run) found(d Difference) {
	d.Channel, d.Repairable = r.channel.Name.String(), d.Kind.Repairable()
	r.result.Counts[d.Kind]++
	r.result.plan.add(d)
	if r.Found != nil {
		r.Found(d)
	}
}

// at is a difference in a place.
func at(k Kind, p index.Place) Difference {
	return Difference{Kind: k, Label: p.Label.String(), Subdir: p.Subdir.String(), place: p}
}
