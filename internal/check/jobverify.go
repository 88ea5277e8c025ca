package check

import (
	"context"

	"sluice/internal/channel"
)

// Verifier looks at every file of a channel by itself.
type Verifier interface {
	// Verify hands on what it finds of each file, one at a time. The error is for what kept it from looking.
	Verify(ctx context.Context, ch channel.Channel, quick bool, hand func(Looked)) error
}

// Looked is what was found of one file.
type Looked struct {
	// Attested says that an attestation counts.
	Attested bool
	// Wrong is all that is not as it should be.
	Wrong []Wrong
}

// Wrong is one thing that is wrong with a file.
type Wrong struct {
	Subdir string `json:"subdir"`
	File   string `json:"file"`
	// Code is a Kind, or the fault.Code of an attestation. It never changes its meaning.
	Code string `json:"code"`
	// Detail is one sentence.
	Detail string `json:"detail"`
}

// verify looks at every file of the channel.
func (r *report) verify(ctx context.Context) error {
	total, err := r.jobs.checker.store.CountArtifacts(ctx, r.channel.ID)
	if err != nil {
		return err
	}
	r.change(func(j *Job) { j.Progress = Progress{Step: "files", Total: total} })
	err = r.jobs.verifier.Verify(ctx, r.channel, r.job.Quick, func(l Looked) { r.change(func(j *Job) { j.looked(l) }) })
	if err == nil {
		r.change(func(j *Job) { j.Progress.Total = j.Progress.Done }) // deleted ones are not looked at
	}
	return err
}

// looked counts one more file.
func (j *Job) looked(l Looked) {
	j.Progress.Done++
	j.Progress.Total = max(j.Progress.Total, j.Progress.Done)
	switch {
	case len(l.Wrong) > 0:
		j.Failed++
	case l.Attested:
		j.Attested++
	default:
		j.Unattested++
	}
	j.Wrong = append(j.Wrong, l.Wrong[:min(len(l.Wrong), MaxFound-len(j.Wrong))]...)
}
