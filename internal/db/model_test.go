package db_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/version"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// model is what a channel should be, kept in maps by rules that are as plain as can be. It knows the rules of the
// database and nothing of how that keeps them: no pieces, no rows.
type model struct {
	made   time.Time
	places map[index.Place]modelPlace
	files  map[curate.Key]*modelFile
}

// modelPlace is the generation of a place.
type modelPlace struct {
	number int64
	at     time.Time
}

// modelFile is an artifact.
type modelFile struct {
	key      curate.Key
	pkg      *modelPackage
	patch    conda.Patch
	yanked   bool
	deleted  bool
	purged   bool
	imported bool
	// seq is its place among all that ever came, at when it came, deletedAt when it was deleted.
	seq           int
	at, deletedAt time.Time
	labels        map[conda.Label]modelListing
}

// modelListing is when a label listed a file first, and whether it does no more.
type modelListing struct {
	at  time.Time
	out bool
}

// modelPackage is the bytes of a file, and what they say.
type modelPackage struct {
	publish.Commit
	bytes []byte
}

func (m *model) clone() *model {
	n := &model{made: m.made, places: maps.Clone(m.places), files: map[curate.Key]*modelFile{}}
	for k, f := range m.files {
		c := *f
		c.labels = maps.Clone(f.labels)
		n.files[k] = &c
	}
	return n
}

// step is one transaction of the model.
type step struct {
	*model
	channelID int64
	now, time time.Time
	locked    map[index.Place]time.Time
	changed   map[index.Place]bool
}

// begin locks places: their time is later than that of the last change of any of them, even when the clock went back.
func (m *model) begin(channelID int64, now time.Time, subdirs []conda.Subdir, labels []conda.Label) *step {
	s := &step{model: m, channelID: channelID, now: now, locked: map[index.Place]time.Time{}, changed: map[index.Place]bool{}}
	for _, d := range subdirs {
		for _, l := range append([]conda.Label{conda.MainLabel()}, labels...) {
			s.lock(l, d)
		}
	}
	for _, at := range s.locked {
		if at.After(s.time) {
			s.time = at
		}
	}
	for p := range s.locked {
		s.locked[p] = s.time
	}
	return s
}

func (s *step) lock(l conda.Label, d conda.Subdir) index.Place {
	p := index.Place{ChannelID: s.channelID, Label: l, Subdir: d}
	if _, ok := s.locked[p]; ok {
		return p
	}
	last := s.made
	if known, ok := s.places[p]; ok {
		last = known.at
	}
	at := s.now
	if !at.After(last) {
		at = last.Add(time.Microsecond)
	}
	if at.Before(s.time) {
		at = s.time
	}
	s.locked[p] = at
	return p
}

// change notes that a place changes, and returns its time.
func (s *step) change(l conda.Label, d conda.Subdir) time.Time {
	p := s.lock(l, d)
	s.changed[p] = true
	return s.locked[p]
}

// end raises what changed.
func (s *step) end() {
	for p := range s.changed {
		s.places[p] = modelPlace{s.places[p].number + 1, s.locked[p]}
	}
}

// already stands among codes for the same bytes, again.
const already fault.Code = "already"

// publish predicts what becomes of each upload of a batch to one subdir.
func (m *model) publish(channelID int64, now time.Time, all []publish.Commit, pkgs []*modelPackage) []fault.Code {
	var labels []conda.Label
	for _, c := range all {
		labels = append(labels, c.Labels...)
	}
	s := m.begin(channelID, now, []conda.Subdir{all[0].Record.Subdir}, labels)
	out := make([]fault.Code, len(all))
	for i, c := range all {
		out[i] = s.upload(c, pkgs[i])
	}
	s.end()
	return out
}

func (s *step) upload(c publish.Commit, pkg *modelPackage) fault.Code {
	key := curate.Key{Subdir: c.Record.Subdir, File: c.File}
	old := s.files[key]
	if old != nil {
		equal := old.pkg.Record.SHA256 == c.Record.SHA256
		switch {
		case c.Force && c.Channel.Replaceable && !equal:
		case old.deleted:
			return fault.Exists
		case equal && (c.Import != nil || !old.imported):
			return already
		case equal, !c.Force:
			return fault.Exists
		default:
			return fault.NotPermitted
		}
	}
	if c.Import == nil && s.twinDiffers(c) {
		return fault.TwinDiffers
	}
	f := &modelFile{key: key, pkg: pkg, patch: c.Patch, imported: c.Import != nil, at: s.time, seq: len(s.files), labels: map[conda.Label]modelListing{}}
	labels := slices.Clone(c.Labels)
	if old != nil {
		f.seq = old.seq
		for l, listing := range old.labels {
			if !listing.out {
				labels = append(labels, l) // what is taken out is forgotten: other bytes were never listed there
			}
		}
	}
	if c.Import != nil {
		f.yanked = c.Import.Yanked
		if !c.Import.UploadedAt.IsZero() {
			f.at = c.Import.UploadedAt
		}
	}
	for _, l := range labels {
		at := s.change(l, key.Subdir)
		if c.Import != nil && !c.Import.IndexedAt.IsZero() {
			at = c.Import.IndexedAt
		}
		f.labels[l] = modelListing{at: at}
	}
	s.files[key] = f
	return ""
}

