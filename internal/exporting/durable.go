package exporting

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sluice/internal/blob"
)

// So many files, or bytes, are written before they wait for the disk together.
const (
	batchFiles = 500
	batchBytes = 1 << 30
)

// disk puts the files of an export in place, durably, for a few waits where each file alone would cost two. At every instant
// that a power cut may leave:
//
//   - a file that has its own name has all its bytes, for it is renamed after they are durable;
//   - an index names only what is there, for it is renamed after the names of that are durable;
//   - what no index names any more goes after the names of the new indexes are durable.
//
// Where a system cannot sync a file system as a whole, each file and each folder is synced instead.
type disk struct {
	root *os.Root
	// whole is a file of the file system that is synced. The kernel remembers for it the faults of writing back, so it
	// is open before the first byte is written.
	whole *os.File
	// sync is blob.SyncFS; step is told what is about to be done, in tests.
	sync func(whole *os.File) (bool, error)
	step func(what string, names ...string)

	// written are files that are not durable yet, waiting are those of them that are to get their names, with so many bytes.
	written map[string]bool
	waiting []placing
	bytes   int64
	// touched are folders in which names are not durable yet.
	touched map[string]bool
}

// placing is a file that was written under a name of its own, and the name that it is to have.
type placing struct{ made, name string }

func newDisk(root *os.Root) (*disk, error) {
	whole, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	return &disk{root: root, whole: whole, sync: blob.SyncFS, step: func(string, ...string) {}, written: map[string]bool{}, touched: map[string]bool{}}, nil
}

func (d *disk) close() error { return d.whole.Close() }

// mkdir makes a folder, and those above it.
func (d *disk) mkdir(name string) error {
	if info, err := d.root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	for dir := name; dir != "."; dir = filepath.Dir(dir) {
		d.touched[filepath.Dir(dir)] = true
	}
	d.step("mkdir", name)
	return d.root.MkdirAll(name, 0o755)
}

// later has a file that was written, of so many bytes, put in place soon.
func (d *disk) later(made, name string, bytes int64) error {
	d.waiting = append(d.waiting, placing{made, name})
	d.bytes += bytes
	if len(d.waiting) < batchFiles && d.bytes < batchBytes {
		return nil
	}
	return d.settle()
}

// settle puts what waits in place.
func (d *disk) settle() error {
	if len(d.waiting) == 0 {
		return nil
	}
	if err := d.syncWritten(); err != nil {
		return err
	}
	for _, p := range d.waiting {
		if err := d.rename(p.made, p.name); err != nil {
			return err
		}
	}
	d.waiting, d.bytes = nil, 0
	return nil
}

// flush puts what waits in place, and returns when all of it survives a power cut.
func (d *disk) flush() error {
	if err := d.settle(); err != nil {
		return err
	}
	if err := d.syncWritten(); err != nil {
		return err
	}
	if len(d.touched) == 0 {
		return nil
	}
	return d.syncEach(d.touched)
}

func (d *disk) syncWritten() error {
	if len(d.written) == 0 {
		return nil
	}
	return d.syncEach(d.written)
}

// syncEach makes files or folders durable, and forgets them; where it can be done at once, everything is.
func (d *disk) syncEach(names map[string]bool) error {
	d.step("sync", slices.Sorted(maps.Keys(names))...)
	all, err := d.sync(d.whole)
	if err != nil {
		return err
	}
	if all {
		clear(d.written)
		clear(d.touched)
		return nil
	}
	for name := range names {
		f, err := d.root.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	clear(names)
	return nil
}

// rename gives a file its name.
func (d *disk) rename(made, name string) error {
	d.step("rename", made, name)
	if err := d.root.Rename(made, name); err != nil {
		return err
	}
	if d.written[made] {
		delete(d.written, made)
		d.written[name] = true
	}
	d.touched[filepath.Dir(name)] = true
	return nil
}

// remove removes a file that readers may have seen, or an empty folder.
func (d *disk) remove(name string) error {
	if err := d.discard(name); err != nil {
		return err
	}
	d.touched[filepath.Dir(name)] = true
	return nil
}

// discard removes a file that never got its name.
func (d *disk) discard(made string) error {
	d.step("remove", made)
	delete(d.written, made)
	return d.root.Remove(made)
}
