package instance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Folder keeps roots in a folder of a person's own, for programs that have no database: of each instance the one in use. Any
// number of programs may use it at once. It implements Store. Use OpenFolder.
//
// All that is kept is one file, and a change of it is a new file with the next number, which only one program can give that
// name:
//
//	write   RANDOM.new     durable
//	link    N.json         or, where another program was faster, begin again with what that has written
//	remove  RANDOM.new, and the files before N
type Folder struct{ dir string }

// OpenFolder makes the folder, where there is none.
func OpenFolder(dir string) (*Folder, error) {
	return &Folder{dir}, os.MkdirAll(dir, 0o700)
}

// kept is what the files hold.
type kept struct {
	// Roots are those in use, by instance, Told is what repositories have told last, by address.
	Roots map[string]Root
	Told  map[string]Told
}

const (
	keptExt = ".json"
	newExt  = ".new"
)

// RootInUse implements Store.
func (f *Folder) RootInUse(_ context.Context, instance string) (Root, error) {
	k, _, err := f.read()
	return k.Roots[instance], err
}

// UseRoot implements Store.
func (f *Folder) UseRoot(_ context.Context, r Root) (used Root, err error) {
	err = f.change(func(k *kept) bool {
		before := k.Roots[r.Instance].SHA256
		used = k.use(r)
		return used.SHA256 != before
	})
	return used, err
}

// use makes r the root in use of its instance, unless its bytes are.
func (k *kept) use(r Root) Root {
	last := k.Roots[r.Instance]
	if r.SHA256 = sha256.Sum256(r.JSON); r.SHA256 == last.SHA256 {
		return last
	}
	r.Number = last.Number + 1
	k.Roots[r.Instance] = r
	return r
}

// Told implements Store.
func (f *Folder) Told(_ context.Context, address string) (Told, error) {
	k, _, err := f.read()
	return k.Told[address], err
}

// SaveTold implements Store.
func (f *Folder) SaveTold(_ context.Context, address string, t Told, r *Root) (saved bool, err error) {
	err = f.change(func(k *kept) bool {
		if saved = k.Told[address].Version == t.Version; !saved {
			return false
		}
		next := t
		next.Version++
		k.Told[address] = next
		if r != nil {
			k.use(*r)
		}
		return true
	})
	return saved, err
}

// change has do change what is kept, from the start where another program changes it meanwhile. do reports whether it did.
func (f *Folder) change(do func(*kept) bool) error {
	for {
		k, number, err := f.read()
		if err != nil || !do(&k) {
			return err
		}
		if err := f.write(k, number+1); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// read reads the newest file, of which it returns the number; 0 where there is none.
func (f *Folder) read() (k kept, number int, err error) {
	for {
		if number, err = f.newest(); err != nil {
			return k, 0, err
		}
		k = kept{Roots: map[string]Root{}, Told: map[string]Told{}}
		if number == 0 {
			return k, 0, nil
		}
		b, err := os.ReadFile(f.file(number))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another program has written a newer one
		}
		if err == nil {
			err = json.Unmarshal(b, &k)
		}
		if err != nil {
			return k, 0, fmt.Errorf("%s: %w; remove it, and keys are asked for anew", f.file(number), err)
		}
		return k, number, nil
	}
}

func (f *Folder) file(number int) string { return filepath.Join(f.dir, strconv.Itoa(number)+keptExt) }

// newest is the highest number of a file; 0 where there is none.
func (f *Folder) newest() (int, error) {
	numbers, err := f.numbers()
	return slices.Max(append(numbers, 0)), err
}

func (f *Folder) numbers() (out []int, err error) {
	entries, err := os.ReadDir(f.dir)
	for _, e := range entries {
		stem, ok := strings.CutSuffix(e.Name(), keptExt)
		if n, err := strconv.Atoi(stem); ok && err == nil {
			out = append(out, n)
		}
	}
	return out, err
}

// write writes the file of a number, and removes those before it; fs.ErrExist where another program has written it.
func (f *Folder) write(k kept, number int) error {
	b, err := json.Marshal(k)
	if err != nil {
		return err
	}
	fresh := filepath.Join(f.dir, rand.Text()+newExt)
	if err := writeDurably(fresh, b); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	err = os.Link(fresh, f.file(number))
	if err := errors.Join(err, os.Remove(fresh)); err != nil {
		return err
	}
	return f.tidy(number)
}

// tidy removes the files before that of a number. Where there is one after it already, the name was free only since another
// program has removed its file: fs.ErrExist.
func (f *Folder) tidy(number int) error {
	numbers, err := f.numbers()
	for _, n := range numbers {
		if n < number {
			err = errors.Join(err, remove(f.file(n)))
		}
	}
	if err == nil && slices.Max(append(numbers, 0)) > number {
		return errors.Join(remove(f.file(number)), fs.ErrExist)
	}
	return err
}

// writeDurably writes a file that is there whole, or not under the name that it gets next.
func writeDurably(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// remove removes a file, which another program may have done.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
