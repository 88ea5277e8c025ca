package importing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/internal/conda"
)

// Known is a file that the channel has under a name.
type Known struct {
	ArtifactID int64
	SHA256     [32]byte
	// Sidecar is the SHA-256 of the file of its attestations; zero: it has none.
	Sidecar [32]byte
	// Follows is what the import knows of it; nil for a file that came from elsewhere, which no source has a say in.
	Follows *Follows
}

// Follows is a file that came from the source: what that said of it last, and what it is here.
type Follows struct {
	// Own and RunExports are what the package says itself, without what the index owns. V3 says that only readers of
	// revision 3 see its record.
	Own        conda.Record
	RunExports conda.RunExports
	V3         bool
	// Yanked and Patch are what the source said at the last import, from which its keepers here may have gone away.
	Yanked bool
	Patch  conda.Patch
	// YankedHere and PatchHere are what it is here, YankedByImport that no keeper yanked it.
	YankedHere, YankedByImport bool
	PatchHere                  conda.Patch
	// Listed are the labels that list it, TakenOut those that did once.
	Listed, TakenOut []conda.Label
}

// Update is what a source has changed of a file since the last import.
type Update struct {
	ArtifactID int64
	// Listed are labels that list it from now on, and since when the source's do; the zero time: now.
	Listed map[conda.Label]time.Time
	// Yank and Unyank change whether solvers see it.
	Yank   *Yank
	Unyank bool
	// Correct lays Patch over what the package says of itself.
	Correct bool
	// Yanked and Patch are what the source says now, for the next import to compare with.
	Yanked bool
	Patch  conda.Patch
}

// Yank is what a source tells of a yank. The zero value tells nothing.
type Yank struct {
	// At is when it was; zero: not known.
	At time.Time
	// Reason is for people, of at most maxReason bytes; "": not known.
	Reason string
}

// maxReason bounds the reason of a yank, in bytes, as for keepers.
const maxReason = 500

// What may have changed of a file, as the report says it.
const (
	changedLabels     = "labels"
	changedYanked     = "yanked"
	changedUnyanked   = "unyanked"
	changedCorrection = "correction"
)

// taken is what an import does about a file that is there.
type taken struct {
	Update

	// changed is what is taken up, kept why something else is not.
	changed, kept []string
}

func (t taken) nothing() bool { return len(t.changed)+len(t.kept) == 0 && !t.remembers() }

// remembers says that the source says now what it is here already, and did not say before.
func (t taken) remembers() bool { return t.ArtifactID != 0 }

// follow finds out what the source has changed of a file since the last import. What keepers of the channel have changed
// themselves stays as it is, and the sentence says so. The error refuses what the source says now.
func (j *job) follow(ctx context.Context, e entry, k Known) (t taken, err error) {
	f := k.Follows
	if f == nil {
		return t, nil
	}
	t.Yanked, t.Patch = f.Yanked, f.Patch
	t.labels(e, f, j.Now())
	if err := t.correction(e, f); err != nil {
		return taken{}, err
	}
	if err := j.yanks(ctx, &t, e, f); err != nil {
		return taken{}, err
	}
	if len(t.changed) > 0 || t.Yanked != f.Yanked || !samePatch(t.Patch, f.Patch) {
		t.ArtifactID = k.ArtifactID
	}
	return t, nil
}

// labels lists the file where the source does and no label here ever did: what was taken out here stays out.
func (t *taken) labels(e entry, f *Follows, now time.Time) {
	for _, l := range e.labels {
		if slices.Contains(f.Listed, l) || slices.Contains(f.TakenOut, l) {
			continue
		}
		if t.Listed == nil {
			t.Listed = map[conda.Label]time.Time{}
			t.changed = append(t.changed, changedLabels)
		}
		t.Listed[l] = e.listedIn(l, now)
	}
}

