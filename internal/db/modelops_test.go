package db_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
)

var (
	modelSeed = flag.Uint64("model.seed", 0, "seed of the random sequence; 0 takes a new one")
	modelOps  = flag.Int("model.ops", 70, "length of the random sequence: cut it to find the step that goes wrong first")
)

// The database does what the model says, whatever is done in whatever order, and readers meanwhile see nothing that
// does not fit together.
func TestModel(t *testing.T) {
	both(t, func(t *testing.T, f *fixture) {
		seed := *modelSeed
		if seed == 0 {
			seed = rand.Uint64()
		}
		w := newModelWorld(t, f, seed)
		stop := w.read(t)
		defer func() { _ = stop() }()
		for i := range *modelOps {
			w.look(pick(w.rand, w.places...))
			what := w.step(t)
			w.stats[what]++
			if i%20 == 19 {
				w.verifyAll(t)
				w.checked(t, true)
			}
			if t.Failed() {
				t.Fatalf("step %d, %s, went wrong: repeat with -model.seed=%d -model.ops=%d", i+1, what, seed, i+1)
			}
		}
		readings := stop()
		w.index = index.New(f.DB, 64<<20) // nothing of what was kept
		w.verifyAll(t)
		purger := &curate.Purger{Graves: f.DB, Blobs: w.blobs, Now: f.clock.now, Undo: 1000 * time.Hour}
		if err := purger.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.checked(t, false)
		if t.Failed() {
			t.Fatalf("repeat with -model.seed=%d -model.ops=%d", seed, *modelOps)
		}
		if readings == 0 {
			t.Error("nobody read meanwhile")
		}
		t.Logf("seed %d, %d files, at most %d pieces of a series, read %d times: %s", seed, len(w.model.files), w.pieces(t), readings, w.summary())
	})
}

// filling is how many steps fill the channel, before anything is done with what is there.
const filling = 8

// step does one thing at random, and says what.
func (w *modelWorld) step(t *testing.T) string {
	t.Helper()
	w.clock.advance(time.Duration(w.rand.IntN(5000)) * time.Millisecond)
	w.steps++
	switch n := w.rand.IntN(100); {
	case w.steps <= filling:
		return w.upload(t, 6)
	case n < 25:
		return w.upload(t, 1)
	case n < 40:
		return w.upload(t, 2+w.rand.IntN(6))
	case n < 92:
		return w.curate(t)
	case n < 95:
		before := w.clock.now().Add(-time.Duration(w.rand.IntN(60)) * time.Second)
		must(w.PurgeDeleted(t.Context(), before, 1000))(t)
		w.model.purge(before)
		return "purge"
	case n < 98:
		w.clock.advance(-time.Duration(w.rand.IntN(20_000)) * time.Millisecond)
		return "clock back"
	default:
		must(w.Sweep(t.Context()))(t)
		return "sweep"
	}
}

// pick returns one of several.
func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// cut returns a context that ends, now and then, in the middle of what is done under it.
func (w *modelWorld) cut(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	if w.rand.IntN(12) > 0 {
		return t.Context(), func() {}
	}
	return context.WithTimeout(t.Context(), time.Duration(w.rand.IntN(8000))*time.Microsecond)
}

