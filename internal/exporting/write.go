package exporting

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/internal/index"
)

// arriving is how the names of files begin that are being written. Whatever has one is left from an export that was
// cut.
const arriving = ".sluice-"

// arrive writes a file under a name of its own in dir, and returns that: it is renamed when it is to be seen.
func (x *exporter) arrive(dir string, write func(io.Writer) error, at time.Time) (name string, err error) {
	name = filepath.Join(dir, arriving+rand.Text())
	x.disk.step("write", name)
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	x.disk.written[name] = true
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = x.root.Chtimes(name, at, at)
	}
	if err != nil {
		return "", errors.Join(err, x.disk.discard(name))
	}
	return name, nil
}

// replace writes a small file, or leaves it as it is when it has these bytes.
func (x *exporter) replace(name string, content []byte) error {
	if old, err := x.root.ReadFile(name); err == nil && string(old) == string(content) {
		return nil
	}
	made, err := x.arrive(filepath.Dir(name), func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}, time.Now())
	if err != nil {
		return err
	}
	return x.disk.later(made, name, int64(len(content)))
}

// changed reports whether a file that was written has other bytes than the one that it is to replace, and removes it where it
// has not.
func (x *exporter) changed(made, name string) (bool, error) {
	same, err := x.equal(made, name)
	if err != nil || !same {
		return !same, err
	}
	return false, x.disk.discard(made)
}

// compareBuffer is how much of two files is in memory at once.
const compareBuffer = 64 << 10

// equal reports whether two files have the same bytes. The second may be missing.
func (x *exporter) equal(a, b string) (same bool, err error) {
	f, err := x.root.Open(a)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // it was only read
	g, err := x.root.Open(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer func() { _ = g.Close() }() // it was only read
	one, other := make([]byte, compareBuffer), make([]byte, compareBuffer)
	for {
		n, errN := io.ReadFull(f, one)
		m, errM := io.ReadFull(g, other)
		for _, err := range []error{errN, errM} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		if !bytes.Equal(one[:n], other[:m]) {
			return false, nil
		}
		if errN != nil {
			return errM != nil, nil
		}
	}
}

// clear removes what an export that was cut left in folders.
func (x *exporter) clear(dirs ...string) error {
	for _, d := range dirs {
		entries, err := fs.ReadDir(x.root.FS(), filepath.ToSlash(d))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), arriving) {
				if err := x.disk.discard(filepath.Join(d, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// artifact puts one package in place: as it lies there, as a second name of what another label has, or anew.
func (x *exporter) artifact(ctx context.Context, p index.Place, all []index.Place, name string, s Stored) error {
	to := filepath.Join(dirOf(p), name)
	if same, err := x.same(to, s); same || err != nil {
		return err
	}
	for _, other := range all {
		if other == p { // those after it are not exported yet
			break
		}
		if other.Subdir == p.Subdir {
			if linked, err := x.link(filepath.Join(dirOf(other), name), to, s); linked || err != nil {
				return err
			}
		}
	}
	made, err := x.arrive(filepath.Dir(to), func(w io.Writer) error { return x.copyBlob(ctx, w, s) }, s.UploadedAt)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	x.sum.Written++
	x.sum.Bytes += s.Size
	x.Progress.Written.Add(1)
	x.Progress.Bytes.Add(s.Size)
	return x.disk.later(made, to, s.Size)
}

// same reports whether a file is there with these bytes. One that has the size and the time that an export gave it is
// taken for it unread, as rsync does.
func (x *exporter) same(name string, s Stored) (bool, error) {
	info, err := x.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() != s.Size) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	inTime := info.ModTime().Equal(s.UploadedAt)
	if inTime && !x.Verify {
		return true, nil
	}
	f, err := x.root.Open(name)
	if err != nil {
		return false, err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	if [32]byte(h.Sum(nil)) != s.SHA256 {
		return false, nil
	}
	if !inTime {
		err = x.root.Chtimes(name, s.UploadedAt, s.UploadedAt)
	}
	return true, err
}

// link gives a package that another label has a second name, where the file system can.
func (x *exporter) link(from, to string, s Stored) (bool, error) {
	if same, err := x.same(from, s); !same || err != nil {
		return false, err
	}
	made := filepath.Join(filepath.Dir(to), arriving+rand.Text())
	x.disk.step("link", from, made)
	if err := x.root.Link(from, made); err != nil {
		return false, nil //nolint:nilerr // then it is copied
	}
	if err := x.disk.later(made, to, 0); err != nil {
		return false, err
	}
	x.sum.Linked++
	return true, nil
}

// copyBlob writes the bytes of a package, and sees to it that they are the right ones.
func (x *exporter) copyBlob(ctx context.Context, w io.Writer, s Stored) error {
	body, _, err := x.Blobs.Open(ctx, s.SHA256)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), body)
	if err := errors.Join(err, body.Close()); err != nil {
		return err
	}
	if n != s.Size || [32]byte(h.Sum(nil)) != s.SHA256 {
		return fmt.Errorf("the store has other bytes for SHA-256 %x than it took: its disk is damaged, restore the file from a backup", s.SHA256)
	}
	return nil
}
