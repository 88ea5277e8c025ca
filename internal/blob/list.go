package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
)

// All implements Store.
func (f *Folder) All(ctx context.Context) iter.Seq2[Sum, error] {
	return func(yield func(Sum, error) bool) {
		for first := range 256 {
			if err := ctx.Err(); err != nil {
				yield(Sum{}, context.Cause(ctx))
				return
			}
			entries, err := fs.ReadDir(f.root.FS(), shard(Sum{byte(first)}))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				yield(Sum{}, fmt.Errorf("list blobs: %w", err))
				return
			}
			for _, e := range entries {
				sum, ok := parseSum(hex.EncodeToString([]byte{byte(first)}) + e.Name())
				if ok && !yield(sum, nil) {
					return
				}
			}
		}
	}
}

// Held implements Store.
func (f *Folder) Held(ctx context.Context, sum Sum) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	entries, err := fs.ReadDir(f.root.FS(), stagingDir)
	if err != nil {
		return false, fmt.Errorf("list holds: %w", err)
	}
	name := hex.EncodeToString(sum[:]) + "."
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), name) {
			return true, nil
		}
	}
	return false, nil
}
