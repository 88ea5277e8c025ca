package repodata

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
)

// entry makes the entry of a record, which may be anything: the fields of the package, normalised as at an
// upload, and those of the index.
func (s *Source) entry(p Place, key string, raw []byte) (Entry, error) {
	f, err := p.filename(key)
	if err != nil {
		return Entry{}, err
	}
	if len(raw) > maxRecord {
		return Entry{}, fmt.Errorf("the record has more than %d bytes", maxRecord)
	}
	if err := s.note(f); err != nil {
		return Entry{}, err
	}
	r, _, err := artifact.ParseIndex(raw, f, time.Time{})
	if err != nil {
		return Entry{}, err
	}
	if r.Subdir.IsZero() {
		r.Subdir = s.subdir
	}
	e := Entry{Place: p, File: f, Record: r}
	return e, e.readOwned(raw)
}

// note refuses a file name that was there before.
func (s *Source) note(f conda.Filename) error {
	if s.has(f) {
		return errors.New("the file is listed twice")
	}
	s.files[maphash.String(s.seed, f.String())] = struct{}{}
	return nil
}

// has reports whether a record of the file came already.
func (s *Source) has(f conda.Filename) bool {
	_, ok := s.files[maphash.String(s.seed, f.String())]
	return ok
}

// readOwned reads the fields of a record that are the index's, from a record that ParseIndex has read.
func (e *Entry) readOwned(raw []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("decode what was checked: %w", err)
	}
	err := errors.Join(
		readHash(e.Record.MD5[:], "md5", fields),
		readHash(e.Record.SHA256[:], "sha256", fields),
		readHash(e.Record.AttestationsSHA256[:], "attestations_sha256", fields),
		readCount(&e.Record.Size, "size", fields),
		readCount(&e.Record.IndexedMS, "indexed_timestamp", fields),
	)
	if re := fields["run_exports"]; err == nil && re != nil && string(re) != "null" {
		e.RunExports = new(conda.RunExports)
		*e.RunExports, err = artifact.ParseRunExports(re)
	}
	return err
}

// readHash reads a hash in hexadecimal; old channels lack some.
func readHash(to []byte, key string, fields map[string]json.RawMessage) error {
	raw := fields[key]
	if raw == nil || string(raw) == "null" {
		return nil
	}
	var text string
	var sum []byte
	err := json.Unmarshal(raw, &text)
	if err == nil {
		sum, err = hex.DecodeString(text)
	}
	if err != nil || len(sum) != len(to) {
		return fmt.Errorf("%q is %.80q; it must be %d hexadecimal digits", key, raw, hex.EncodedLen(len(to)))
	}
	copy(to, sum)
	return nil
}

// readCount reads a whole number, which may be written with a fraction; absent and null leave 0.
func readCount(to *int64, key string, fields map[string]json.RawMessage) error {
	raw := string(fields[key])
	if raw == "" || raw == "null" {
		return nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		var f float64
		f, err = strconv.ParseFloat(raw, 64)
		n = int64(f)
		if float64(n) != f || n > 1<<53 { // beyond it, what a float says is not what was meant
			n = -1
		}
	}
	if err != nil || n < 0 {
		return fmt.Errorf("%q is %.32q; it must be a whole number", key, raw)
	}
	*to = n
	return nil
}
