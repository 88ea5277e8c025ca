package repodata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
)

// Exports is what a channel says that one of its packages exports.
type Exports struct {
	File       conda.Filename
	RunExports conda.RunExports
}

// SourceExports reads r, the plain text of the run_exports.json of any channel (CEP 12), whoever wrote it, in the memory of one
// entry. An *EntryError is one entry's, and the others follow; any other error is that of the file, and the last. The
// caller bounds the length of r.
func SourceExports(r io.Reader) iter.Seq2[Exports, error] {
	return func(yield func(Exports, error) bool) {
		s := NewSource(r, conda.Subdir{})
		s.what = "run_exports.json"
		err := s.file(func(key string) error {
			switch key {
			case "packages":
				return s.exports(TarBz2, yield)
			case "packages.conda":
				return s.exports(Conda, yield)
			}
			return s.skip()
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(Exports{}, fmt.Errorf("read %s: %w", s.what, err))
		}
	}
}

// exports reads one map of what packages export.
func (s *Source) exports(p Place, yield func(Exports, error) bool) error {
	return s.object(p.String(), func(key string) error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		e, err := exportsOf(p, key, raw)
		if err != nil {
			e, err = Exports{}, &EntryError{Place: p, Key: key, err: err}
		}
		if !yield(e, err) {
			return errStopped
		}
		return nil
	})
}

// exportsOf reads the entry of a file: {"run_exports": {…}}.
func exportsOf(p Place, key string, raw []byte) (e Exports, err error) {
	if e.File, err = p.filename(key); err != nil {
		return e, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return e, errors.New("it is not an object")
	}
	said := fields["run_exports"]
	if said == nil || string(said) == "null" {
		return e, errors.New("it says nothing of run_exports")
	}
	e.RunExports, err = artifact.ParseRunExports(said)
	return e, err
}
