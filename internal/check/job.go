package check

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
)

// Job is a check of a channel that a server does, or did last.
type Job struct {
	// Number rises with every job of the channel.
	Number int64 `json:"number"`
	// By is who asked for it.
	By string `json:"by"`
	// Request is what was asked for.
	Request
	// StartedAt is when it began, EndedAt when it ended, zero before. BeatAt is when it was last heard of.
	StartedAt time.Time `json:"started_at"`
	BeatAt    time.Time `json:"beat_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Progress  Progress  `json:"progress"`
	// Differences are how many there are, Repairable how many of them a repair makes right, Repaired how many it did.
	Differences int `json:"differences"`
	Repairable  int `json:"repairable"`
	Repaired    int `json:"repaired"`
	// Found are the first MaxFound of them.
	Found []Difference `json:"found"`
	// Attested, Unattested and Failed are how many files were found to be so, where files were verified.
	Attested   int64 `json:"attested"`
	Unattested int64 `json:"unattested"`
	Failed     int64 `json:"failed"`
	// Wrong are the first MaxFound things that are wrong with files that failed.
	Wrong []Wrong `json:"wrong"`
	// Problem is why it ended before it was done, for people; "" when it did not.
	Problem string `json:"problem,omitempty"`
}

// Request is what a job is to do.
type Request struct {
	// Quick leaves the bytes of packages unread.
	Quick bool `json:"quick"`
	// Repair has what differs made anew.
	Repair bool `json:"repair"`
	// Verify has every file looked at by itself, with its attestations, in place of the index.
	Verify bool `json:"verify"`
}

// MaxFound is how many differences, or things that are wrong with files, a Job names.
const MaxFound = 200

// silence is after how long a job that nobody has heard of is taken for dead: its server beats every beat.
const (
	beat    = time.Second
	silence = 2 * time.Minute
)

// JobState is how a job stands.
type JobState string

// The states of a job.
const (
	Running JobState = "running"
	Done    JobState = "done"
	// Broken: it ended before it was done, or its server did.
	Broken JobState = "broken"
)

// State tells how the job stands at a time.
func (j Job) State(now time.Time) JobState {
	switch {
	case j.Problem != "", j.EndedAt.IsZero() && now.Sub(j.BeatAt) > silence:
		return Broken
	case j.EndedAt.IsZero():
		return Running
	default:
		return Done
	}
}

// JobStore keeps the last job of each channel. One method is one transaction.
type JobStore interface {
	// StartJob keeps a new job in place of the last one and returns it with its number; fault.Conflict when that one is
	// neither over nor silent since a time.
	StartJob(ctx context.Context, channelID int64, j Job, silentSince time.Time) (Job, error)
	// SaveJob keeps how a job stands, unless a later one has begun.
	SaveJob(ctx context.Context, channelID int64, j Job) error
	// LastJob returns the last one; fault.NotFound when there was none.
	LastJob(ctx context.Context, channelID int64) (Job, error)
}

// Jobs does checks in the background of a server: one at a time of a channel, and a few at a time in all. Use NewJobs.
type Jobs struct {
	Store JobStore

	checker  *Checker
	verifier Verifier
	log      *slog.Logger
	now      func() time.Time
	// slots has room for as many jobs as there are workers, so that none that has begun waits in line.
	slots   chan struct{}
	waiting chan work
}

// work is a job to be done.
type work struct {
	channel channel.Channel
	by      audit.Actor
	job     Job
}

// NewJobs makes a Jobs, which does nothing before Run.
func NewJobs(c *Checker, v Verifier, s JobStore, log *slog.Logger, now func() time.Time) *Jobs {
	return &Jobs{Store: s, checker: c, verifier: v, log: log, now: now, slots: make(chan struct{}, atOnce), waiting: make(chan work, atOnce)}
}

// atOnce is how many checks a server does at a time: each reads packages as fast as it can.
const atOnce = 2

// Run does jobs until ctx ends, and returns when all of them have.
func (j *Jobs) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for {
				select {
				case w := <-j.waiting:
					j.do(ctx, w)
					<-j.slots
				case <-ctx.Done():
					return
				}
			}
		})
	}
	workers.Wait()
}

// Start begins a job on a channel. Errors: fault.InvalidField for a request that cannot be done, fault.Conflict when the channel
// is being checked, fault.RateLimited when this server has enough to do.
func (j *Jobs) Start(ctx context.Context, by audit.Actor, ch channel.Channel, r Request) (Job, error) {
	if r.Verify && r.Repair {
		return Job{}, fault.New(fault.InvalidField, "A look at the files repairs nothing: ask for verify or for repair.")
	}
	select {
	case j.slots <- struct{}{}:
	default:
		return Job{}, fault.New(fault.RateLimited, "This server is busy checking other channels: try again in some minutes.")
	}
	now := j.now()
	job, err := j.Store.StartJob(ctx, ch.ID, Job{
		By: by.Name, Request: r, StartedAt: now, BeatAt: now, Progress: Progress{Step: "beginning"}, Found: []Difference{}, Wrong: []Wrong{},
	}, now.Add(-silence))
	if err != nil {
		<-j.slots
		return Job{}, err
	}
	j.waiting <- work{ch, by, job}
	return job, nil
}

// do does a job, and tells how it stands every beat.
func (j *Jobs) do(ctx context.Context, w work) {
	r := &report{jobs: j, work: w}
	end := r.beats(ctx)
	do := r.check
	if w.job.Verify {
		do = r.verify
	}
	err := do(ctx)
	end()
	r.job.EndedAt = j.now()
	switch {
	case ctx.Err() != nil:
		r.job.Problem = "The server was stopped."
	case err != nil:
		r.job.Problem = "The check could not go on; the server's log says why."
		j.log.LogAttrs(ctx, slog.LevelError, "check failed", slog.String("channel", w.channel.Name.String()), slog.Any("cause", err))
	}
	r.save(context.WithoutCancel(ctx))
}

// report is a job that is being done.
type report struct {
	jobs *Jobs
	work
	mu sync.Mutex // guards job
}

func (r *report) change(f func(*Job)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.job)
}

// save keeps how the job stands.
func (r *report) save(ctx context.Context) {
	var now Job
	r.change(func(j *Job) {
		j.BeatAt = r.jobs.now()
		now = *j
		now.Found, now.Wrong = slices.Clone(j.Found), slices.Clone(j.Wrong)
	})
	if err := r.jobs.Store.SaveJob(ctx, r.channel.ID, now); err != nil && ctx.Err() == nil {
		r.jobs.log.LogAttrs(ctx, slog.LevelWarn, "a check could not tell how far it is", slog.Any("cause", err))
	}
}

// beats saves the job again and again until it is ended.
func (r *report) beats(ctx context.Context) (end func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.save(ctx)
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// check looks at the channel; with a repair it makes anew what differs, and looks once more.
func (r *report) check(ctx context.Context) error {
	found, err := r.look(ctx)
	if err != nil || !r.job.Repair || found.Differences() == 0 {
		return err
	}
	r.change(func(j *Job) { j.Progress.Step = "repairing" })
	if err := r.jobs.checker.Repair(ctx, r.by, found); err != nil {
		return err
	}
	before := found.Differences()
	if found, err = r.look(ctx); err == nil {
		r.change(func(j *Job) { j.Repaired = max(before-found.Differences(), 0) })
	}
	return err
}

func (r *report) look(ctx context.Context) (*Result, error) {
	r.change(func(j *Job) { j.Differences, j.Repairable, j.Found = 0, 0, []Difference{} })
	return r.jobs.checker.Channel(ctx, r.channel, Options{
		Quick: r.job.Quick,
		Found: func(d Difference) {
			r.change(func(j *Job) {
				j.Differences++
				if d.Repairable {
					j.Repairable++
				}
				if len(j.Found) < MaxFound {
					j.Found = append(j.Found, d)
				}
			})
		},
		Progress: func(p Progress) { r.change(func(j *Job) { j.Progress = p }) },
	})
}
