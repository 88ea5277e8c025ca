package importing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"slices"
	"time"

	"sluice/internal/conda"
)

// maxLabels bounds the labels of one import: a set of them is one number.
const maxLabels = 64

// survey is what the indexes of one subdir hold, before any package is fetched.
type survey struct {
	places []*opened
	// shared tells of every name that another label than the first one has, or that is removed, in which labels it is. The
	// others, which are most, take no memory. A file that is listed counts as no removed one, wherever it stands as both.
	shared map[key]membership
}

// opened is the index of one label.
type opened struct {
	Place
	// bit is the label's number in a membership.
	bit   int
	index *Index
	base  string
}

// key stands for a file name in 16 bytes.
type key [16]byte

func keyOf(name string) key {
	sum := sha256.Sum256([]byte(name))
	return key(sum[:16])
}

// membership is where a name stands: sets of labels by their numbers.
type membership struct {
	listed, removed uint64
	size            int64
	// times are those of the first listing, where the index tells them.
	times []listing
}

// listing is when a label first listed a file, in milliseconds since 1970.
type listing struct {
	bit       int
	indexedMS int64
}

// where are the labels that count: those that only call a file removed do so only where none lists it.
func (m membership) where() uint64 {
	if m.listed != 0 {
		return m.listed
	}
	return m.removed
}

func (s *survey) close() {
	for _, o := range s.places {
		_ = o.index.Close() // it was only read
	}
}

// surveyAll opens every index and counts what they name.
func (j *job) surveyAll(ctx context.Context) (all []*survey, err error) {
	labels := slices.Clone(j.Labels)
	if len(labels) == 0 {
		if labels, err = j.Source.Labels(ctx); err != nil {
			return nil, err
		}
		j.allLabels = len(labels) > 0
	}
	if len(labels) == 0 {
		labels = []conda.Label{conda.MainLabel()}
	}
	j.labels = labels
	if len(labels) > maxLabels {
		return nil, fmt.Errorf("the source has %d labels, and one import takes %d at most: name them with --label, in several imports", len(labels), maxLabels)
	}
	subdirs := j.Subdirs
	if len(subdirs) == 0 {
		if subdirs, err = j.Source.Subdirs(ctx); err != nil {
			return nil, err
		}
	}
	for _, d := range subdirs {
		s, err := j.survey(ctx, d, labels)
		all = append(all, s)
		if err != nil {
			return all, err
		}
	}
	if !slices.ContainsFunc(all, func(s *survey) bool { return len(s.places) > 0 }) {
		return all, fmt.Errorf("%s has no channel: no subdir there has a repodata.json", j.Source)
	}
	j.Progress.Surveyed.Store(true)
	return all, nil
}

// survey opens the indexes of one subdir. What it returns is closed by the caller, also beside an error.
func (j *job) survey(ctx context.Context, d conda.Subdir, labels []conda.Label) (*survey, error) {
	s := &survey{shared: map[key]membership{}}
	for bit, l := range labels {
		p := Place{Label: l, Subdir: d}
		x, err := j.Source.Index(ctx, p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return s, err
		}
		s.places = append(s.places, &opened{Place: p, bit: bit, index: x})
	}
	// The first label last: of its names only those are noted that others have, too.
	for i, o := range slices.Backward(s.places) {
		if err := j.count(ctx, s, o, i == 0); err != nil {
			return s, err
		}
	}
	for _, m := range s.shared {
		if m.where()&(1<<s.places[0].bit) == 0 {
			j.expect(m.size)
		}
	}
	return s, nil
}

func (j *job) expect(size int64) {
	j.Progress.Files.Add(1)
	j.Progress.Bytes.Add(size)
}

// count reads an index for the first time.
func (j *job) count(ctx context.Context, s *survey, o *opened, first bool) (err error) {
	o.base, err = o.index.read(o.Subdir, func(e entry) error {
		k := keyOf(e.name())
		m, shared := s.shared[k]
		counted := e.listed || m.where()&(1<<o.bit) != 0
		if shared || !first || e.yanked {
			m = m.with(e, o.bit)
			s.shared[k] = m
		}
		if first && !counted && (!shared || m.where()&(1<<o.bit) != 0) {
			j.expect(e.size())
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("read the index of %s in %s: %w", o.Subdir, j.Source, err)
	}
	return nil
}

// with adds a label.
func (m membership) with(e entry, bit int) membership {
	if e.yanked {
		m.removed |= 1 << bit
	}
	if !e.yanked || e.listed {
		m.listed |= 1 << bit
	}
	if e.record != nil && e.record.IndexedMS > 0 {
		m.times = append(m.times, listing{bit, e.record.IndexedMS})
	}
	m.size = max(m.size, e.size())
	return m
}

// claim says where an entry of o is listed, and whether it is o's to bring in: the first of its labels does.
func (s *survey) claim(o *opened, e *entry) bool {
	e.place, e.base = o.Place, o.base
	m, shared := s.shared[keyOf(e.name())]
	if !shared {
		e.labels = []conda.Label{o.Label}
		return true
	}
	if e.yanked != (m.listed == 0) || bits.TrailingZeros64(m.where()) != o.bit {
		return false
	}
	e.indexedIn = map[conda.Label]time.Time{}
	for _, p := range s.places {
		if m.where()&(1<<p.bit) == 0 {
			continue
		}
		e.labels = append(e.labels, p.Label)
		for _, t := range m.times {
			if t.bit == p.bit {
				e.indexedIn[p.Label] = time.UnixMilli(t.indexedMS)
			}
		}
	}
	return true
}
