package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
)

// changeJSON is what is done to files.
type changeJSON struct {
	Kind   string    `json:"kind" enum:"yank,unyank,delete,restore,list,take_out,move,patch" example:"yank" doc:"yank hides from solvers, and lock files still work; delete hides from everybody. unyank and restore take that back. list shows in a label, take_out no more, move does both. patch corrects what the index says."`
	Reason string    `json:"reason,omitempty" maxLength:"500" example:"links against a broken libtide" doc:"Why, for people; yank and delete require it."`
	Label  string    `json:"label,omitempty" maxLength:"128" example:"rc" doc:"For list, take_out and move: the label."`
	To     string    `json:"to,omitempty" maxLength:"128" example:"main" doc:"For move: the label to list them in."`
	Patch  patchJSON `json:"patch,omitzero" doc:"For patch: what the index says instead; absent or {} takes the correction away."`
}

// patchJSON is a correction as it came.
type patchJSON struct{ raw json.RawMessage }

// UnmarshalJSON implements json.Unmarshaler; what it says is looked at when its kind is known.
func (p *patchJSON) UnmarshalJSON(b []byte) error {
	p.raw = append(p.raw[:0], b...)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (p patchJSON) MarshalJSON() ([]byte, error) { return p.raw, nil }

// IsZero reports whether none came.
func (p patchJSON) IsZero() bool { return len(p.raw) == 0 }

// Schema implements huma.SchemaProvider. The fields are those of patch_instructions.json in the channel format.
func (patchJSON) Schema(huma.Registry) *huma.Schema {
	words := func(doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, Nullable: true, Description: doc}
	}
	text := func(doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Nullable: true, Description: doc}
	}
	exports := &huma.Schema{Type: huma.TypeObject, Nullable: true, Description: "Its run_exports, by kind.", AdditionalProperties: words("Match specifications.")}
	return &huma.Schema{
		Type: huma.TypeObject, Description: "What the index says of the file instead; null takes a value away, what is absent stays.", AdditionalProperties: false,
		Properties: map[string]*huma.Schema{
			"depends": words("What it needs, as match specifications."), "constrains": words("What it does not go with."),
			"track_features": text("Features that it turns on, separated by blanks."), "features": text("Features that it belongs to."),
			"license": text("Its license."), "license_family": text("The family of that."), "purls": words("Package URLs."), "run_exports": exports,
		},
	}
}

func (j changeJSON) change() (curate.Change, error) {
	c := curate.Change{Reason: j.Reason}
	var err error
	if c.Kind, err = curate.ParseKind(j.Kind); err != nil {
		return c, err
	}
	if c.Label, err = given(j.Label, conda.ParseLabel); err != nil {
		return c, err
	}
	if c.To, err = given(j.To, conda.ParseLabel); err != nil {
		return c, err
	}
	if j.Patch.IsZero() {
		return c, nil
	}
	if c.Kind != curate.Patch {
		return c, fault.New(fault.InvalidField, "a patch comes with the kind patch alone")
	}
	if err := json.Unmarshal(j.Patch.raw, &c.Patch); err != nil {
		return c, fault.Wrap(err, fault.InvalidField, "%v", err)
	}
	return c, nil
}

type changesInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    struct {
		Change    changeJSON `json:"change" doc:"What is done."`
		Select    selectJSON `json:"select" doc:"The files that are meant: at least one condition, which for take_out and move may be the label."`
		DryRun    bool       `json:"dry_run,omitempty" doc:"Answer what would change, and change nothing."`
		InSteps   bool       `json:"in_steps,omitempty" doc:"When more than 10,000 files are meant, change those that came first and answer next_cursor, rather than refuse. Not for labels, whose changes are all or nothing."`
		Cursor    int64      `json:"cursor,omitempty" minimum:"1" doc:"The next_cursor of the step before."`
		EndTokens bool       `json:"end_tokens,omitempty" doc:"First keep the run that is selected from bringing more with the publish tokens that it has: none of its uploads is stored from then on, those under way included. It may get new tokens as long as it runs and a publisher lets it in."`
	} `nameHint:"Changes"`
}

