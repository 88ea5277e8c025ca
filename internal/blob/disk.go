package blob

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"sluice/internal/fault"
)

// makeShard makes the folder of a blob, durably, unless that was done before.
func (f *Folder) makeShard(sum Sum) error {
	f.shardMu.Lock()
	defer f.shardMu.Unlock()
	if f.shards[sum[0]] {
		return nil
	}
	if err := f.mkdir(shard(sum)); err != nil {
		return err
	}
	if err := f.syncDir(blobDir); err != nil {
		return err
	}
	f.shards[sum[0]] = true
	return nil
}

func (f *Folder) mkdir(name string) error {
	if err := f.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return explain(err)
	}
	f.did("mkdir " + name)
	return nil
}

// named is a file in staging and its path below root.
type named struct {
	*os.File
	name string
}

// create makes a new file in staging. What the name begins with says what the file is.
func (f *Folder) create(prefix string) (named, error) {
	name := stagingDir + "/" + prefix + "." + rand.Text()
	file, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return named{}, explain(err)
	}
	f.did("create " + name)
	return named{file, name}, nil
}

func (f *Folder) remove(name string) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain(err)
	}
	f.did("unlink " + name)
	return nil
}

// syncDir makes the names in a folder durable.
func (f *Folder) syncDir(name string) error {
	d, err := f.root.Open(name)
	if err != nil {
		return explain(err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return explain(err)
	}
	f.did("fsync " + name)
	return nil
}

func (f *Folder) did(what string) {
	if f.step != nil {
		f.step(what)
	}
}

func shard(sum Sum) string { return blobDir + "/" + hex.EncodeToString(sum[:1]) }

func blobPath(sum Sum) string { return shard(sum) + "/" + hex.EncodeToString(sum[1:]) }

// explain makes a full disk a refusal, so that the uploader learns of it.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.NoSpace,
			"this server has no room left for packages, and nothing was stored; its operator must make room first")
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("the folder cannot be written by this user: %w", err)
	}
	return err
}
