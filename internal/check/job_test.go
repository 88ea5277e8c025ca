package check_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// watched tells of jobs that have ended.
type watched struct {
	check.JobStore
	ended chan check.Job
}

func (w watched) SaveJob(ctx context.Context, channelID int64, j check.Job) error {
	err := w.JobStore.SaveJob(ctx, channelID, j)
	if !j.EndedAt.IsZero() {
		w.ended <- j
	}
	return err
}

// looker has one good file, one without an attestation, and a bad one for each thing that is wrong.
type looker struct{ wrong int }

func (l looker) Verify(_ context.Context, _ channel.Channel, quick bool, hand func(check.Looked)) error {
	hand(check.Looked{Attested: !quick})
	hand(check.Looked{})
	for range l.wrong {
		hand(check.Looked{Attested: true, Wrong: []check.Wrong{{Subdir: "noarch", File: "tide-1.0-0.conda", Code: "artifact.bytes", Detail: "gone"}, {Code: "signer_denied"}, {Code: "x"}}})
	}
	return nil
}

// A job that looks at files counts them, and names as much of what is wrong as a job may.
func TestJobVerifies(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		ended := make(chan check.Job, 10)
		jobs := check.NewJobs(w.checker, looker{wrong: 100}, watched{w.db, ended}, slog.New(slog.NewTextHandler(t.Output(), nil)), w.now)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); jobs.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if _, err := jobs.Start(t.Context(), audit.Actor{Name: "ann"}, w.channel, check.Request{Verify: true, Repair: true}); !fault.Is(err, fault.InvalidField) {
			t.Errorf("a look that repairs: %v", err)
		}
		must(jobs.Start(t.Context(), audit.Actor{Name: "ann"}, w.channel, check.Request{Verify: true}))(t)
		<-ended
		j := must(w.db.LastJob(t.Context(), w.channel.ID))(t)
		if j.State(w.now()) != check.Done || !j.Verify || j.Attested != 1 || j.Unattested != 1 || j.Failed != 100 || len(j.Wrong) != check.MaxFound || j.Progress.Done != 102 || j.Progress.Total != 102 {
			t.Errorf("%d attested, %d not, %d failed, %d wrong, %+v", j.Attested, j.Unattested, j.Failed, len(j.Wrong), j.Progress)
		}
	})
}

// jobs are those of a server that runs, until what it returns is called.
func (w *world) jobs(t *testing.T) (jobs *check.Jobs, ended chan check.Job, stop func()) {
	t.Helper()
	ended = make(chan check.Job, 10)
	jobs = check.NewJobs(w.checker, looker{}, watched{w.db, ended}, slog.New(slog.NewTextHandler(t.Output(), nil)), w.now)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); jobs.Run(ctx) }()
	return jobs, ended, func() { cancel(); <-done }
}

// A server checks, and repairs when it is asked to; what it tells survives it.
func TestJob(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		ann := audit.Actor{Kind: audit.User, Name: "ann"}
		jobs, ended, stop := w.jobs(t)
		defer stop()
		if _, err := w.db.LastJob(t.Context(), w.channel.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("a job that nobody asked for: %v", err)
		}
		w.hurt(t, `UPDATE package SET artifacts = 99 WHERE name = 'tide10'`)
		for i, step := range []struct{ repair, quick bool }{{false, true}, {true, false}, {false, false}} {
			begun := must(jobs.Start(t.Context(), ann, w.channel, check.Request{Quick: step.quick, Repair: step.repair}))(t)
			if begun.Number != int64(i+1) || begun.State(w.now()) != check.Running {
				t.Errorf("begun %+v", begun)
			}
			<-ended
			j := must(w.db.LastJob(t.Context(), w.channel.ID))(t)
			found, repaired := [3]int{1, 0, 0}[i], [3]int{0, 1, 0}[i]
			if j.State(w.now()) != check.Done || j.Differences != found || j.Repairable != found || len(j.Found) != found || j.Repaired != repaired ||
				j.Progress.Total != 40 || j.Progress.Done != 40 || j.By != "ann" || j.Quick != step.quick || j.Repair != step.repair {
				t.Errorf("step %d: %+v", i, j)
			}
			if found > 0 && (j.Found[0].Kind != check.Package || j.Found[0].Name != "tide10" || !j.Found[0].Repairable) {
				t.Errorf("found %+v", j.Found)
			}
		}
		events := must(w.db.Events(t.Context(), audit.Query{ChannelID: w.channel.ID, Kinds: []audit.Kind{audit.IndexRepaired}, Limit: 10}))(t)
		if len(events) != 1 || events[0].Actor.Name != "ann" {
			t.Errorf("events %+v", events)
		}
	})
}

// One check at a time of a channel, two of a server, and one that died with its server stands in nobody's way.
func TestJobsAreBounded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		idle := check.NewJobs(w.checker, looker{}, w.db, slog.New(slog.DiscardHandler), w.now) // nobody works its jobs off
		other := make([]channel.Channel, 2)
		for i, name := range []string{"mirror", "third"} {
			other[i] = must(w.db.CreateChannel(t.Context(), channel.Channel{Name: must(conda.ParseChannel(name))(t), Visibility: channel.Public, CreatedAt: w.now()}, w.right.User.ID, audit.Event{Kind: audit.ChannelCreated}))(t)
		}
		start := func(jobs *check.Jobs, ch channel.Channel) error {
			_, err := jobs.Start(t.Context(), audit.Actor{}, ch, check.Request{Quick: true})
			return err
		}
		if err := start(idle, w.channel); err != nil {
			t.Fatal(err)
		}
		if err := start(idle, w.channel); !fault.Is(err, fault.Conflict) {
			t.Errorf("two at once of one channel: %v", err)
		}
		if err := start(idle, other[0]); err != nil {
			t.Errorf("one of another channel: %v", err)
		}
		if err := start(idle, other[1]); !fault.Is(err, fault.RateLimited) {
			t.Errorf("three at once: %v", err)
		}
		w.ticks.Add(int64(10 * time.Minute / time.Second))
		if j := must(w.db.LastJob(t.Context(), w.channel.ID))(t); j.State(w.now()) != check.Broken {
			t.Errorf("a job that nobody hears of is %s", j.State(w.now()))
		}
		jobs, ended, stop := w.jobs(t)
		defer stop()
		if err := start(jobs, w.channel); err != nil {
			t.Fatal(err)
		}
		if j := <-ended; j.Number != 2 || j.Problem != "" {
			t.Errorf("the next one: %+v", j)
		}
	})
}

// A server that stops says so of the checks that it did not finish.
func TestJobOfAServerThatStops(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		w.fill(t)
		ended := make(chan check.Job, 1)
		ctx, cancel := context.WithCancel(t.Context())
		stopping := check.NewJobs(check.New(stoppingStore{w.db, cancel}, w.blobs), looker{}, watched{w.db, ended}, slog.New(slog.DiscardHandler), w.now)
		must(stopping.Start(ctx, audit.Actor{}, w.channel, check.Request{}))(t)
		stopping.Run(ctx)
		if j := <-ended; j.Problem != "The server was stopped." || j.State(w.now()) != check.Broken {
			t.Errorf("%+v", j)
		}
	})
}

// stoppingStore ends everything when the first artifacts are read.
type stoppingStore struct {
	check.Store
	stop func()
}

func (s stoppingStore) ArtifactsAfter(ctx context.Context, channelID, after int64, limit int) ([]check.Artifact, error) {
	s.stop()
	return s.Store.ArtifactsAfter(ctx, channelID, after, limit)
}