// correction takes up another correction of the source, unless a keeper has laid one over it, or taken it away.
func (t *taken) correction(e entry, f *Follows) error {
	if e.record == nil {
		return nil
	}
	patch, err := e.patch(f.Own, f.RunExports)
	if err == nil {
		_, _, err = patch.Apply(f.Own, f.RunExports, f.V3)
	}
	if err != nil {
		return fmt.Errorf("it is here as it was, for what the source says of it now cannot be taken up: %w", err)
	}
	if e.runExports == nil { // it does not tell, so it does not take back what it told
		patch.RunExports = f.Patch.RunExports
	}
	switch {
	case samePatch(patch, f.Patch):
	case samePatch(patch, f.PatchHere):
		t.Patch = patch
	case samePatch(f.Patch, f.PatchHere):
		t.Patch, t.Correct = patch, true
		t.changed = append(t.changed, changedCorrection)
	default:
		t.kept = append(t.kept, "its record was corrected here, and what the source says of it now differs: see both, and correct it here")
	}
	return nil
}

// yanks takes up that the source has yanked the file, or no longer does.
func (j *job) yanks(ctx context.Context, t *taken, e entry, f *Follows) (err error) {
	switch {
	case e.yanked == f.Yanked, !e.yanked && e.record == nil: // a folder without an index tells nothing
	case e.yanked && !j.sees(f.Listed):
		t.kept = append(t.kept, "the source calls it removed in the labels of this import, and a label that is not among them lists it here: import all labels at once")
	case e.yanked:
		t.Yanked = true
		if f.YankedHere {
			return nil
		}
		t.Yank, err = j.yankOf(ctx, e)
		t.changed = append(t.changed, changedYanked)
	case f.YankedHere && !f.YankedByImport:
		t.kept = append(t.kept, "the source has taken back its yank, and it was yanked here, too: take that back here")
	default:
		t.Yanked, t.Unyank = false, f.YankedHere
		if f.YankedHere {
			t.changed = append(t.changed, changedUnyanked)
		}
	}
	return err
}

// sees reports whether the import has looked at every label of the source that may list what is listed in labels here.
func (j *job) sees(labels []conda.Label) bool {
	return j.allLabels || !slices.ContainsFunc(labels, func(l conda.Label) bool { return !slices.Contains(j.labels, l) })
}

// yankOf asks the source when and why it yanked a file.
func (j *job) yankOf(ctx context.Context, e entry) (*Yank, error) {
	if j.DryRun {
		return &Yank{}, nil
	}
	y, err := j.Source.Yank(ctx, e.place.Subdir, e.file)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	} else if err != nil {
		return &Yank{}, nil //nolint:nilerr // a yank without its reason is one all the same
	}
	if y.At.After(j.Now()) {
		y.At = time.Time{}
	}
	return &y, nil
}

// samePatch compares what two corrections say, as they are kept.
func samePatch(a, b conda.Patch) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errors.Join(errX, errY) == nil && bytes.Equal(x, y)
}

// followAll takes up what the source has changed of files of one subdir, all in one generation.
func (j *job) followAll(ctx context.Context, entries []entry, all []taken) error {
	var updates []Update
	for _, t := range all {
		if t.remembers() {
			updates = append(updates, t.Update)
		}
	}
	if !j.DryRun && len(updates) > 0 {
		committing, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
		defer cancel()
		if err := j.Store.Follow(committing, j.Channel, entries[0].place.Subdir, updates); err != nil {
			return fmt.Errorf("take up what the source has changed of %d files: %w", len(updates), err)
		}
	}
	for i, t := range all {
		if len(t.changed)+len(t.kept) > 0 {
			j.tally.updated(entries[i], t, j.DryRun)
		}
	}
	return nil
}

// listed are the names of the labels that list a file in addition, sorted.
func (t taken) listed() []string {
	var names []string
	for l := range maps.Keys(t.Listed) {
		names = append(names, l.String())
	}
	slices.Sort(names)
	return names
}
