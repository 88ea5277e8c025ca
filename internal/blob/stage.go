package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// stage is a Stage of a Folder. file is closed, and its name free, once over is true.
type stage struct {
	folder *Folder
	file   named
	size   int64
	over   bool
}

func (s *stage) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("stage an upload: %w", explain(err))
	}
	return n, nil
}

func (s *stage) ReadAt(p []byte, off int64) (int, error) { return s.file.ReadAt(p, off) }

func (s *stage) Size() int64 { return s.size }

func (s *stage) Discard() error {
	if s.over {
		return nil
	}
	s.over = true
	return errors.Join(s.file.Close(), s.folder.remove(s.file.name))
}

// Keep runs the sequence that Folder describes. An error on the way goes back the same way.
func (s *stage) Keep(ctx context.Context, sum Sum) (Hold, error) {
	if s.over {
		return nil, fmt.Errorf("keep blob %x: the upload is over: %w", sum, os.ErrClosed)
	}
	h, err := s.keep(ctx, sum)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep blob %x: %w", sum, err), s.Discard())
	}
	s.over = true
	_ = s.file.Close() // its bytes are durable: there is nothing left that closing could lose
	return h, nil
}

func (s *stage) keep(ctx context.Context, sum Sum) (*hold, error) {
	if err := s.sync(); err != nil {
		return nil, err
	}
	h, err := s.folder.hold(ctx, sum)
	if err != nil {
		return nil, err
	}
	// The hold keeps everybody else from removing the blob, so no lock is needed from here on.
	if err := s.place(sum); err != nil {
		return nil, errors.Join(err, h.Release(ctx))
	}
	return h, nil
}

// sync makes the bytes durable.
func (s *stage) sync() error {
	if err := s.file.Sync(); err != nil {
		return explain(err)
	}
	s.folder.did("fsync " + s.file.name)
	return nil
}

func (s *stage) place(sum Sum) error {
	if err := s.folder.makeShard(sum); err != nil {
		return err
	}
	if err := s.rename(sum); err != nil {
		return err
	}
	return s.folder.syncDir(shard(sum))
}

// rename makes the bytes the blob; its name is not durable yet.
func (s *stage) rename(sum Sum) error {
	to := blobPath(sum)
	if err := s.folder.root.Rename(s.file.name, to); err != nil {
		return explain(err)
	}
	s.folder.did("rename " + s.file.name + " " + to)
	return nil
}
