package repodata

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"

	"sluice/internal/conda"
)

// Source reads the repodata.json of any channel, whoever wrote it (CEP 36, 48): front to back, in the memory of
// one record and a few bytes a file name. Make one by NewSource.
type Source struct {
	what   string // it is, for errors
	subdir conda.Subdir
	in     *rationed
	dec    *json.Decoder
	info   SourceInfo
	known  map[string]bool // top-level keys that were there
	seed   maphash.Seed
	files  map[uint64]struct{} // hashes of the names of files that were there
}

// SourceInfo is what a repodata.json says of itself.
type SourceInfo struct {
	// Subdir is empty when the file does not say it.
	Subdir string `json:"subdir"`
	// BaseURL is where the packages lie, relative to the file's own address unless it is absolute (CEP 15);
	// empty where they lie beside it.
	BaseURL string `json:"base_url"`
}

// EntryError is one file name of a repodata.json whose entry cannot be used. Those after it can be.
type EntryError struct {
	Place Place
	// Key is as the file has it, and may be any text.
	Key string
	err error
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("%.*q in %s: %v", conda.MaxFilename, e.Key, e.Place, e.err)
}

// Unwrap returns what is wrong with the entry.
func (e *EntryError) Unwrap() error { return e.err }

// Bounds of what a source may make us hold, in bytes.
const (
	maxRecord = 1 << 20
	maxRation = 4 << 20
)

// NewSource reads r, the plain text of a repodata.json, as that of subdir, which stands for the subdir of
// records that do not say it. The caller bounds the length of r.
func NewSource(r io.Reader, subdir conda.Subdir) *Source {
	in := &rationed{r: r}
	return &Source{
		what: "repodata.json", subdir: subdir, in: in, dec: json.NewDecoder(in), known: map[string]bool{},
		seed: maphash.MakeSeed(), files: map[uint64]struct{}{},
	}
}

// Entries yields each file name, in the order of the file, which may have the maps in any. It can be called
// once. An *EntryError is one entry's, and the others follow; any other error is that of the file, and the last.
//
// What packages were let in with once is taken, as artifact.ParseIndex takes it without a clock. Unknown keys and
// maps of v3 are left out. A file name that is listed twice is an error where it comes again, since readers
// disagree about which one counts; to be in Removed, too, is none.
func (s *Source) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		section := func(key string) error { return s.section(key, yield) }
		if err := s.file(section); err != nil && !errors.Is(err, errStopped) {
			yield(Entry{}, fmt.Errorf("read %s: %w", s.what, err))
		}
	}
}

// errStopped says that the caller wants no more.
var errStopped = errors.New("stopped")

// Info returns what the file says of itself. It is complete when all entries were read; most files have it first.
func (s *Source) Info() SourceInfo { return s.info }

// rationed hands out at most left bytes, so that no value can fill the memory.
type rationed struct {
	r    io.Reader
	left int
}

func (r *rationed) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, fmt.Errorf("a value has more than %d bytes", maxRation)
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// token reads the next token.
func (s *Source) token() (json.Token, error) {
	s.in.left = maxRation
	tok, err := s.dec.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return tok, err
}

// value reads the next value whole.
func (s *Source) value() (raw json.RawMessage, err error) {
	s.in.left = maxRation
	if err = s.dec.Decode(&raw); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return raw, err
}

// file reads the one object that there is; section must read the value of each key.
func (s *Source) file(section func(key string) error) error {
	if tok, err := s.token(); err != nil || tok != json.Delim('{') {
		return cause(err, "it is not a JSON object")
	}
	if err := s.members(section); err != nil {
		return err
	}
	s.in.left = maxRation
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return cause(err, "there is more after the JSON object")
	}
	return nil
}

// cause is err, or what is wrong where reading went well.
func cause(err error, wrong string) error {
	if err != nil {
		return err
	}
	return errors.New(wrong)
}

// members calls read for each key of an object whose brace was read; it must read the value.
func (s *Source) members(read func(key string) error) error {
	for {
		tok, err := s.token()
		if err != nil || tok == json.Delim('}') {
			return err
		}
		key, _ := tok.(string) // the decoder takes nothing else there
		if err := read(key); err != nil {
			return err
		}
	}
}

// object calls read for each key of the next value, if it is an object. null is the same as an empty one.
func (s *Source) object(name string, read func(key string) error) error {
	tok, err := s.token()
	switch {
	case err != nil || tok == nil:
		return err
	case tok == json.Delim('{'):
		return s.members(read)
	}
	return fmt.Errorf("%s is not an object", name)
}

// section reads the value of a key of the outermost object.
func (s *Source) section(key string, yield func(Entry, error) bool) error {
	switch key {
	case "info", "packages", "packages.conda", "removed", "v3":
		if s.known[key] {
			return fmt.Errorf("it has %q twice", key)
		}
		s.known[key] = true
	}
	switch key {
	case "info":
		return s.readInfo()
	case "packages":
		return s.records(TarBz2, yield)
	case "packages.conda":
		return s.records(Conda, yield)
	case "v3":
		return s.object("v3", func(key string) error { return s.v3(key, yield) })
	case "removed":
		return s.removed(yield)
	}
	return s.skip()
}

// v3 reads one map of v3.
func (s *Source) v3(key string, yield func(Entry, error) bool) error {
	switch key {
	case "tar.bz2":
		return s.records(TarBz2V3, yield)
	case "conda":
		return s.records(CondaV3, yield)
	}
	return s.skip() // such as wheels
}

// readInfo reads what is known of info. Values of other types are as good as none.
func (s *Source) readInfo() error {
	raw, err := s.value()
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(raw, &fields) // an info that is no object says nothing
	for key, to := range map[string]*string{"subdir": &s.info.Subdir, "base_url": &s.info.BaseURL} {
		if json.Unmarshal(fields[key], to) != nil {
			*to = ""
		}
	}
	return nil
}

// records reads one map of records.
func (s *Source) records(p Place, yield func(Entry, error) bool) error {
	return s.object(p.String(), func(key string) error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		entry, err := s.entry(p, key, raw)
		return handOn(yield, p, key, entry, err)
	})
}

// handOn yields an entry, or what is wrong with it.
func handOn(yield func(Entry, error) bool, p Place, key string, entry Entry, err error) error {
	if err != nil {
		entry, err = Entry{}, &EntryError{Place: p, Key: key, err: err}
	}
	if !yield(entry, err) {
		return errStopped
	}
	return nil
}

// removed reads the list of removed files.
func (s *Source) removed(yield func(Entry, error) bool) error {
	tok, err := s.token()
	switch {
	case err != nil || tok == nil:
		return err
	case tok != json.Delim('['):
		return errors.New("removed is not a list")
	}
	for {
		tok, err := s.token()
		if err != nil || tok == json.Delim(']') {
			return err
		}
		key, ok := tok.(string)
		if !ok {
			return errors.New("removed is not a list of file names")
		}
		f, err := Removed.filename(key)
		if err := handOn(yield, Removed, key, Entry{Place: Removed, File: f, Listed: err == nil && s.has(f)}, err); err != nil {
			return err
		}
	}
}

// skip reads over the next value.
func (s *Source) skip() error {
	depth := 0
	for {
		tok, err := s.token()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		if depth > maxDepth {
			return errDepth
		}
	}
}
