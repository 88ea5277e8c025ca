package publish

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/internal/conda"
	"sluice/internal/fault"
)

const (
	// together is the most uploads that one transaction makes visible.
	together = 64
	// gatherTime is how long a transaction waits for uploads that are nearly there. Nobody waits who is alone.
	gatherTime = 5 * time.Millisecond
	// commitTime bounds a transaction. It does not end with a client's connection: a client that hangs up must not
	// decide whether its upload half happened.
	commitTime = 2 * time.Minute
)

// committer makes uploads to one subdir that come at once into one transaction: they would stand in a line for it
// anyway, and each would make the same pieces of the index anew.
type committer struct {
	store Store
	mu    sync.Mutex // guards lines and what is in them; nothing slow happens under it
	lines map[lineKey]*line
}

type lineKey struct {
	channelID int64
	subdir    conda.Subdir
}

// line is the uploads of one subdir.
type line struct {
	key lineKey
	// coming counts those that will be in the line within moments, or not at all.
	coming  int
	waiting []*waiter
	// busy says that somebody works the line off.
	busy bool
	// moved gets a value when coming or waiting changes while somebody gathers.
	moved chan struct{}
}

type waiter struct {
	commit Commit
	done   chan Result
}

func newCommitter(s Store) *committer { return &committer{store: s, lines: map[lineKey]*line{}} }

// enter announces an upload. Its end is exactly one call of leave or of commit.
func (c *committer) enter(channelID int64, d conda.Subdir) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := lineKey{channelID, d}
	l := c.lines[key]
	if l == nil {
		l = &line{key: key, moved: make(chan struct{}, 1)}
		c.lines[key] = l
	}
	l.coming++
	return l
}

// leave takes an announced upload back.
func (c *committer) leave(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.coming--
	c.tidy(l)
	l.tell()
}

// commit makes an announced upload visible, with all that wait beside it, and returns when its outcome is known.
func (c *committer) commit(ctx context.Context, l *line, commit Commit) (Outcome, error) {
	w := &waiter{commit: commit, done: make(chan Result, 1)}
	c.mu.Lock()
	l.coming--
	l.waiting = append(l.waiting, w)
	l.tell()
	if !l.busy {
		l.busy = true
		go c.work(context.WithoutCancel(ctx), l)
	}
	c.mu.Unlock()
	r := <-w.done
	return r.Outcome, r.Err
}

func (l *line) tell() {
	select {
	case l.moved <- struct{}{}:
	default: // told already
	}
}

// tidy forgets a line with nobody in it. Called with mu held.
func (c *committer) tidy(l *line) {
	if !l.busy && l.coming == 0 && len(l.waiting) == 0 {
		delete(c.lines, l.key)
	}
}

// work works a line off.
func (c *committer) work(ctx context.Context, l *line) {
	for {
		batch := c.gather(l)
		if len(batch) == 0 {
			return
		}
		c.publish(ctx, batch)
	}
}

// gather takes those that wait, and gives those that are nearly there a moment. None: the line is over.
func (c *committer) gather(l *line) []*waiter {
	late := time.NewTimer(gatherTime)
	defer late.Stop()
	for waited := false; ; {
		c.mu.Lock()
		if waited || l.coming == 0 || len(l.waiting) >= together || len(l.waiting) == 0 {
			n := min(len(l.waiting), together)
			batch := l.waiting[:n:n]
			l.waiting = l.waiting[n:]
			if n == 0 {
				l.busy = false
				c.tidy(l)
			}
			c.mu.Unlock()
			return batch
		}
		c.mu.Unlock()
		select {
		case <-l.moved:
		case <-late.C:
			waited = true
		}
	}
}

// publish does one transaction and tells everybody what became of theirs. When it fails as a whole, each is tried
// alone: what is wrong with one must not harm the others, and one that was committed after all finds itself there.
func (c *committer) publish(ctx context.Context, batch []*waiter) {
	results, err := c.transaction(ctx, batch)
	if _, said := errors.AsType[*fault.Error](err); err != nil && !said && len(batch) > 1 {
		for _, w := range batch {
			c.publish(ctx, []*waiter{w})
		}
		return
	}
	for i, w := range batch {
		if err != nil {
			w.done <- Result{Err: err}
		} else {
			w.done <- results[i]
		}
	}
}

func (c *committer) transaction(ctx context.Context, batch []*waiter) ([]Result, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	commits := make([]Commit, len(batch))
	for i, w := range batch {
		commits[i] = w.commit
	}
	return c.store.Publish(ctx, commits)
}
