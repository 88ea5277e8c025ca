package blob

import (
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// Recover clears what the last process left when it ended, however it ended: uploads that never became
// blobs, and blobs that no committed reference names. Its cost is that of what was under way, not of
// what is stored. It runs once, before the first use. It returns the number of unfinished uploads and
// deletions that it found; on error it may be run again.
func (f *Folder) Recover(ctx context.Context) (unfinished int, err error) {
	entries, err := fs.ReadDir(f.root.FS(), stagingDir)
	if err != nil {
		return 0, fmt.Errorf("list unfinished uploads: %w", err)
	}
	for _, e := range entries {
		found, err := f.recoverOne(ctx, e.Name())
		if err != nil {
			return unfinished, fmt.Errorf("clear the unfinished upload %s: %w", e.Name(), err)
		}
		if found {
			unfinished++
		}
	}
	return unfinished, f.syncDir(stagingDir)
}

// recoverOne leaves alone what Folder did not name.
func (f *Folder) recoverOne(ctx context.Context, name string) (bool, error) {
	kind, _, _ := strings.Cut(name, ".")
	sum, isHold := parseSum(kind)
	if kind != arriving && !isHold {
		return false, nil
	}
	if isHold {
		if err := f.sweep(ctx, sum); err != nil {
			return true, err
		}
	}
	return true, f.remove(stagingDir + "/" + name)
}

func parseSum(s string) (sum Sum, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(sum) || hex.EncodeToString(b) != s {
		return sum, false
	}
	return Sum(b), true
}
