// Package datadir opens the data folder: it makes a new one, recognises one of its own, and sees to it
// that only one process serves from it. It must not know what lies inside; the rooms that keep things
// there make their own folders below Root.
package datadir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Version is the format of the data folder that this program reads and writes. It rises when an older
// program would do damage in a newer folder.
const Version = 1

const formatFile = "sluice-format"

// Folder is an open data folder. Its methods are for one goroutine; what Root returns is for any.
type Folder struct {
	path string
	root *os.Root
	lock *os.File // nil until Lock
}

// Open opens the data folder at path, and makes it, its parents included, when there is none. It refuses
// a folder that holds other things, or that another version of Sluice wrote. Its errors are for the
// person at the command line: they say what is wrong and what to do. Any number of processes may have
// the folder open; the one that serves calls Lock.
func Open(path string) (*Folder, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the data folder %q: %w", path, err)
	}
	if err := makeAll(abs); err != nil {
		return nil, explain(abs, err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, explain(abs, err)
	}
	f := &Folder{path: abs, root: root}
	if err := f.claim(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// Path is the absolute path of the folder, for files that a library opens by name, and for messages.
func (f *Folder) Path() string { return f.path }

// Root is the folder itself. Every path below it goes through Root, so that none can lead out.
func (f *Folder) Root() *os.Root { return f.root }

// Close lets the folder go, and the lock with it.
func (f *Folder) Close() error {
	var err error
	if f.lock != nil {
		err = errors.Join(f.lock.Truncate(0), f.lock.Close())
	}
	return errors.Join(err, f.root.Close())
}

// claim makes sure that the folder is ours. It lists before it looks for the format file: that file is
// the first thing that any process makes here, so when it is missing, what was listed is foreign, even
// while another process is just making the same folder.
func (f *Folder) claim() error {
	foreign, err := f.foreign()
	if err != nil {
		return explain(f.path, err)
	}
	switch b, err := f.root.ReadFile(formatFile); {
	case err == nil:
		return f.checkFormat(strings.TrimSpace(string(b)))
	case !errors.Is(err, fs.ErrNotExist):
		return explain(f.path, err)
	case len(foreign) > 0:
		return fmt.Errorf("%s is not a data folder of Sluice: it holds %s and no %s. "+
			"Name a new or empty folder with --data", f.path, some(foreign), formatFile)
	}
	if err := f.writeFormat(); err != nil {
		return explain(f.path, err)
	}
	return nil
}

// foreign lists what does not belong into a new data folder. A freshly made file system has lost+found.
func (f *Folder) foreign() ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	var names []string
	for _, e := range entries {
		if n := e.Name(); n != "lost+found" && !strings.HasPrefix(n, formatFile) {
			names = append(names, n)
		}
	}
	return names, err
}

func (f *Folder) checkFormat(got string) error {
	if got == strconv.Itoa(Version) {
		return nil
	}
	return fmt.Errorf("the data folder %s has format %.20q, and this Sluice reads format %d: "+
		"start it with the version of Sluice that wrote it, or name another folder with --data", f.path, got, Version)
}

// writeFormat makes the format file durable under its name, in one step: new file, fsync, rename, fsync
// of the folder.
func (f *Folder) writeFormat() error {
	tmp := formatFile + "." + rand.Text()
	file, err := f.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, Version)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, f.root.Remove(tmp))
	}
	if err := f.root.Rename(tmp, formatFile); err != nil {
		return err
	}
	return syncDir(f.path)
}

// makeAll makes a folder and its parents and makes their names durable.
func makeAll(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() { //nolint:gosec // the operator names the data folder
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	} else if err == nil || path == filepath.Dir(path) {
		return nil
	}
	parent := filepath.Dir(path)
	if err := makeAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // the operator names the data folder
		return err
	}
	return syncDir(parent)
}

func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // the operator names the data folder
	if errors.Is(err, fs.ErrPermission) {
		return nil // a parent that we may pass but not read: its entry for us is not ours to keep
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func some(names []string) string {
	slices.Sort(names)
	if len(names) > 3 {
		names = append(names[:3:3], "…")
	}
	return strings.Join(names, ", ")
}

// explain turns the usual failures into a sentence with a way out.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the data folder %s cannot be written by this user (%w): "+
			"change its owner, or name another folder with --data", path, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("the data folder %s cannot be made: a file is in the way (%w). Name another folder with --data", path, err)
	}
	return fmt.Errorf("open the data folder %s: %w", path, err)
}
