package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// releaseTime bounds the question to References in Release, which outlives its caller's context.
const releaseTime = 10 * time.Second

// digest is what this process knows of one blob under way.
type digest struct {
	// mu is held while a hold begins and from the end of the last one until the blob is removed, so that
	// nobody can hold a blob that is about to go. It is held over the question to References and one
	// fsync; whoever waits wants the very same blob.
	mu    sync.Mutex
	holds int // guarded by mu
	users int // goroutines at mu; guarded by Folder.mu
}

// lock returns the blob's digest, locked.
func (f *Folder) lock(sum Sum) *digest {
	f.mu.Lock()
	d := f.live[sum]
	if d == nil {
		d = &digest{}
		f.live[sum] = d
	}
	d.users++
	f.mu.Unlock()
	d.mu.Lock()
	return d
}

func (f *Folder) unlock(sum Sum, d *digest) {
	d.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	d.users--
	if d.users == 0 && d.holds == 0 { // without users nobody else looks at holds
		delete(f.live, sum)
	}
}

// hold is a Hold of a Folder.
type hold struct {
	folder *Folder
	sum    Sum
	marker *marker // nil when the hold is over
}

// marker is a file in staging that puts holds on disk.
type marker struct {
	name string
	left int // holds that are not over; guarded by Folder.mu
}

// end counts a hold as over, and removes the file with the last one.
func (f *Folder) end(m *marker) error {
	f.mu.Lock()
	m.left--
	last := m.left == 0
	f.mu.Unlock()
	if !last {
		return nil
	}
	return f.remove(m.name)
}

// Hold implements Store.
func (f *Folder) Hold(ctx context.Context, sum Sum) (Hold, error) {
	h, err := f.hold(ctx, sum)
	if err != nil {
		return nil, fmt.Errorf("hold blob %x: %w", sum, err)
	}
	return h, nil
}

func (f *Folder) hold(ctx context.Context, sum Sum) (*hold, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.count(sum, +1)
	file, err := f.create(hex.EncodeToString(sum[:]))
	if err != nil {
		f.count(sum, -1)
		return nil, err
	}
	h := &hold{folder: f, sum: sum, marker: &marker{name: file.name, left: 1}}
	if err := errors.Join(file.Close(), f.syncDir(stagingDir)); err != nil {
		return nil, errors.Join(err, h.Settle())
	}
	return h, nil
}

func (f *Folder) count(sum Sum, by int) {
	d := f.lock(sum)
	d.holds += by
	f.unlock(sum, d)
}

func (h *hold) Settle() error {
	if h.marker == nil {
		return nil
	}
	m := h.marker
	h.marker = nil
	h.folder.count(h.sum, -1)
	return h.folder.end(m)
}

func (h *hold) Release(ctx context.Context) error {
	if h.marker == nil {
		return nil
	}
	m := h.marker
	h.marker = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime) // the caller may have hung up
	defer cancel()
	f := h.folder
	d := f.lock(h.sum)
	defer f.unlock(h.sum, d)
	d.holds--
	if d.holds > 0 {
		return f.end(m)
	}
	if err := f.sweep(ctx, h.sum); err != nil {
		return fmt.Errorf("release blob %x: %w", h.sum, err)
	}
	return f.end(m)
}

// sweep removes the blob, durably, when nothing references it. Nobody else may hold it.
func (f *Folder) sweep(ctx context.Context, sum Sum) error {
	referenced, err := f.referenced(ctx, sum)
	if err != nil || referenced {
		return err
	}
	if err := f.remove(blobPath(sum)); err != nil {
		return err
	}
	err = f.syncDir(shard(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing of this beginning was ever kept
	}
	return err
}
