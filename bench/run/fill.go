package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sluice/bench/generate"
	"sluice/bench/peer"
)

// seed is that of every channel measured.
const seed = 1

func channelOf(records int) (*generate.Channel, error) {
	return generate.New(generate.Spec{Records: records, Seed: seed})
}

// packages returns the folder of a generated channel, SUBDIR/FILE with repodata.json, which is all that an import
// needs. It is made once and kept: nobody may write there.
func (b *bench) packages(ctx context.Context, records int) (string, error) {
	return b.once(fmt.Sprintf("channel-%d", records), func(dir string) error {
		c, err := channelOf(records)
		if err != nil {
			return err
		}
		return generate.WriteChannel(ctx, dir, c.Packages())
	})
}

// once returns a folder of the cache, which is filled where it is not there. It appears whole or not at all.
// Whoever changes how a server keeps its data in ways that no migration brings up to date removes bench/.cache.
func (b *bench) once(name string, fill func(dir string) error) (string, error) {
	dir := filepath.Join(b.cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	b.say("make %s", name)
	unfinished, err := os.MkdirTemp(b.scratch, name)
	if err != nil {
		return "", err
	}
	if err := fill(unfinished); err != nil {
		return "", err
	}
	return dir, os.Rename(unfinished, dir)
}

// filled returns a home on SQLite whose channel has so many packages. It is the caller's to change: a copy of one
// that is made once, in which packages are links, since no server changes them.
func (b *bench) filled(ctx context.Context, records int) (home, error) {
	dir, err := b.once(fmt.Sprintf("data-%d", records), func(dir string) error {
		h, err := b.empty(ctx, home{data: filepath.Join(dir, "data")})
		if err != nil {
			return err
		}
		from, err := b.packages(ctx, records)
		if err != nil {
			return err
		}
		if _, err := b.fill(ctx, from, h); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "token"), []byte(h.token), 0o600)
	})
	if err != nil {
		return home{}, err
	}
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return home{}, err
	}
	data, err := os.MkdirTemp(b.scratch, "data-")
	if err != nil {
		return home{}, err
	}
	return home{data: data, token: string(token)}, clone(filepath.Join(dir, "data"), data, "blobs")
}

// empty gives a home an account, whose token it returns with it, and an empty channel.
func (b *bench) empty(ctx context.Context, h home) (home, error) {
	if _, _, err := b.sluice(ctx, h, "admin", "user", "add", "ann", "--no-password"); err != nil {
		return home{}, err
	}
	var err error
	if h.token, _, err = b.sluice(ctx, h, "admin", "token", "create", "--user", "ann", "--scope", "upload,manage"); err != nil {
		return home{}, err
	}
	s, err := b.serve(ctx, h)
	if err != nil {
		return home{}, err
	}
	defer s.kill()
	c := newClient(s.url, h.token, 1)
	defer c.close()
	if err := c.create(ctx); err != nil {
		return home{}, err
	}
	return h, s.stop()
}

// fill puts every package of a folder into the channel of a home that nobody serves, and returns what the program
// took for it.
func (b *bench) fill(ctx context.Context, from string, h home) (peer.Usage, error) {
	_, u, err := b.sluice(ctx, h, "import", from, "--channel", channelName)
	return u, err
}

// uploadAll uploads the packages 0 to n-1 from so many clients at once.
func (s *server) uploadAll(ctx context.Context, clients, n int, file func(i int) (name string, body []byte, err error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c := newClient(s.url, s.token, 1)
			defer c.close()
			for i := range todo {
				name, body, err := file(i)
				if err == nil {
					err = c.upload(ctx, name, body)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		todo <- i
	}
	close(todo)
	wg.Wait()
	return context.Cause(ctx)
}

// unindexed is a new folder of the row's packages and no index, for an indexer to write into.
func (b *bench) unindexed(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp(b.scratch, "folder-")
	if err != nil {
		return "", err
	}
	return dir, b.link(ctx, dir)
}

// link puts links to the row's packages below a folder. The repodata.json is left out: an indexer would take it up,
// and whoever writes it would write into the kept one.
func (b *bench) link(ctx context.Context, dir string) error {
	from, err := b.packages(ctx, b.records)
	if err != nil {
		return err
	}
	if err := clone(from, dir, "."); err != nil {
		return err
	}
	for _, s := range subdirs() {
		if err := os.Remove(filepath.Join(dir, s, repodataJSON)); err != nil {
			return err
		}
	}
	return nil
}

// clone copies a folder. What lies below the folder named links is linked, not copied.
func clone(from, to, links string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case rel == links || strings.HasPrefix(rel, links+"/") || links == ".":
			return os.Link(path, target)
		default:
			return copyFile(path, target)
		}
	})
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
