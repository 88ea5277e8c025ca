package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/check"
	"sluice/internal/server/caller"
)

// indexCheckJSON is a check of a channel's index.
type indexCheckJSON struct {
	Number      int64                 `json:"number" example:"3" doc:"Rises with every check of the channel."`
	State       string                `json:"state" enum:"running,done,broken" doc:"broken: it ended before it was done."`
	Problem     string                `json:"problem,omitempty" example:"The server was stopped." doc:"Of one that is broken: why."`
	By          string                `json:"by" example:"ann" doc:"Who asked for it."`
	Quick       bool                  `json:"quick" doc:"Whether packages were not read: the database's own copy of their metadata was taken, and their size."`
	Repair      bool                  `json:"repair" doc:"Whether what differs was made anew, and looked at once more."`
	StartedAt   time.Time             `json:"started_at" example:"2026-08-20T12:00:00Z" doc:"When it began."`
	EndedAt     time.Time             `json:"ended_at,omitzero" example:"2026-08-20T12:00:30Z" doc:"When it ended; absent while it runs."`
	Step        string                `json:"step" example:"artifacts" doc:"What was looked at last."`
	Artifacts   int64                 `json:"artifacts" example:"1200" doc:"How many artifacts were looked at."`
	Total       int64                 `json:"total" example:"2400" doc:"How many there are."`
	Differences int                   `json:"differences" example:"1" doc:"How many differences were found; after a repair, how many are left."`
	Repairable  int                   `json:"repairable" example:"1" doc:"How many of them a repair makes right. Bytes that are gone come back from nowhere."`
	Repaired    int                   `json:"repaired" example:"0" doc:"How many differences the repair made right."`
	Found       []indexDifferenceJSON `json:"found" nullable:"false" doc:"The first 200 differences."`
	Verify      bool                  `json:"verify" doc:"Whether every file was looked at by itself, with its attestations, in place of the index."`
	Attested    int64                 `json:"attested" example:"790" doc:"Of a look at files: how many are as they should be and have an attestation that counts."`
	Unattested  int64                 `json:"unattested" example:"21" doc:"How many are as they should be, have none, and need none."`
	Failed      int64                 `json:"failed" example:"1" doc:"How many are not as they should be."`
	Wrong       []wrongJSON           `json:"wrong" nullable:"false" doc:"The first 200 things that are wrong with files."`
}

// indexDifferenceJSON is one thing that is not as it should be.
type indexDifferenceJSON struct {
	Kind       string `json:"kind" example:"shard.content" doc:"In what: it never changes its meaning."`
	Label      string `json:"label,omitempty" example:"main" doc:"In which label; absent for what is not of one."`
	Subdir     string `json:"subdir,omitempty" example:"noarch" doc:"In which subdir; absent for what is not of one."`
	Series     string `json:"series,omitempty" example:"packages.conda" doc:"In which list of members."`
	Name       string `json:"name,omitempty" example:"tide-1.0-0.conda" doc:"The file, the package, or the first key of a piece."`
	Stored     string `json:"stored" example:"no shard" doc:"What is there."`
	Expected   string `json:"expected" example:"one of 3 records" doc:"What should be."`
	Repairable bool   `json:"repairable" doc:"Whether a repair makes it right."`
}

// wrongJSON is one thing that is wrong with a file.
type wrongJSON struct {
	Subdir string `json:"subdir" example:"noarch" doc:"Subdir of the file."`
	File   string `json:"file" example:"tide-1.0-0.conda" doc:"Name of the file."`
	Code   string `json:"code" example:"signer_denied" doc:"What is wrong: it never changes its meaning."`
	Detail string `json:"detail" doc:"The same in words."`
}

type startCheckInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    struct {
		Quick  bool `json:"quick,omitempty" doc:"Do not read packages: take the database's own copy of their metadata, and look at their size only."`
		Repair bool `json:"repair,omitempty" doc:"Make anew what differs, and look once more."`
		Verify bool `json:"verify,omitempty" doc:"Look at every file by itself instead: its bytes, its record, and each of its attestations, by the keys and by what the channel demands today."`
	} `nameHint:"StartCheck"`
}

type indexCheckOutput struct{ Body indexCheckJSON }

func (s *service) checkRoutes() {
	tags := []string{"channels"}
	add(s, huma.Operation{
		OperationID: "start-check", Method: http.MethodPost, Path: "/channels/{channel}/checks", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Check the index of a channel, or its files",
		Description: "For owners of the channel. The index is made anew beside the one that clients read, from the artifacts' own bytes, and compared. With verify every file is looked at by itself, with its attestations. It goes on in the background, one of them at a time for a channel.",
	}, s.startCheck)
	add(s, huma.Operation{
		OperationID: "get-latest-check", Method: http.MethodGet, Path: "/channels/{channel}/checks/latest", Tags: tags,
		Summary: "Read how the latest check of a channel stands", Description: "For owners of the channel.",
	}, s.latestCheck)
}

func (s *service) startCheck(ctx context.Context, in *startCheckInput) (*indexCheckOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	j, err := s.Checks.Start(ctx, caller.From(ctx).Actor(), ch, check.Request(in.Body))
	if err != nil {
		return nil, err
	}
	return &indexCheckOutput{Body: s.checkOf(j)}, nil
}

func (s *service) latestCheck(ctx context.Context, in *channelInput) (*indexCheckOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	j, err := s.Checks.Store.LastJob(ctx, ch.ID)
	return &indexCheckOutput{Body: s.checkOf(j)}, err
}

func (s *service) checkOf(j check.Job) indexCheckJSON {
	return indexCheckJSON{
		Number: j.Number, State: string(j.State(s.Now())), Problem: j.Problem, By: j.By, Quick: j.Quick, Repair: j.Repair, StartedAt: j.StartedAt, EndedAt: j.EndedAt,
		Step: j.Progress.Step, Artifacts: j.Progress.Done, Total: j.Progress.Total, Differences: j.Differences, Repairable: j.Repairable, Repaired: j.Repaired,
		Verify: j.Verify, Attested: j.Attested, Unattested: j.Unattested, Failed: j.Failed,
		Wrong: each(j.Wrong, func(w check.Wrong) wrongJSON { return wrongJSON(w) }),
		Found: each(j.Found, func(d check.Difference) indexDifferenceJSON {
			return indexDifferenceJSON{
				Kind: string(d.Kind), Label: d.Label, Subdir: d.Subdir, Series: d.Series, Name: d.Name, Stored: d.Stored, Expected: d.Expected, Repairable: d.Repairable,
			}
		}),
	}
}
