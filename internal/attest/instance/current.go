package instance

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"sluice/internal/attest"
)

// maxRoot bounds a trusted root, in bytes. Sigstore's has 7 kB.
const maxRoot = 1 << 20

// current is an instance with the root that it has.
type current struct {
	Source
	file fileState // of the file that was read last; only who holds Instances.refreshing, or New, touches it

	mu    sync.Mutex // guards what follows
	root  Root       // without its bytes; the zero value while none is there
	told  Told       // when the repository was asked; without its metadata
	again time.Time  // when the repository is to be asked again
	err   error      // how the last look for a newer root ended
}

// fileState tells states of a file apart.
type fileState struct {
	size    int64
	changed time.Time
}

// start is the root that an instance begins with, beside the one that it had last: the file's, what the repository told, or
// the one that it starts with, which also replaces what a repository told that is asked no more, where it is newer. The zero
// value where there is none.
func (c *current) start(last Root) (Root, error) {
	switch {
	case c.File != "":
		return c.read()
	case c.Start == nil, last.Source == FromTUF && (c.Repository != nil || !newer(c.Start, last.JSON)):
		return last, nil
	default:
		return Root{Instance: c.Name, JSON: c.Start, Source: FromProgram}, nil
	}
}

// read reads the file, and proves that it is a trusted root.
func (c *current) read() (Root, error) {
	f, err := os.Open(c.File)
	if err != nil {
		return Root{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return Root{}, err
	}
	c.file = fileState{info.Size(), info.ModTime()} // a broken file is not read again either until it changes
	b, err := io.ReadAll(io.LimitReader(f, maxRoot+1))
	if err != nil {
		return Root{}, err
	}
	if len(b) > maxRoot {
		return Root{}, fmt.Errorf("%s: more than %d bytes are no trusted root", c.File, maxRoot)
	}
	if _, err := attest.NewProfile(c.Name, b); err != nil {
		return Root{}, fmt.Errorf("%s: %w", c.File, err)
	}
	return Root{Instance: c.Name, JSON: b, Source: FromFile}, nil
}

// fileChanged reports whether the file is another one than was read last. One that is away has changed.
func (c *current) fileChanged() bool {
	info, err := os.Stat(c.File)
	return err != nil || c.file != fileState{info.Size(), info.ModTime()}
}

// have remembers the root in use.
func (c *current) have(r Root) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.JSON = nil
	c.root = r
}

// is reports whether a root is the one in use.
func (c *current) is(r Root) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.root.SHA256 == r.SHA256
}

// checked remembers when the repository was asked.
func (c *current) checked(t Told) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Metadata = nil
	c.told = t
}

// failed remembers how the last look ended, and returns how the one before did.
func (c *current) failed(err error) (was error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, c.err = c.err, err
	return was
}

// due reports whether the repository is to be asked.
func (c *current) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Repository != nil && !now.Before(c.again)
}

// next sets when it is to be asked again.
func (c *current) next(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.again = t
}

// Health is what there is to say about the root of an instance.
type Health struct {
	// Instance is its name.
	Instance string
	// Root is the SHA-256 of the trusted root in use, in hex; empty while none is there. Source is where it came from, and UsedAt
	// since when it is in use.
	Root   string
	Source Kind
	UsedAt time.Time
	// CheckedAt is when the repository was last asked with success, ValidUntil until when what it said holds; zero where
	// there is no repository, or never.
	CheckedAt, ValidUntil time.Time
	// Stale says that newer keys could not be had: the file is broken, or what the repository said holds no more.
	Stale bool
	// LastError is how the last look for newer keys failed, or "". It is for operators only.
	LastError string
}

func (c *current) health(now time.Time) Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := Health{Instance: c.Name, Source: c.root.Source, UsedAt: c.root.UsedAt, CheckedAt: c.told.CheckedAt, ValidUntil: c.told.ValidUntil}
	if c.root.Number > 0 {
		h.Root = hex.EncodeToString(c.root.SHA256[:])
	}
	if c.err != nil {
		h.LastError = c.err.Error()
		h.Stale = c.File != "" || c.told.ValidUntil.Before(now)
	}
	return h
}
