package importing

import (
	"sync"
	"sync/atomic"
)

// Line is what became of one file.
type Line struct {
	Subdir string `json:"subdir"`
	File   string `json:"file"`
	// Outcome is "imported", "would be imported" in a dry run, "refused", "attested" for a file that was there before, and of
	// which the source has other attestations, or "updated" and "would be updated" for one of which it says something else now.
	Outcome string `json:"outcome"`
	// Why is the sentence of a refusal.
	Why string `json:"why,omitempty"`
	// Size is that of the file in bytes, 0 when it did not come.
	Size int64 `json:"size,omitempty"`
	// Labels are those that list the file now; of an updated file, those that list it in addition.
	Labels []string `json:"labels,omitempty"`
	// Yanked says that it was brought in as yanked, Patched that the index says of it what its source's index said and
	// not only what the package says.
	Yanked  bool `json:"yanked,omitempty"`
	Patched bool `json:"patched,omitempty"`
	// Attestations is how many came with it; LeftOut says of each that the source has and that did not come, why.
	Attestations int      `json:"attestations,omitempty"`
	LeftOut      []string `json:"attestations_left_out,omitempty"`
	// Changed is what was taken up of an updated file: "labels", "yanked", "unyanked", "correction". KeptHere says of what was not,
	// why.
	Changed  []string `json:"changed,omitempty"`
	KeptHere []string `json:"kept_here,omitempty"`
}

// The outcomes of a file.
const (
	imported      = "imported"
	wouldImported = "would be imported"
	refused       = "refused"
	reattested    = "attested"
	updated       = "updated"
	wouldUpdate   = "would be updated"
)

// Counts are what became of files.
type Counts struct {
	// Imported, Present and Refused are all files that the source names; in a dry run the first are those that would
	// be imported.
	Imported, Present, Refused int64
	// Yanked and Patched are some of the imported.
	Yanked, Patched int64
	// Attestations are those that came, LeftOut those of the source that did not hold, or could not be had.
	Attestations, LeftOut int64
	// Bytes are those of the imported files.
	Bytes int64
	// Updated are some of the present: those of which the source said something else than at the last import. Of them so many
	// are listed in more labels, yanked, yanked no more, and corrected; KeptHere are the present of which something was not
	// taken up.
	Updated, ListedSince, YankedSince, UnyankedSince, CorrectedSince, KeptHere int64
}

// Progress can be looked at by any goroutine while an import runs.
type Progress struct {
	// Files and Bytes are what the source names, once Surveyed; those of unknown size count as none.
	Files, Bytes atomic.Int64
	// Surveyed says that all indexes were read once.
	Surveyed atomic.Bool
	// DoneFiles and DoneBytes are what was imported, refused, or there before.
	DoneFiles, DoneBytes atomic.Int64
	// CameBytes are those that came from the source.
	CameBytes atomic.Int64
	// Refused are some of the done files.
	Refused atomic.Int64
}

// tally counts outcomes and passes them on.
type tally struct {
	progress *Progress
	report   func(Line)

	mu  sync.Mutex // guards sum, and is held while report is called
	sum Counts
}

func (t *tally) counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}

// done counts a file, of so many bytes by the source's index.
func (t *tally) done(bytes int64) {
	t.progress.DoneFiles.Add(1)
	t.progress.DoneBytes.Add(bytes)
}

func (t *tally) present(e entry) {
	t.done(e.size())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Present++
}

// refuse takes the key of an entry, which need not be a file name.
func (t *tally) refuse(e entry, why error) {
	t.done(e.size())
	t.progress.Refused.Add(1)
	t.line(Line{Subdir: e.place.Subdir.String(), File: e.name(), Outcome: refused, Why: why.Error()})
}

func (t *tally) line(l Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.add(l)
	if t.report != nil {
		t.report(l)
	}
}

func (c *Counts) add(l Line) {
	c.Attestations += int64(l.Attestations)
	c.LeftOut += int64(len(l.LeftOut))
	switch l.Outcome {
	case refused:
		c.Refused++
		return
	case reattested:
		c.Present++
		return
	case updated, wouldUpdate:
		c.update(l)
		return
	}
	c.Imported++
	c.Bytes += l.Size
	if l.Yanked {
		c.Yanked++
	}
	if l.Patched {
		c.Patched++
	}
}

// update counts a file that was counted as present.
func (c *Counts) update(l Line) {
	if len(l.Changed) > 0 {
		c.Updated++
	}
	if len(l.KeptHere) > 0 {
		c.KeptHere++
	}
	for _, what := range l.Changed {
		switch what {
		case changedLabels:
			c.ListedSince++
		case changedYanked:
			c.YankedSince++
		case changedUnyanked:
			c.UnyankedSince++
		case changedCorrection:
			c.CorrectedSince++
		}
	}
}

// would counts a file that a dry run names.
func (t *tally) would(e entry) {
	t.done(e.size())
	t.line(e.line(wouldImported))
}

// imported counts a file that was committed.
func (t *tally) imported(r ready) {
	t.done(r.size())
	l := r.line(imported)
	l.Size, l.Patched, l.Attestations, l.LeftOut = r.commit.Record.Size, r.patched, len(r.commit.Attestations), r.left
	t.line(l)
}

// attested counts a file that was there before, to which so many attestations came.
func (t *tally) attested(r ready, added int) {
	t.done(r.size())
	t.line(Line{Subdir: r.place.Subdir.String(), File: r.name(), Outcome: reattested, Attestations: added, LeftOut: r.left})
}

// updated tells of a file that was counted as present what was taken up of it, or would be.
func (t *tally) updated(e entry, k taken, dry bool) {
	l := Line{Subdir: e.place.Subdir.String(), File: e.name(), Outcome: updated, Labels: k.listed(), Changed: k.changed, KeptHere: k.kept}
	if dry {
		l.Outcome = wouldUpdate
	}
	t.line(l)
}

// line is what is known of an entry before it is fetched.
func (e entry) line(outcome string) Line {
	labels := make([]string, len(e.labels))
	for i, l := range e.labels {
		labels[i] = l.String()
	}
	return Line{Subdir: e.place.Subdir.String(), File: e.name(), Outcome: outcome, Size: e.size(), Labels: labels, Yanked: e.yanked}
}
