package importing

import (
	"context"
	"crypto/md5" //nolint:gosec // old channels have nothing else
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/internal/conda"
)

// entry is a file that a source names.
type entry struct {
	place Place
	base  string
	// labels are all labels of the import that have it.
	labels []conda.Label
	// indexedIn is when each of several labels first listed it, where its index tells.
	indexedIn map[conda.Label]time.Time
	file      conda.Filename
	// key is how the source spells it where that is no file name.
	key string
	// record is what the source's index says; nil when it says no more than the name.
	record *conda.Record
	// runExports are what the source says that the package exports; nil where it does not tell.
	runExports *conda.RunExports
	// yanked says that the source calls the file removed.
	yanked bool
	// listed says that it does so of a file that it has listed before, all the same.
	listed bool
	// there is the digest of a file that is there, of which the source has other attestations; zero: it is to be fetched.
	there [32]byte
	// bad is why the entry cannot be used.
	bad error
}

func (e entry) name() string {
	if e.file.IsZero() {
		return e.key
	}
	return e.file.String()
}

// size is that of the file as the source's index has it; 0: it does not say.
func (e entry) size() int64 {
	if e.record == nil {
		return 0
	}
	return e.record.Size
}

// wanted is an entry that is not there yet.
type wanted = entry

// askFiles is how many names are asked for at once.
const askFiles = 500

// list names to the others what is to be fetched, subdir after subdir, in the order of the source's index: its
// neighbours there are neighbours in ours.
func (j *job) list(ctx context.Context, surveys []*survey) error {
	for _, s := range surveys {
		for _, o := range s.places {
			if err := j.listPlace(ctx, s, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *job) listPlace(ctx context.Context, s *survey, o *opened) error {
	told, err := j.runExports(ctx, o)
	if err != nil {
		return err
	}
	var asked []entry
	_, err = o.index.read(o.Subdir, func(e entry) error {
		if !s.claim(o, &e) {
			return nil
		}
		if e.runExports == nil {
			e.runExports = told[keyOf(e.name())]
		}
		if e.bad != nil {
			j.tally.refuse(e, e.bad)
			return nil //nolint:nilerr // what is wrong with one entry ends nothing
		}
		asked = append(asked, e)
		if len(asked) < askFiles {
			return nil
		}
		err := j.ask(ctx, asked)
		asked = nil
		return err
	})
	if err == nil {
		err = j.ask(ctx, asked)
	}
	return err
}

// ask passes on those entries whose files are not there.
func (j *job) ask(ctx context.Context, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.name()
	}
	there, err := j.Store.Known(ctx, j.Channel.ID, entries[0].place.Subdir, j.Source.String(), names)
	if err != nil {
		return err
	}
	var followed []entry
	var all []taken
	for _, e := range entries {
		if k, ok := there[e.name()]; ok {
			t, err := j.meet(ctx, &e, k)
			if err != nil {
				return err
			}
			if !t.nothing() {
				followed, all = append(followed, e), append(all, t)
			}
			if e.there == [32]byte{} {
				continue
			}
		} else if j.DryRun {
			j.tally.would(e)
			continue
		}
		select {
		case j.wanted <- e:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return j.followAll(ctx, followed, all)
}

// meet looks at a file that is there already: it counts it, and tells what the source has changed of it. Where the source
// has other attestations, it marks the entry instead of counting it.
func (j *job) meet(ctx context.Context, e *entry, k Known) (t taken, err error) {
	if same, err := j.compare(ctx, *e, k.SHA256); !same || err != nil {
		return t, err
	}
	t, err = j.follow(ctx, *e, k)
	switch {
	case ctx.Err() != nil:
		return t, context.Cause(ctx)
	case err != nil:
		j.tally.refuse(*e, err)
	case !j.DryRun && j.takesAttestations() && j.attestedElse(*e, k.Sidecar):
		e.there = k.SHA256
	default:
		j.tally.present(*e)
	}
	return t, nil
}

// compare reports whether a file whose name is there has the same bytes; with others it is refused. Where the source
// tells no digest, the name has to do.
func (j *job) compare(ctx context.Context, e entry, sum [32]byte) (same bool, err error) {
	same = true
	switch {
	case e.record == nil:
	case e.record.SHA256 != [32]byte{}:
		same = e.record.SHA256 == sum
	case e.record.MD5 != [16]byte{}:
		own, err := j.md5Of(ctx, sum)
		if err != nil {
			return false, err
		}
		same = own == e.record.MD5
	}
	if same {
		return true, nil
	}
	j.tally.refuse(e, fmt.Errorf("channel %s has other bytes under this name already, with SHA-256 %x: remove it there first, or leave it", j.Channel.Name, sum))
	return false, nil
}

// md5Of reads a blob, for sources that know no SHA-256.
func (j *job) md5Of(ctx context.Context, sum [32]byte) (own [16]byte, err error) {
	r, _, err := j.Blobs.Open(ctx, sum)
	if err != nil {
		return own, err
	}
	h := md5.New() //nolint:gosec // see the import
	_, err = io.Copy(h, r)
	h.Sum(own[:0])
	return own, errors.Join(err, r.Close())
}

// listedIn is when a label of the source first listed the file, of which no more is known than what its index says.
func (e entry) listedIn(l conda.Label, now time.Time) time.Time {
	if at, ok := e.indexedIn[l]; ok && !at.After(now) {
		return at
	}
	return e.indexedAt(time.Time{}, now)
}

// indexedAt is when the file was first listed in the source (CEP 47): as its index says, or else as near as its build
// time or the time of the file come to that; zero when neither is known.
func (e entry) indexedAt(modified, now time.Time) time.Time {
	at := modified
	switch {
	case e.record == nil:
	case e.record.IndexedMS > 0:
		at = time.UnixMilli(e.record.IndexedMS)
	case e.record.TimestampMS > 0:
		at = time.UnixMilli(e.record.TimestampMS)
	}
	if at.After(now) {
		return time.Time{}
	}
	return at
}
