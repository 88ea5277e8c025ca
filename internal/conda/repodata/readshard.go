package repodata

import (
	"bytes"
	"fmt"

	"sluice/internal/conda"
)

// What the strictest client, conda, grants a shard: its window and its content, in bytes.
const shardWindow, shardMost = 1 << 24, 16 << 20

// ReadShard reads the file of a shard (CEP 16) as Encoder.Shard makes it: one zstd frame that every client can
// read, records of one name in their maps, each spelled byte for byte as ShardMember spells it, and the names
// in Removed. The entries come in the file's order.
func ReadShard(file []byte) ([]Entry, error) {
	raw, err := oneFrame(file, shardWindow, shardMost)
	if err != nil {
		return nil, fmt.Errorf("read a shard: %w", err)
	}
	s := &shardReader{unpacker: unpacker{b: raw}, places: map[Place]bool{}, files: map[conda.Filename]bool{}}
	s.shard()
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("read a shard: %w", err)
	}
	return s.entries, nil
}

// shardReader gathers the entries of a shard.
type shardReader struct {
	unpacker
	entries []Entry
	places  map[Place]bool // that were there already
	files   map[conda.Filename]bool
}

func (s *shardReader) shard() {
	for range s.keys() {
		switch key := s.str(); key {
		case "packages":
			s.records(TarBz2)
		case "packages.conda":
			s.records(Conda)
		case "removed":
			s.removed()
		case "v3":
			s.v3()
		default:
			s.fail(fmt.Errorf("it has the unknown key %.64q", key))
		}
	}
	if !s.places[TarBz2] {
		s.fail(fmt.Errorf("it lacks %q, without which rattler cannot read it", TarBz2))
	}
}

func (s *shardReader) v3() {
	for range s.keys() {
		switch key := s.str(); key {
		case "tar.bz2":
			s.records(TarBz2V3)
		case "conda":
			s.records(CondaV3)
		default:
			s.fail(fmt.Errorf("it has the unknown key %.64q in v3", key))
		}
	}
}

// once refuses a place that was there before.
func (s *shardReader) once(p Place) {
	if s.places[p] {
		s.fail(fmt.Errorf("it has %q twice", p))
	}
	s.places[p] = true
}

func (s *shardReader) records(p Place) {
	s.once(p)
	for range s.keys() {
		s.record(p)
	}
}

// record reads a key and its record, and makes sure that they would be written the same.
func (s *shardReader) record(p Place) {
	start := s.at
	key := s.str()
	value := s.json(nil, 0)
	if s.err != nil {
		return
	}
	f, r, re, err := parseRecord(p, key, value)
	if err != nil {
		s.fail(err)
		return
	}
	again := packForm{b: appendStr(nil, key)}
	writeRecord(&again, r, &re)
	switch {
	case !bytes.Equal(again.b, s.b[start:s.at]):
		s.fail(fmt.Errorf("the member of %s is not written as this program writes members", f))
	case s.files[f]:
		s.fail(fmt.Errorf("it lists %s twice", f))
	case len(s.entries) > 0 && s.entries[0].Record.Name != r.Name:
		s.fail(fmt.Errorf("it lists %s and %s, which are not of one name", s.entries[0].File, f))
	}
	s.files[f] = true
	s.entries = append(s.entries, Entry{Place: p, File: f, Record: r, RunExports: &re})
}

func (s *shardReader) removed() {
	s.once(Removed)
	for range s.times(s.arrayLen()) {
		f, err := Removed.filename(s.str())
		if err != nil {
			s.fail(err)
			return
		}
		s.entries = append(s.entries, Entry{Place: Removed, File: f})
	}
}
