package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Staged is a body that is to become the blob of Sum, which the caller has computed from exactly what it wrote.
type Staged struct {
	Stage Stage
	Sum   Sum
}

// Keeper makes many stages blobs for a few waits on the disk, where each alone costs three. It is for one
// goroutine; stages may be filled by others meanwhile.
//
// One Keep, in system calls:
//
//	create  staging/holds.R        the digests of all: their holds
//	        (mkdir blobs/ab, fsync blobs: once)
//	syncfs                         all bytes and the holds are durable, before a blob can be
//	rename  staging/arriving.R     → blobs/ab/cdef…, each
//	syncfs                         all blobs are durable: Keep returns
//	        (the caller commits, and ends the holds)
//	unlink  staging/holds.R        with the last hold
//
// One file for all holds, since making and removing one for each takes longer than all else here.
// So at every instant what Folder says is true of each. Where a system has no syncfs, each file and each folder
// is synced instead.
type Keeper struct {
	folder *Folder
	// disk is a file of the file system that is synced. The kernel remembers for it the faults of writing back,
	// so it is open before the first byte is staged.
	disk *os.File
	// sync is SyncFS; false says that the system has none.
	sync func(disk *os.File) (bool, error)
}

// Keeper opens a Keeper. It is opened before the stages that it keeps, and its caller closes it.
func (f *Folder) Keeper() (*Keeper, error) {
	disk, err := f.root.Open(stagingDir)
	if err != nil {
		return nil, fmt.Errorf("open the staging area: %w", err)
	}
	return &Keeper{folder: f, disk: disk, sync: SyncFS}, nil
}

// Close ends the Keeper.
func (k *Keeper) Close() error { return k.disk.Close() }

// Keep does for all what Stage.Keep does for one: without error, all of them survive power loss, and the holds are in
// the order of the stages; with one, nothing of any remains. The stages are over either way.
func (k *Keeper) Keep(ctx context.Context, all []Staged) ([]Hold, error) {
	if len(all) == 0 {
		return nil, nil
	}
	stages := make([]*stage, len(all))
	for i, s := range all {
		st, ok := s.Stage.(*stage)
		if !ok || st.folder != k.folder || st.over {
			return nil, fmt.Errorf("keep blob %x: its stage is over, or of another store: %w", s.Sum, os.ErrClosed)
		}
		stages[i] = st
	}
	holds, err := k.keep(ctx, all, stages)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep %d blobs: %w", len(all), err), giveUp(ctx, holds, stages))
	}
	for _, s := range stages {
		s.over = true
		_ = s.file.Close() // its bytes are durable: there is nothing left that closing could lose
	}
	return holds, nil
}

// keep returns the holds that it made also with an error.
func (k *Keeper) keep(ctx context.Context, all []Staged, stages []*stage) (holds []Hold, err error) {
	file, err := k.mark(ctx, all)
	if err != nil {
		return nil, err
	}
	m := &marker{name: file.name, left: len(all)}
	for _, s := range all {
		k.folder.count(s.Sum, +1)
		holds = append(holds, &hold{folder: k.folder, sum: s.Sum, marker: m})
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for _, s := range all {
		if err := k.folder.makeShard(s.Sum); err != nil {
			return holds, err
		}
	}
	if err := k.syncStaged(file, stages); err != nil {
		return holds, err
	}
	for i, s := range stages {
		if err := s.rename(all[i].Sum); err != nil {
			return holds, err
		}
	}
	return holds, k.syncPlaced(all)
}

// mark writes the file of holds; nothing is durable yet.
func (k *Keeper) mark(ctx context.Context, all []Staged) (named, error) {
	if err := ctx.Err(); err != nil {
		return named{}, err
	}
	file, err := k.folder.create(manyHolds)
	if err != nil {
		return named{}, err
	}
	var text []byte
	for _, s := range all {
		text = append(hex.AppendEncode(text, s.Sum[:]), '\n')
	}
	if _, err := file.Write(text); err != nil {
		return named{}, errors.Join(explain(err), file.Close(), k.folder.remove(file.name))
	}
	k.folder.did("write " + file.name)
	return file, nil
}

func (k *Keeper) syncDisk() (bool, error) {
	done, err := k.sync(k.disk)
	if err != nil {
		return done, explain(err)
	}
	if done {
		k.folder.did("syncfs")
	}
	return done, nil
}

func (k *Keeper) syncStaged(holds named, stages []*stage) error {
	if done, err := k.syncDisk(); done || err != nil {
		return err
	}
	if err := holds.Sync(); err != nil {
		return explain(err)
	}
	k.folder.did("fsync " + holds.name)
	for _, s := range stages {
		if err := s.sync(); err != nil {
			return err
		}
	}
	return k.folder.syncDir(stagingDir)
}

func (k *Keeper) syncPlaced(all []Staged) error {
	if done, err := k.syncDisk(); done || err != nil {
		return err
	}
	synced := map[string]bool{}
	for _, s := range all {
		if dir := shard(s.Sum); !synced[dir] {
			if err := k.folder.syncDir(dir); err != nil {
				return err
			}
			synced[dir] = true
		}
	}
	return nil
}

// giveUp undoes what was done of a Keep. The first fault says enough: the others have the same cause.
func giveUp(ctx context.Context, holds []Hold, stages []*stage) (first error) {
	for _, h := range holds {
		if err := h.Release(ctx); err != nil && first == nil {
			first = err
		}
	}
	for _, s := range stages {
		if err := s.Discard(); err != nil && first == nil && !errors.Is(err, fs.ErrNotExist) {
			first = err
		}
	}
	return first
}
