package db_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/blob"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/index"
	"sluice/internal/publish"
)

// modelWorld is a database, its bytes, and the model of what is in it.
type modelWorld struct {
	*fixture
	rand  *rand.Rand
	model *model
	// index is read through as a server does, with little memory, so that what is kept goes, too.
	index  *index.Index
	blobs  *blob.Folder
	keep   *curate.Curator
	places []index.Place
	keys   []curate.Key
	made   map[string]*modelPackage
	stats  map[string]int
	steps  int
	// readers takes the places that readers look at.
	readers chan index.Place
	// archive keeps all bytes that ever were.
	archive *blob.Folder
}

// folder is an empty store of bytes.
func folder(t *testing.T, referenced blob.References) *blob.Folder {
	t.Helper()
	root := must(os.OpenRoot(t.TempDir()))(t)
	t.Cleanup(func() { _ = root.Close() })
	return must(blob.NewFolder(root, referenced))(t)
}

func newModelWorld(t *testing.T, f *fixture, seed uint64) *modelWorld {
	t.Helper()
	f.replaceable(t)
	w := &modelWorld{
		fixture: f, rand: rand.New(rand.NewPCG(seed, 0)), index: index.New(f.DB, 1<<20), blobs: folder(t, f.Referenced), keep: &curate.Curator{Store: f.DB},
		model: &model{made: f.channel.CreatedAt, places: map[index.Place]modelPlace{}, files: map[curate.Key]*modelFile{}},
		made:  map[string]*modelPackage{}, stats: map[string]int{},
	}
	for _, s := range []string{"noarch", "linux-64"} {
		d := must(conda.ParseSubdir(s))(t)
		for _, l := range []string{"main", "dev", "rc"} {
			w.places = append(w.places, index.Place{ChannelID: f.channel.ID, Label: label(t, l), Subdir: d})
		}
		for _, name := range []string{"tide", "tide-x", "tide.x", "_ebb", "ebb2", "a", "zz", "r-base"} {
			for _, version := range []string{"1.0", "1.1rc1", "2"} {
				for _, ext := range []string{conda.ExtConda, conda.ExtTarBz2} {
					w.keys = append(w.keys, curate.Key{Subdir: d, File: must(conda.ParseFilename(name + "-" + version + "-0" + ext))(t)})
				}
			}
		}
	}
	return w
}

// pkg makes a package. Those of half of the names have records so long that a handful fills a piece. Variant 1 has
// other bytes than variant 0, variant 2 other dependencies, variant 3 needs revision 3.
func (w *modelWorld) pkg(t *testing.T, key curate.Key, variant int) *modelPackage {
	t.Helper()
	id := fmt.Sprint(key.Subdir, key.File, variant)
	if p := w.made[id]; p != nil {
		return p
	}
	f := key.File
	p := build.Package{Name: f.Name(), Version: f.Version(), Build: f.Build(), Subdir: key.Subdir.String(), License: fmt.Sprint("MIT-", variant), Depends: []string{"python"}}
	if len(f.Name())%2 == 0 {
		for i := range 700 {
			p.Depends = append(p.Depends, fmt.Sprintf("library-%03d", i))
		}
		p.RunExports.Weak = p.Depends[:200]
	}
	if variant == 2 {
		p.Depends = append(p.Depends, "other")
	}
	if variant == 3 {
		p.Info = map[string][]byte{"index.json": must(json.Marshal(map[string]any{
			"name": p.Name, "version": p.Version, "build": p.Build, "build_number": 0, "subdir": p.Subdir, "depends": p.Depends, "flags": []string{"cuda"},
		}))(t)}
	}
	write := p.Conda
	if f.Ext() == conda.ExtTarBz2 {
		write = p.TarBz2
	}
	body := must(write())(t)
	lim := artifact.DefaultLimits()
	lim.Now = w.clock.now()
	read := must(artifact.Read(t.Context(), bytes.NewReader(body), int64(len(body)), f, lim))(t)
	c := w.commit(t, key.Subdir.String(), f.String(), 0)
	c.Record, c.RunExports, c.RawIndex, c.About, c.Traits, c.V3 = read.Record, read.RunExports, read.RawIndex, read.About, read.Traits, read.Record.NeedsV3()
	c.Record.SHA256, c.Record.MD5, c.Record.Size = sha256.Sum256(body), md5.Sum(body), int64(len(body))
	w.made[id] = &modelPackage{Commit: c, bytes: body}
	return w.made[id]
}

// hold puts the bytes of a package into a store.
func hold(t *testing.T, into *blob.Folder, p *modelPackage) blob.Hold {
	t.Helper()
	stage := must(into.Stage(t.Context()))(t)
	if _, err := stage.Write(p.bytes); err != nil {
		t.Fatal(err)
	}
	return must(stage.Keep(t.Context(), p.Record.SHA256))(t)
}

// settled waits for what a cut transaction in a subdir may still be at: a commit on its way to PostgreSQL.
func (w *modelWorld) settled(t *testing.T, d conda.Subdir) {
	t.Helper()
	c := w.commit(t, d.String(), "nobody-1-0.conda", 0)
	c.Right = access.Right{User: &w.ann, APIToken: &account.APIToken{}}
	r := must(w.DB.Publish(t.Context(), []publish.Commit{c}))(t)
	if r[0].Err == nil {
		t.Fatal("a token that nobody made publishes")
	}
}

// checked fails where a check finds a difference.
func (w *modelWorld) checked(t *testing.T, quick bool) {
	t.Helper()
	c := check.New(w.DB, w.blobs)
	found := func(d check.Difference) { t.Errorf("check: %s", d) }
	r := must(c.Channel(t.Context(), w.channel, check.Options{Quick: quick, Found: found}))(t)
	if int(r.Artifacts) != len(w.model.files) {
		t.Errorf("%d artifacts were checked, there are %d", r.Artifacts, len(w.model.files))
	}
	if quick {
		return
	}
	if n := must(c.Blobs(t.Context(), func(s check.Stray) { found(s.Difference) }))(t); n > 0 == (len(w.model.files) == 0) {
		t.Errorf("%d blobs of %d artifacts", n, len(w.model.files))
	}
}

// verifyAll compares everything that readers get.
func (w *modelWorld) verifyAll(t *testing.T) {
	t.Helper()
	for _, p := range w.places {
		w.verify(t, p)
	}
	w.verifyLines(t)
	w.verifyBytes(t)
}

// pieces is how many there are of the largest series.
func (w *modelWorld) pieces(t *testing.T) (n int64) {
	t.Helper()
	for _, p := range w.places {
		for _, sums := range must(w.State(t.Context(), p))(t).Stored {
			n = max(n, sums.Pieces)
		}
	}
	return n
}

// summary is what was done how often.
func (w *modelWorld) summary() string {
	b, _ := json.Marshal(w.stats) // strings and numbers
	return strings.ReplaceAll(string(b), `"`, "")
}

func withoutEnd(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
