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
	held, ours, err := f.heldBy(name)
	if err != nil || !ours {
		return false, err
	}
	for _, sum := range held {
		if err := f.sweep(ctx, sum); err != nil {
			return true, err
		}
	}
	return true, f.remove(stagingDir + "/" + name)
}

// heldBy returns the blobs that a file in staging holds, and whether it is one of ours.
func (f *Folder) heldBy(name string) (held []Sum, ours bool, err error) {
	kind, _, _ := strings.Cut(name, ".")
	switch kind {
	case arriving:
		return nil, true, nil
	case manyHolds:
		text, err := f.root.ReadFile(stagingDir + "/" + name)
		for line := range strings.Lines(string(text)) {
			// A last line that was cut is of a Keep that never came as far as a blob.
			if sum, ok := parseSum(strings.TrimSuffix(line, "\n")); ok {
				held = append(held, sum)
			}
		}
		return held, true, err
	}
	sum, ok := parseSum(kind)
	return []Sum{sum}, ok, nil
}

func parseSum(s string) (sum Sum, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(sum) || hex.EncodeToString(b) != s {
		return sum, false
	}
	return Sum(b), true
}
