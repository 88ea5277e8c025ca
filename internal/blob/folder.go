package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// Folder is a Store in a folder of this machine, for one process at a time. It lies in two folders of
// its own, on one file system:
//
//	blobs/ab/cdef…           the blob whose SHA-256 is abcdef… in hex
//	staging/arriving.RANDOM  bytes on their way in
//	staging/SHA256.RANDOM    an empty file: a hold, the blob may be unreferenced
//	staging/holds.RANDOM     the same for many: their digests, a line each
//
// The happy path of one upload, in system calls:
//
//	create  staging/arriving.R     write …
//	fsync   staging/arriving.R     the bytes are durable
//	create  staging/SHA256.R       the hold …
//	fsync   staging                … is durable, before the blob can be
//	        (mkdir blobs/ab, fsync blobs: once)
//	rename  staging/arriving.R     → blobs/ab/cdef…, over the same bytes if they are there
//	fsync   blobs/ab               the blob is durable: Keep returns
//	        (the caller commits)
//	unlink  staging/SHA256.R       Settle. Not synced: a hold that comes back is found settled
//
// Many uploads at once share their waits on the disk: see Keeper.
//
// And of a removal: create and fsync the hold; the caller commits; ask References; unlink the blob;
// fsync blobs/ab; and only then unlink the hold.
//
// So at every instant one of three things is true of a file below blobs: a committed reference names it,
// or a hold does, or it was unlinked. Recover needs to look at staging alone.
type Folder struct {
	root       *os.Root
	referenced References
	step       func(what string) // told of every step that changes the disk; nil outside tests

	mu   sync.Mutex // guards live and the users in it; held for map work only
	live map[Sum]*digest

	shardMu sync.Mutex // guards shards; held over a mkdir and an fsync, at most 256 times
	shards  [256]bool  // which of the folders in blobs exist durably
}

var _ Store = (*Folder)(nil)

const (
	blobDir    = "blobs"
	stagingDir = "staging"
	arriving   = "arriving"
	manyHolds  = "holds"
)

// NewFolder opens the store below root, making its folders where they are missing, and makes sure that
// it can write. Call Recover before the first use.
func NewFolder(root *os.Root, referenced References) (*Folder, error) {
	f := &Folder{root: root, referenced: referenced, live: map[Sum]*digest{}}
	if err := f.prepare(); err != nil {
		return nil, fmt.Errorf("prepare the store of packages in %s: %w", root.Name(), err)
	}
	return f, nil
}

// prepare makes the folders, takes those of an earlier process for durable after one fsync, and tries to write.
func (f *Folder) prepare() error {
	if err := errors.Join(f.mkdir(blobDir), f.mkdir(stagingDir)); err != nil {
		return err
	}
	probe, err := f.create(arriving)
	if err != nil {
		return err
	}
	if err := errors.Join(probe.Close(), f.remove(probe.name), f.syncDir("."), f.syncDir(blobDir)); err != nil {
		return err
	}
	entries, err := fs.ReadDir(f.root.FS(), blobDir)
	for _, e := range entries {
		if b, err := hex.DecodeString(e.Name()); err == nil && len(b) == 1 {
			f.shards[b[0]] = true
		}
	}
	return err
}

// Stage implements Store.
func (f *Folder) Stage(ctx context.Context) (Stage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := f.create(arriving)
	if err != nil {
		return nil, fmt.Errorf("stage an upload: %w", err)
	}
	return &stage{folder: f, file: file}, nil
}

// Open implements Store.
func (f *Folder) Open(ctx context.Context, sum Sum) (io.ReadSeekCloser, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	file, err := f.root.Open(blobPath(sum))
	if err != nil {
		return nil, 0, fmt.Errorf("open blob %x: %w", sum, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open blob %x: %w", sum, err), file.Close())
	}
	return file, info.Size(), nil
}
