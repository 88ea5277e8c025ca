package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"sluice/bench/peer"
	"sluice/internal/conda/build"
)

func servePackages() row {
	return row{
		name: "serve-packages", what: "serving packages from the folder", beside: "nginx on the same files",
		pairs: 7, measure: measureServePackages,
		notes: []string{"16 connections that are kept, 2 for files from 1 MB up."},
	}
}

func measureServePackages(ctx context.Context, b *bench) ([]Line, error) {
	data, err := os.MkdirTemp(b.scratch, "data-")
	if err != nil {
		return nil, err
	}
	h, err := b.empty(ctx, home{data: data})
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, h)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	root, err := os.MkdirTemp(b.scratch, "static-")
	if err != nil {
		return nil, err
	}
	nginx, err := peer.StartNginx(ctx, root, nil)
	if err != nil {
		return nil, err
	}
	defer nginx.Stop()
	var lines []Line
	for _, p := range noises() {
		path, err := publishNoise(ctx, s, root, p)
		if err != nil {
			return nil, err
		}
		l, err := b.ask(ctx, s.url, nginx.URL, question{name: "a package", paths: []string{path}, small: 0.4})
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// noises are packages of about 2 kB, 20 kB, 1 MB and 50 MB.
func noises() (packages []build.Package) {
	for _, noise := range []int64{1_000, 19_000, 1_100_000, 50_000_000} {
		packages = append(packages, build.Package{Name: "noise-" + strconv.FormatInt(noise, 10), Version: "1.0", Build: "0", Subdir: "linux-64", Noise: noise})
	}
	return packages
}

// publishNoise puts the package on both sides and returns its path.
func publishNoise(ctx context.Context, s *server, root string, p build.Package) (string, error) {
	body, err := p.Conda()
	if err != nil {
		return "", err
	}
	c := newClient(s.url, s.token, 1)
	defer c.close()
	name := p.Stem() + ".conda"
	if err := c.upload(ctx, name, body); err != nil {
		return "", err
	}
	path := in(p.Subdir, name)
	if err := os.MkdirAll(filepath.Join(root, in(p.Subdir, "")), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(filepath.Join(root, path), body, 0o644)
}
