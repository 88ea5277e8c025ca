package check

import (
	"context"
	"fmt"
)

// linesAtOnce bounds how many names are counted in one transaction.
const linesAtOnce = 50

// packages compares the lines that lists of packages show with the artifacts.
func (r *run) packages(ctx context.Context) error {
	r.progress("packages")
	for after := ""; ; {
		some, err := r.store.LinesAfter(ctx, r.channel.ID, after, linesAtOnce)
		if err != nil {
			return err
		}
		for _, l := range some {
			if l.Stored != l.Expected {
				r.found(Difference{Kind: Package, Name: l.Name, Stored: orNone(l.Stored), Expected: orNone(l.Expected)})
			}
			after = l.Name
		}
		if len(some) < linesAtOnce {
			return nil
		}
	}
}

func orNone(line string) string {
	if line == "" {
		return "no line"
	}
	return line
}

// strays tells of blocks that nothing leads to.
func (r *run) strays(ctx context.Context) error {
	s, err := r.store.Strays(ctx, r.channel.ID)
	if err != nil {
		return err
	}
	for _, n := range s.Blocks {
		r.found(Difference{Kind: BlockStray, Name: fmt.Sprint(n), number: n, Stored: "a block", Expected: "none: no piece has it"})
	}
	for _, n := range s.Dropped {
		r.found(Difference{Kind: BlockDropped, Name: fmt.Sprint(n), number: n, Stored: "about to be removed", Expected: "kept: a piece has it"})
	}
	return nil
}
