// Package curate is what the keepers of a channel do with artifacts that are there: yank them and take that back,
// delete and restore them, list them in labels, and lay corrections over their records. Everything it changes is a new
// generation of the indexes that show it, in one transaction. It must not know of HTTP or SQL, nor decide who may.
package curate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/trust"
)

// Kind is what is done to artifacts.
type Kind string

// The kinds of change.
const (
	// Yank hides artifacts from solvers; their bytes stay for lock files. Unyank takes that back.
	Yank   Kind = "yank"
	Unyank Kind = "unyank"
	// Delete hides artifacts from everybody; Restore takes that back until they are purged.
	Delete  Kind = "delete"
	Restore Kind = "restore"
	// List shows artifacts in a label, TakeOut shows them there no more, Move does both at once.
	List    Kind = "list"
	TakeOut Kind = "take_out"
	Move    Kind = "move"
	// Patch lays a correction over what the artifacts' records say; an empty one takes it away.
	Patch Kind = "patch"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Yank, Unyank, Delete, Restore, List, TakeOut, Move, Patch} }

// ParseKind takes the name of a kind. Its error is fault.InvalidField.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", fault.New(fault.InvalidField, "%q is nothing that is done to artifacts: use yank, unyank, delete, restore, list, take_out, move or patch", fault.OneLine(s, 40))
}

// InSteps reports whether a change of more than MaxAtOnce artifacts may be done in several transactions. What labels
// list changes all at once, or readers would meet half of a release.
func (k Kind) InSteps() bool { return k != List && k != TakeOut && k != Move }

// ForOwners reports whether only owners of a channel may do it: what is deleted is gone for lock files, too.
func (k Kind) ForOwners() bool { return k == Delete || k == Restore }

// Change is what is done to a set of artifacts.
type Change struct {
	Kind Kind
	// Reason is for people, and shown where the artifacts are. Yank and Delete require one.
	Reason string
	// Label is where List, TakeOut and Move find or put the artifacts, To where Move puts them.
	Label, To conda.Label
	// Patch is the correction of a Patch.
	Patch conda.Patch
	// Address is the channel's public one, for which its attestations are made. The Curator sets it.
	Address string
}

const (
	// MaxReason bounds a reason, in bytes.
	MaxReason = 500
	// MaxAtOnce is the most artifacts that one change may be about, for it is one transaction.
	MaxAtOnce = 10_000
)

func (c Change) check() error {
	switch c.Kind {
	case Yank, Delete:
		if strings.TrimSpace(c.Reason) == "" {
			return fault.New(fault.InvalidField, "say why: a reason is shown to whoever depends on these files")
		}
	case List, TakeOut:
		if c.Label.IsZero() {
			return fault.New(fault.InvalidField, "name the label")
		}
	case Move:
		if c.Label.IsZero() || c.To.IsZero() || c.Label == c.To {
			return fault.New(fault.InvalidField, "name two labels: the one to take the files out of, and the one to list them in")
		}
	}
	if len(c.Reason) > MaxReason || !utf8.ValidString(c.Reason) {
		return fault.New(fault.InvalidField, "a reason has at most %d bytes of UTF-8, this one has %d", MaxReason, len(c.Reason))
	}
	return nil
}

// State is what an artifact is to readers.
type State string

// The states. Held artifacts are listed in no label, and no reader sees them; nor deleted ones.
const (
	Live    State = "live"
	Yanked  State = "yanked"
	Held    State = "held"
	Deleted State = "deleted"
	// Purged artifacts have no bytes any more; their names stay taken.
	Purged State = "purged"
)

// ParseState takes the name of a state. Its error is fault.InvalidField.
func ParseState(s string) (State, error) {
	switch st := State(s); st {
	case Live, Yanked, Held, Deleted, Purged:
		return st, nil
	default:
		return "", fault.New(fault.InvalidField, "%q is no state of a file: use live, yanked, held, deleted or purged", fault.OneLine(s, 40))
	}
}

// Artifact is one that was selected.
type Artifact struct {
	ID         int64
	Subdir     conda.Subdir
	File       conda.Filename
	Size       int64
	UploadedAt time.Time
	// Uploader is the account that uploaded it, or the repository of the run.
	Uploader string
	// Source is where an operator imported it from; "" for what was uploaded here.
	Source string
	// Run is the run that published it; zero for none.
	Run   trust.Provenance
	State State
	// Labels are those that list it, sorted.
	Labels []conda.Label
	// Reason is why it is yanked or deleted, By who did that, At when.
	Reason, By string
	At         time.Time
	// Patch is the correction that lies over its record; zero for none.
	Patch conda.Patch
}

var kinds = map[Kind]audit.Kind{
	Yank: audit.Yanked, Unyank: audit.Unyanked, Delete: audit.Deleted, Restore: audit.Restored,
	List: audit.Listed, TakeOut: audit.TakenOut, Move: audit.Moved, Patch: audit.Patched,
}

func (c Change) event(ctx context.Context, by audit.Actor, ch channel.Channel) audit.Event {
	e := audit.Event{
		Kind: kinds[c.Kind], Actor: by, ChannelID: ch.ID, Channel: ch.Name.String(), Facts: map[string]string{}, RequestID: audit.Request(ctx),
	}
	for _, f := range []struct{ key, value string }{{"reason", c.Reason}, {"label", c.Label.String()}, {"to", c.To.String()}} {
		if f.value != "" {
			e.Facts[f.key] = f.value
		}
	}
	return e
}

// namedFiles is how many files an event names.
const namedFiles = 50

// Report completes the event of a change with the artifacts that it changed, which are at least one.
func (c Change) Report(e audit.Event, changed []Artifact) audit.Event {
	names := make([]string, 0, namedFiles)
	for _, a := range changed[:min(len(changed), namedFiles)] {
		names = append(names, a.Path())
	}
	what := names[0]
	e.Subject = what
	if n := len(changed); n > 1 {
		what = strconv.Itoa(n) + " files"
		e.Subject = e.Channel
		e.Facts["files"] = strings.Join(names, " ")
		e.Facts["count"] = strconv.Itoa(n)
	}
	e.Sentence = c.sentence(what)
	return e
}

func (c Change) sentence(what string) string {
	switch c.Kind {
	case Yank:
		return fmt.Sprintf("yanked %s: %s", what, c.Reason)
	case Unyank:
		return "took back the yank of " + what
	case Delete:
		return fmt.Sprintf("deleted %s: %s", what, c.Reason)
	case Restore:
		return "restored " + what
	case List:
		return fmt.Sprintf("listed %s in label %s", what, c.Label)
	case TakeOut:
		return fmt.Sprintf("took %s out of label %s", what, c.Label)
	case Move:
		return fmt.Sprintf("moved %s from label %s to %s", what, c.Label, c.To)
	case Patch:
		if c.Patch.IsZero() {
			return "took the correction off the record of " + what
		}
		return "corrected the record of " + what
	}
	return string(c.Kind) + " " + what
}

// Path is "subdir/filename".
func (a Artifact) Path() string { return a.Subdir.String() + "/" + a.File.String() }

// Compare orders artifacts by subdir and file name.
func Compare(a, b Artifact) int {
	return cmp.Or(cmp.Compare(a.Subdir.String(), b.Subdir.String()), cmp.Compare(a.File.String(), b.File.String()))
}
