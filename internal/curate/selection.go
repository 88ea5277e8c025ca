package curate

import (
	"strings"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
)

// Key names an artifact within a channel.
type Key struct {
	Subdir conda.Subdir
	File   conda.Filename
}

// Selection says which artifacts of a channel are meant: those that meet every condition that is given. At least one
// must be.
type Selection struct {
	// Files are exactly these.
	Files []Key
	// Name is a package name, or a pattern of names with '*'. Version and Build are the like for versions and build strings.
	Name, Version, Build string
	Subdir               conda.Subdir
	// Run is the number of the run that published them, Repository where it ran ("owner/name"), Ref the full git ref that
	// it ran for ("refs/heads/main") or a pattern of it.
	Run, Repository, Ref string
	// After and Before bound when they were published: not before the one, and before the other.
	After, Before time.Time
	// Label is one that lists them.
	Label conda.Label
	// State is what they are to readers.
	State State
	// Present leaves out deleted ones; State goes before it.
	Present bool
	// NewestFirst lists them by falling number, those before a number.
	NewestFirst bool
}

// maxPattern bounds a pattern, in bytes; maxFiles how many files may be named.
const (
	maxPattern = 256
	maxFiles   = MaxAtOnce
)

// check refuses a selection without any condition, or beyond the bounds.
func (s Selection) check() error {
	if err := s.bounds(); err != nil {
		return err
	}
	if len(s.Files) > 0 || strings.Trim(s.Name+s.Version+s.Build+s.Run+s.Repository+s.Ref, "*") != "" || !s.Subdir.IsZero() ||
		!s.After.IsZero() || !s.Before.IsZero() || !s.Label.IsZero() || s.State != "" {
		return nil
	}
	return fault.New(fault.InvalidField, "say which files are meant: by name, run, ref, time, subdir, label or state")
}

func (s Selection) bounds() error {
	if len(s.Files) > maxFiles {
		return fault.New(fault.TooLarge, "At most %d files can be named at once.", maxFiles)
	}
	for _, p := range []string{s.Name, s.Version, s.Build, s.Run, s.Repository, s.Ref} {
		if len(p) > maxPattern {
			return fault.New(fault.InvalidField, "a pattern has at most %d bytes", maxPattern)
		}
	}
	if !s.After.IsZero() && !s.Before.IsZero() && !s.After.Before(s.Before) {
		return fault.New(fault.InvalidField, "the span of time ends before it begins")
	}
	return nil
}
