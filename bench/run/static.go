package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sluice/bench/peer"
)

// sides are a filled server and nginx over the same channel as plain files, at the same paths.
type sides struct {
	server *server
	nginx  *peer.Nginx
	root   string
	// shards are the paths of the shards, by subdir and name.
	shards map[string]map[string]string
}

// bothSides starts them. The packages of the static side are links.
func (b *bench) bothSides(ctx context.Context) (_ *sides, err error) {
	h, err := b.filled(ctx, b.records)
	if err != nil {
		return nil, err
	}
	x := &sides{shards: map[string]map[string]string{}}
	if x.server, err = b.serve(ctx, h); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x.stop()
		}
	}()
	if x.root, err = os.MkdirTemp(b.scratch, "static-"); err != nil {
		return nil, err
	}
	if err := b.link(ctx, filepath.Join(x.root, channelName)); err != nil {
		return nil, err
	}
	if err := x.export(ctx); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	x.nginx, err = peer.StartNginx(ctx, x.root, indexPaths())
	return x, err
}

// stop ends both and removes the files.
func (x *sides) stop() {
	x.server.kill()
	if x.nginx != nil {
		x.nginx.Stop()
	}
	_ = os.RemoveAll(x.root) // a temporary folder less is no failure
}

// readers is how many files are read at once while a channel is exported.
const readers = 8

// export writes the server's index files and shards as files.
func (x *sides) export(ctx context.Context) error {
	c := newClient(x.server.url, "", readers)
	defer c.close()
	for _, path := range indexPaths() {
		if err := x.save(ctx, c, path); err != nil {
			return err
		}
	}
	for _, s := range subdirs() {
		index, err := os.ReadFile(filepath.Join(x.root, in(s, shardIndex)))
		if err != nil {
			return err
		}
		if x.shards[s], err = shardPaths(s, index); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(x.root, in(s, "shards")), 0o755); err != nil {
			return err
		}
		if err := x.saveAll(ctx, c, x.shards[s]); err != nil {
			return err
		}
	}
	return nil
}

func (x *sides) saveAll(ctx context.Context, c *client, paths map[string]string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan string)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for path := range todo {
				if err := x.save(ctx, c, path); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, path := range paths {
		todo <- path
	}
	close(todo)
	wg.Wait()
	return context.Cause(ctx)
}

func (x *sides) save(ctx context.Context, c *client, path string) error {
	b, _, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(x.root, path), b, 0o644)
}
