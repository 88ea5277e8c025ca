// Package importing brings the artifacts of another channel into one of ours: from a folder or from an address that
// serves repodata.json, whatever program made it. What comes is held against what the source's index says of it, and
// a file that does not agree is refused alone. Memory does not grow with the channel.
//
// An import that ends at any moment, however it ends, is taken up by running it again: what is there is not fetched
// a second time. What the source has changed since of what came from it (labels, yanks, corrections) is taken up, unless
// keepers of the channel have changed it themselves. It must not know of SQL, of flags, or of how progress is shown.
package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/publish"
)

// Store is what is asked of the database.
type Store interface {
	// Known tells of those of the files that are in a subdir already, deleted ones left out, and what the import from a source
	// knows of those that came from it.
	Known(ctx context.Context, channelID int64, d conda.Subdir, source string, filenames []string) (map[string]Known, error)
	// Follow changes files of a subdir, all or none, and every index that shows them. Those that were deleted meanwhile stay so.
	Follow(ctx context.Context, ch channel.Channel, d conda.Subdir, all []Update) error
	// Publish is that of publish.Store.
	Publish(ctx context.Context, all []publish.Commit) ([]publish.Result, error)
	// Append writes the one audit event of the import.
	Append(ctx context.Context, e audit.Event) error
}

// Blobs is what is asked of the store of bytes.
type Blobs interface {
	Stage(ctx context.Context) (blob.Stage, error)
	Keeper() (*blob.Keeper, error)
	Open(ctx context.Context, sum blob.Sum) (io.ReadSeekCloser, int64, error)
}

// Config is what an import is made of. All fields are required but those that say otherwise.
type Config struct {
	Source  Source
	Channel channel.Channel
	Store   Store
	Blobs   Blobs
	// Labels are the labels to bring in; none: those that the source tells of, or main alone.
	Labels []conda.Label
	// Subdirs limits the import to these; none: all that the source has.
	Subdirs []conda.Subdir
	// Jobs is how many packages are fetched and read at once.
	Jobs int
	// Pause goes in place of FirstPause for packages; 0: FirstPause.
	Pause time.Duration
	// Limits bound a package; MaxSize bounds its file, in bytes.
	Limits  artifact.Limits
	MaxSize int64
	// Attestations says what becomes of those that the source has; Judge looks at them, where any are taken.
	Attestations Attestations
	Judge        publish.Judge
	// Legacy asks for attestations of each package of which the index names none: before CEP 50, no index did.
	Legacy bool
	// DryRun fetches no package and writes nothing.
	DryRun bool
	// Actor is who imports, for the audit log.
	Actor audit.Actor
	Now   func() time.Time
	// Report is told of every file that is imported or refused, by one goroutine at a time; nil: nobody is.
	Report func(Line)
	// Progress is moved as the import goes on; nil: nobody looks.
	Progress *Progress
}

// Summary is what became of an import.
type Summary struct {
	Counts
	// Source is where it came from.
	Source string
	// Took is how long it took.
	Took time.Duration
}

// job is one import under way.
type job struct {
	Config

	tally *tally
	// labels are those that are brought in; allLabels says that the source has no others.
	labels    []conda.Label
	allLabels bool

	wanted chan wanted
	ready  chan ready
}

// Run imports. The error is for what ended the import as a whole; files that are refused are in the summary, which is
// right also beside an error.
func Run(ctx context.Context, c Config) (Summary, error) {
	if c.Progress == nil {
		c.Progress = &Progress{}
	}
	began := c.Now()
	j := &job{Config: c, tally: &tally{progress: c.Progress, report: c.Report}, wanted: make(chan wanted, c.Jobs), ready: make(chan ready, batchFiles)}
	err := j.run(ctx)
	s := Summary{Counts: j.tally.counts(), Source: c.Source.String(), Took: c.Now().Sub(began)}
	if (s.Imported > 0 || s.Attestations > 0 || s.Updated > 0) && !c.DryRun {
		err = errors.Join(err, j.logEvent(ctx, s))
	}
	return s, err
}

func (j *job) run(ctx context.Context) error {
	surveys, err := j.surveyAll(ctx)
	defer func() {
		for _, s := range surveys {
			s.close()
		}
	}()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(j.wanted)
		return j.list(ctx, surveys)
	})
	group.Go(func() error {
		defer close(j.ready)
		return j.fetchAll(ctx)
	})
	group.Go(func() error { return j.commitAll(ctx, stop) })
	return group.Wait()
}

// logEvent writes that the import was, with its numbers: one line for all its files.
func (j *job) logEvent(ctx context.Context, s Summary) error {
	name := j.Channel.Name.String()
	sentence := fmt.Sprintf("imported %d files from %s", s.Imported, s.Source)
	if s.Updated > 0 {
		sentence += fmt.Sprintf(", and took up what it has changed of %d others", s.Updated)
	}
	return j.Store.Append(context.WithoutCancel(ctx), audit.Event{
		At: j.Now(), Kind: audit.Imported, Actor: j.Actor, ChannelID: j.Channel.ID, Channel: name, Subject: name,
		Sentence: sentence,
		Facts: map[string]string{
			"source": s.Source, "imported": fmt.Sprint(s.Imported), "yanked": fmt.Sprint(s.Yanked), "patched": fmt.Sprint(s.Patched),
			"there_before": fmt.Sprint(s.Present), "refused": fmt.Sprint(s.Refused), "attestations": fmt.Sprint(s.Attestations), "attestations_left_out": fmt.Sprint(s.LeftOut), "bytes": fmt.Sprint(s.Bytes),
			"updated": fmt.Sprint(s.Updated), "listed_since": fmt.Sprint(s.ListedSince), "yanked_since": fmt.Sprint(s.YankedSince),
			"unyanked_since": fmt.Sprint(s.UnyankedSince), "corrected_since": fmt.Sprint(s.CorrectedSince), "kept_here": fmt.Sprint(s.KeptHere),
		},
	})
}