func (s *step) twinDiffers(c publish.Commit) bool {
	ext := conda.ExtConda
	if c.File.Ext() == ext {
		ext = conda.ExtTarBz2
	}
	for key, f := range s.files {
		if key.Subdir == c.Record.Subdir && key.File.String() == c.File.Stem()+ext && !f.deleted {
			return !slices.Equal(f.pkg.Record.Depends, c.Record.Depends)
		}
	}
	return false
}

// curate predicts a change of files, all or none of them. On a refusal the model is spoiled: throw it away.
func (m *model) curate(channelID int64, now time.Time, keys []curate.Key, c curate.Change) (changed int, refused fault.Code) {
	var subdirs []conda.Subdir
	for _, k := range keys {
		if f := m.files[k]; f == nil || f.purged {
			return 0, fault.NotFound
		}
		subdirs = append(subdirs, k.Subdir)
	}
	var labels []conda.Label
	for _, l := range []conda.Label{c.Label, c.To} {
		if !l.IsZero() {
			labels = append(labels, l)
		}
	}
	s := m.begin(channelID, now, subdirs, labels)
	for _, k := range keys {
		did, code := s.one(m.files[k], c)
		if code != "" {
			return 0, code
		}
		if did {
			changed++
		}
	}
	s.end()
	return changed, ""
}

func (s *step) one(f *modelFile, c curate.Change) (bool, fault.Code) {
	if f.deleted && c.Kind != curate.Delete && c.Kind != curate.Restore {
		return false, fault.Conflict
	}
	switch c.Kind {
	case curate.Yank, curate.Unyank:
		return s.set(f, &f.yanked, c.Kind == curate.Yank), ""
	case curate.Delete, curate.Restore:
		if c.Kind == curate.Delete && !f.deleted {
			f.deletedAt = s.time
		}
		return s.set(f, &f.deleted, c.Kind == curate.Delete), ""
	case curate.List:
		return s.list(f, c.Label), ""
	case curate.TakeOut:
		return s.takeOut(f, c.Label), ""
	case curate.Move:
		if !s.takeOut(f, c.Label) {
			return false, fault.Conflict
		}
		s.list(f, c.To)
		return true, ""
	default:
		if samePatch(f.patch, c.Patch) {
			return false, ""
		}
		f.patch = c.Patch
		s.changeAll(f)
		return true, ""
	}
}

func (s *step) set(f *modelFile, state *bool, to bool) bool {
	if *state == to {
		return false
	}
	*state = to
	s.changeAll(f)
	return true
}

func (s *step) changeAll(f *modelFile) {
	for l, listing := range f.labels {
		if !listing.out {
			s.change(l, f.key.Subdir)
		}
	}
}

func (s *step) list(f *modelFile, l conda.Label) bool {
	was, known := f.labels[l]
	if known && !was.out {
		return false
	}
	at := s.change(l, f.key.Subdir)
	if known {
		at = was.at
	}
	f.labels[l] = modelListing{at: at}
	return true
}

func (s *step) takeOut(f *modelFile, l conda.Label) bool {
	was, known := f.labels[l]
	if !known || was.out {
		return false
	}
	s.change(l, f.key.Subdir)
	f.labels[l] = modelListing{at: was.at, out: true}
	return true
}

// purge takes the bytes from what was deleted before a time.
func (m *model) purge(before time.Time) {
	for _, f := range m.files {
		if f.deleted && !f.purged && f.deletedAt.Before(before) {
			f.purged, f.labels = true, map[conda.Label]modelListing{}
		}
	}
}

// modelLine is what lists of packages show of a name.
type modelLine struct {
	latest    string
	subdirs   []string
	artifacts int
	at        time.Time
}

// lines are those of all names.
func (m *model) lines() map[string]modelLine {
	byName := map[string][]*modelFile{}
	for _, f := range m.files {
		if !f.deleted && f.listed() {
			byName[f.key.File.Name()] = append(byName[f.key.File.Name()], f)
		}
	}
	out := map[string]modelLine{}
	for name, files := range byName {
		best := slices.MaxFunc(files, func(a, b *modelFile) int {
			return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(release(a), release(b)), version.Compare(a.key.File.Version(), b.key.File.Version()), cmp.Compare(a.seq, b.seq))
		})
		l := modelLine{latest: best.key.File.Version(), artifacts: len(files)}
		for _, f := range files {
			l.subdirs = append(l.subdirs, f.key.Subdir.String())
			if f.at.After(l.at) {
				l.at = f.at
			}
		}
		slices.Sort(l.subdirs)
		l.subdirs = slices.Compact(l.subdirs)
		out[name] = l
	}
	return out
}

func (f *modelFile) listed() bool {
	for _, l := range f.labels {
		if !l.out {
			return true
		}
	}
	return false
}

// rank is 2 for what main lists, 1 for what another label lists, 0 for what is yanked.
func (f *modelFile) rank() int {
	main, known := f.labels[conda.MainLabel()]
	switch {
	case f.yanked:
		return 0
	case known && !main.out:
		return 2
	default:
		return 1
	}
}

// release is 1 for a version that is no prerelease.
func release(f *modelFile) int {
	if v, err := version.Parse(f.key.File.Version()); err == nil && v.IsPrerelease() {
		return 0
	}
	return 1
}
