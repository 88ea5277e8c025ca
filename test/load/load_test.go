// Package load sends large packages and slow ones through the built program, and watches what memory it
// takes and what it leaves behind. The long tests need the flag -large; "make load" gives it.
package load

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/test/process"
)

var large = flag.Bool("large", false, "also run what takes minutes and gigabytes")

// memory is what the server may have resident at any moment, in bytes.
const memory = 200 << 20

// server is a running server with a channel, and an account's token for it.
type server struct {
	*process.Server
	token string
}

func start(t *testing.T, args ...string) server {
	t.Helper()
	p := process.Start(t, process.Options{Data: t.TempDir(), Args: args})
	p.Admin(t, "user", "add", "ann", "--no-password")
	token := p.Admin(t, "token", "create", "--user", "ann", "--scope", "upload,manage")
	p.API(t, token, http.MethodPost, "/api/v1/channels", map[string]any{"name": "forge"})
	return server{p, token}
}

// pkg is a package in a file.
type pkg struct {
	name, path string
	size       int64
	sum        [32]byte
}

// write makes a package with so much in it that does not compress.
func write(t *testing.T, name, ext string, noise int64) pkg {
	t.Helper()
	b := build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Noise: noise}
	p := pkg{name: b.Stem() + ext, path: filepath.Join(t.TempDir(), "package")}
	f, err := os.Create(p.path)
	if err != nil {
		t.Fatal(err)
	}
	sum, buffered := sha256.New(), bufio.NewWriterSize(f, 1<<20)
	to, assemble := io.MultiWriter(sum, buffered), b.WriteConda
	if ext == conda.ExtTarBz2 {
		assemble = b.WriteTarBz2
	}
	if err := errors.Join(assemble(to), buffered.Flush()); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	p.size = info.Size()
	sum.Sum(p.sum[:0])
	return p
}

// send uploads a package and expects success.
func (s server) send(t *testing.T, p pkg, raw bool) {
	t.Helper()
	f, err := os.Open(p.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	begin := time.Now()
	status, said, err := s.Send(t.Context(), process.Upload{
		Channel: "forge", Bearer: s.token, Filename: p.name, Body: f, Size: p.size, SHA256: p.sum, Raw: raw,
	})
	if err != nil || status != http.StatusOK {
		t.Errorf("upload of %s: %d %s %v", p.name, status, said, err)
		return
	}
	t.Logf("%s, %d MiB up in %.1f s, peak so far %d MiB", p.name, p.size>>20, time.Since(begin).Seconds(), s.PeakRSS(t)>>20)
}

// fetch downloads a package and compares its digest.
func (s server) fetch(t *testing.T, p pkg) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/forge/noarch/"+p.name, nil)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil || [32]byte(sum.Sum(nil)) != p.sum {
		t.Errorf("download of %s: %s, %d bytes of %d, %v", p.name, res.Status, n, p.size, err)
	}
	t.Logf("%s, %d MiB down in %.1f s, peak so far %d MiB", p.name, n>>20, time.Since(begin).Seconds(), s.PeakRSS(t)>>20)
}

// modest checks the memory that the server took at most.
func (s server) modest(t *testing.T) {
	t.Helper()
	if peak := s.PeakRSS(t); peak > memory {
		t.Errorf("at most %d MiB were resident, want no more than %d", peak>>20, memory>>20)
	}
}

// The short form of the promise: a package that would not fit into the memory that may be used.
func TestMemoryDoesNotGrowWithThePackage(t *testing.T) {
	s := start(t)
	for i, raw := range []bool{false, true} {
		p := write(t, fmt.Sprintf("tide%d", i), conda.ExtConda, 256<<20)
		s.send(t, p, raw)
		s.fetch(t, p)
	}
	s.modest(t)
}

func TestLargeGigabyte(t *testing.T) {
	needLarge(t)
	s := start(t)
	for i, raw := range []bool{false, true} {
		p := write(t, fmt.Sprintf("tide%d", i), conda.ExtConda, 1<<30)
		s.send(t, p, raw)
		s.fetch(t, p)
	}
	s.modest(t)
}

// bzip2 takes seconds for each of these 64 MiB.
func TestLargeTarBz2(t *testing.T) {
	needLarge(t)
	s := start(t)
	p := write(t, "tide", conda.ExtTarBz2, 64<<20)
	s.send(t, p, false)
	s.fetch(t, p)
	s.modest(t)
}

func TestLargeUploadsAtOnce(t *testing.T) {
	needLarge(t)
	s := start(t)
	var packages []pkg
	for i := range 4 {
		packages = append(packages, write(t, fmt.Sprintf("tide%d", i), conda.ExtConda, 200<<20))
	}
	var wg sync.WaitGroup
	for i, p := range packages {
		wg.Go(func() { s.send(t, p, i%2 == 0) })
	}
	wg.Wait()
	for _, p := range packages {
		wg.Go(func() { s.fetch(t, p) })
	}
	wg.Wait()
	s.modest(t)
}

func needLarge(t *testing.T) {
	t.Helper()
	if !*large {
		t.Skip("takes minutes and gigabytes: make load")
	}
}
