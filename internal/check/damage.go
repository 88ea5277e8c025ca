package check

import (
	"context"
	"maps"
	"slices"

	"sluice/internal/audit"
	"sluice/internal/conda"
	"sluice/internal/curate"
)

// Damaged is how many artifacts there are whose bytes are gone or changed, and which are not deleted.
func (r *Result) Damaged() int { return len(r.plan.damaged) }

// damage is the reason of a deletion, for people.
const damage = "its bytes are gone from this server, or are not those that were published"

// Delete takes artifacts from readers whose bytes are gone or changed: their names stay taken, and an owner can restore
// them once the bytes are back. That is no part of a repair, for a disk that is not mounted would look the same.
func (c *Checker) Delete(ctx context.Context, by audit.Actor, keep *curate.Curator, found *Result) (curate.Outcome, error) {
	var s curate.Selection
	for _, id := range slices.Sorted(maps.Keys(found.plan.damaged)) {
		d := found.plan.damaged[id]
		subdir, err := conda.ParseSubdir(d.Subdir)
		if err != nil {
			return curate.Outcome{}, err
		}
		file, err := conda.ParseFilename(d.Name)
		if err != nil {
			return curate.Outcome{}, err
		}
		s.Files = append(s.Files, curate.Key{Subdir: subdir, File: file})
	}
	if len(s.Files) == 0 {
		return curate.Outcome{}, nil
	}
	step, err := keep.Do(ctx, by, found.Channel, s, curate.Change{Kind: curate.Delete, Reason: damage})
	return step.Outcome, err
}