// upload publishes several files of one subdir in one transaction.
func (w *modelWorld) upload(t *testing.T, n int) string {
	t.Helper()
	what := fmt.Sprint("upload ", min(n, 2))
	subdir := pick(w.rand, w.places...).Subdir
	var all []publish.Commit
	var pkgs []*modelPackage
	for len(all) < n {
		key := pick(w.rand, w.keys...)
		if key.Subdir != subdir {
			continue
		}
		p := w.pkg(t, key, pick(w.rand, 0, 0, 0, 0, 1, 1, 2, 3))
		c := p.Commit
		c.Channel = w.channel
		c.Event.Facts = map[string]string{}
		c.Labels = pick(w.rand, labels(t, "main"), labels(t, "main"), labels(t, "main"), labels(t, "dev"), labels(t, "main", "rc"), nil)
		c.Force = w.rand.IntN(4) == 0
		if w.rand.IntN(6) == 0 {
			what = "import"
			w.imported(&c)
		}
		if w.rand.IntN(8) == 0 {
			c.Patch = w.patch()
		}
		all, pkgs = append(all, c), append(pkgs, p)
	}
	holds := make([]blob.Hold, n)
	for i, p := range pkgs {
		holds[i] = hold(t, w.blobs, p)
	}
	next := w.model.clone()
	codes := next.publish(w.channel.ID, w.clock.now(), all, pkgs)
	ctx, cancel := w.cut(t)
	defer cancel()
	results, err := w.DB.Publish(ctx, all)
	if err != nil {
		what = "cut " + what
	} else {
		for i, r := range results {
			if got := codeOf(r); got != codes[i] {
				t.Errorf("upload of %s (variant %d): %q %v, want %q", all[i].File, i, got, r.Err, codes[i])
			}
			w.stats[string(codes[i])]++
		}
	}
	w.adopt(t, ctx, err, next, subdir)
	for i := range all {
		if err := holds[i].Release(withoutEnd(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	return what
}

func codeOf(r publish.Result) fault.Code {
	switch {
	case r.Err != nil:
		return fault.CodeOf(r.Err)
	case r.Already:
		return already
	}
	return ""
}

func labels(t *testing.T, names ...string) (out []conda.Label) {
	t.Helper()
	for _, n := range names {
		out = append(out, label(t, n))
	}
	return out
}

// imported makes an import of an upload.
func (w *modelWorld) imported(c *publish.Commit) {
	c.Right, c.Grants = access.Right{}, nil
	c.Import = &publish.Import{Source: "elsewhere", Yanked: w.rand.IntN(3) == 0}
	if w.rand.IntN(2) == 0 {
		c.Import.UploadedAt = w.clock.now().Add(-time.Hour * time.Duration(w.rand.IntN(1000))).Truncate(time.Second)
		c.Import.IndexedAt = c.Import.UploadedAt.Add(time.Minute)
	}
}

func (w *modelWorld) patch() conda.Patch {
	license, constrains := pick(w.rand, "GPL", "BSD"), []string{"ebb"}
	return pick(w.rand, conda.Patch{License: &license}, conda.Patch{Constrains: &constrains}, conda.Patch{License: &license, Constrains: &constrains}, conda.Patch{})
}

// adopt takes over what the model says follows, unless the transaction was cut before it was committed.
func (w *modelWorld) adopt(t *testing.T, ctx context.Context, err error, next *model, subdirs ...conda.Subdir) { //nolint:revive // testing.TB goes first in tests
	t.Helper()
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	if err != nil {
		for _, d := range subdirs {
			w.settled(t, d)
		}
		if !w.happened(t, next) {
			return
		}
	}
	changed := []index.Place{}
	for p, g := range next.places {
		if w.model.places[p] != g {
			changed = append(changed, p)
		}
	}
	w.model = next
	for _, p := range changed {
		w.verify(t, p)
	}
}

// happened reports whether what was cut was committed: then the places are those of the next model.
func (w *modelWorld) happened(t *testing.T, next *model) bool {
	t.Helper()
	for p, g := range next.places {
		if w.model.places[p] != g {
			now, _, err := w.Generation(t.Context(), p)
			return must(now.Number == g.number, err)(t)
		}
	}
	return w.stateOf(t) == next.states()
}

// curate does something with up to four files that are there.
func (w *modelWorld) curate(t *testing.T) string {
	t.Helper()
	var there []curate.Key
	for _, k := range w.keys {
		if f := w.model.files[k]; f != nil && (!f.purged || w.rand.IntN(20) == 0) {
			there = append(there, k)
		}
	}
	if len(there) == 0 {
		return "nothing"
	}
	w.rand.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
	some := there[:min(len(there), 1+w.rand.IntN(4))]
	c := curate.Change{
		Kind: pick(w.rand, curate.Yank, curate.Unyank, curate.Delete, curate.Restore, curate.Restore, curate.List, curate.List, curate.TakeOut, curate.Move, curate.Patch),
	}
	switch c.Kind {
	case curate.Yank, curate.Delete:
		c.Reason = "no good"
	case curate.List, curate.TakeOut:
		c.Label = pick(w.rand, w.places...).Label
	case curate.Move:
		c.Label, c.To = label(t, "dev"), pick(w.rand, label(t, "main"), label(t, "rc"))
	case curate.Patch:
		c.Patch = w.patch()
	case curate.Unyank, curate.Restore:
	}
	next := w.model.clone()
	changed, refused := next.curate(w.channel.ID, w.clock.now(), some, c)
	ctx, cancel := w.cut(t)
	defer cancel()
	out, err := w.keep.Do(ctx, audit.Actor{Kind: audit.User, Name: "ann"}, w.channel, curate.Selection{Files: some}, c)
	if _, is := errors.AsType[*fault.Error](err); is || refused != "" && err == nil {
		if got := fault.CodeOf(err); got != refused {
			t.Errorf("%s of %v: %v, want %q", c.Kind, some, err, refused)
		}
		return string(c.Kind) + " " + string(refused)
	}
	if err == nil && len(out.Changed) != changed {
		t.Errorf("%s of %v changed %d, want %d", c.Kind, some, len(out.Changed), changed)
	}
	if refused != "" { // cut before it could be refused
		return "cut " + string(c.Kind)
	}
	var subdirs []conda.Subdir
	for _, k := range some {
		subdirs = append(subdirs, k.Subdir)
	}
	w.adopt(t, ctx, err, next, subdirs...)
	if err != nil {
		return "cut " + string(c.Kind)
	}
	return string(c.Kind)
}

// stateOf is what the files are, as the database has it.
func (w *modelWorld) stateOf(t *testing.T) string {
	t.Helper()
	var all []string
	for _, a := range must(w.ArtifactsAfter(t.Context(), w.channel.ID, 0, 1000))(t) {
		all = append(all, fmt.Sprintf("%s/%s %x %v %v %v %d", a.Subdir, a.File, a.SHA256, a.Yanked, a.Deleted, a.Purged, len(asText(a.Patch))))
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// states is the same of a model.
func (m *model) states() string {
	var all []string
	for k, f := range m.files {
		all = append(all, fmt.Sprintf("%s/%s %x %v %v %v %d", k.Subdir, k.File, f.pkg.Record.SHA256, f.yanked, f.deleted, f.purged, len(asText(f.patch))))
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}