// outcomeJSON is what became of a change.
type outcomeJSON struct {
	Applied  bool           `json:"applied" doc:"Whether it was done; not after a dry run."`
	Selected int            `json:"selected" minimum:"0" example:"12" doc:"How many files were meant, in this step."`
	Changed  int            `json:"changed" minimum:"0" example:"11" doc:"How many of them changed, or would; the others are that way already."`
	Files    []artifactJSON `json:"files" nullable:"false" doc:"The first 100 of those that changed, by subdir and name, as they were before."`
	At       time.Time      `json:"at,omitzero" example:"2026-08-20T12:00:00Z" doc:"The moment of the change."`
	// RestorableUntil is told before as well, so that whoever is asked knows.
	RestorableUntil time.Time `json:"restorable_until,omitzero" example:"2026-08-27T12:00:00Z" doc:"Of a delete: until when it can surely be taken back; of its dry run, when it were done now."`
	NextCursor      int64     `json:"next_cursor,omitzero" doc:"Asks for the next step; absent after the last one."`
	TokensEnded     int       `json:"tokens_ended,omitempty" minimum:"0" example:"1" doc:"How many publish tokens of the run lost this channel."`
}

type outcomeOutput struct{ Body outcomeJSON }

// maxOutcomeFiles is how many files an answer names.
const maxOutcomeFiles = 100

func (s *service) changeRoutes(tags []string) {
	add(s, huma.Operation{
		OperationID: "change-artifacts", Method: http.MethodPost, Path: "/channels/{channel}/changes", Tags: tags,
		Summary: "Yank, delete, label or correct files, or take that back",
		Description: "For maintainers of the channel; delete and restore for its owners. All files are changed in one transaction, or none. " +
			"What changes is in every index file at once. A file without an attestation comes into sight (unyank, restore, list, move) only where the channel would take it now.",
	}, s.changeArtifacts)
}

func (s *service) changeArtifacts(ctx context.Context, in *changesInput) (*outcomeOutput, error) {
	change, err := in.Body.Change.change()
	if err != nil {
		return nil, err
	}
	chosen, err := in.Body.Select.selection()
	if err != nil {
		return nil, err
	}
	decide := s.Access.MayCurate
	if change.Kind.ForOwners() {
		decide = s.Access.MayManage
	}
	ch, err := s.where(ctx, in.Channel, decide)
	if err != nil {
		return nil, err
	}
	ended := 0
	if in.Body.EndTokens && !in.Body.DryRun {
		if ended, err = s.Curator.EndRun(ctx, caller.From(ctx).Actor(), ch, chosen, change); err != nil {
			return nil, err
		}
	}
	step, err := s.step(ctx, ch, in, chosen, change)
	if ended > 0 && fault.Is(err, fault.NotFound) {
		err = nil // the tokens of a run that had published nothing yet are ended, and that must be told
	}
	if err != nil {
		return nil, err
	}
	out := &outcomeOutput{Body: outcomeJSON{
		Applied: !in.Body.DryRun, Selected: len(step.Selected), Changed: len(step.Changed), At: step.At, NextCursor: step.Next, TokensEnded: ended,
		Files: each(step.Changed[:min(len(step.Changed), maxOutcomeFiles)], s.artifactOf),
	}}
	if change.Kind == curate.Delete && len(step.Changed) > 0 {
		out.Body.RestorableUntil = cmp.Or(step.At, s.Now()).Add(s.DeleteUndo)
	}
	return out, nil
}

// step does what was asked for, or tries it.
func (s *service) step(ctx context.Context, ch channel.Channel, in *changesInput, chosen curate.Selection, change curate.Change) (curate.Step, error) {
	by := caller.From(ctx).Actor()
	switch {
	case in.Body.DryRun:
		return s.Curator.Try(ctx, ch, chosen, change, in.Body.Cursor)
	case in.Body.InSteps:
		return s.Curator.Step(ctx, by, ch, chosen, change, in.Body.Cursor)
	default:
		return s.Curator.Do(ctx, by, ch, chosen, change)
	}
}
