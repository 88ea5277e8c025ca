package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"sluice/internal/conda/build"
	"sluice/internal/servertest"
)

// Whoever was answered 2xx finds the package in every file at once, while others publish beside; and whoever
// reads meanwhile sees files that agree.
func TestWritesAreReadByTheirWriters(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		const uploaders, each = 6, 8
		var uploads, reads sync.WaitGroup
		done := make(chan struct{})
		reads.Go(func() { w.readUntil(t, done) })
		for u := range uploaders {
			uploads.Go(func() {
				for i := range each {
					// Names of one's own, and one that all share.
					w.writeAndRead(t, []string{fmt.Sprintf("tide%d", u), "tide-all"}[i%2], fmt.Sprintf("%d.%d", u, i))
				}
			})
		}
		uploads.Wait()
		close(done)
		reads.Wait()
		x, err := servertest.ReadIndex(t.Context(), w.URL+"/forge/noarch", "")
		if err != nil || len(x.Records) != uploaders*each || x.Shards != uploaders+1 {
			t.Errorf("in the end: %+v %v", x, err)
		}
	})
}

func (w *world) writeAndRead(t *testing.T, name, version string) {
	t.Helper()
	filename, body := packageOf(t, name, func(p *build.Package) { p.Version = version })
	if status, said := w.do(t, w.post(t, "forge", w.ci, filePart(filename, "", body))); status != http.StatusOK {
		t.Errorf("%s: %d %s", filename, status, said)
		return
	}
	if err := servertest.Listed(t.Context(), w.URL+"/forge/noarch", "", name, filename); err != nil {
		t.Errorf("%s was taken, but: %v", filename, err)
	}
}

// readUntil reads all files again and again. Those of one generation must agree, and records never go.
func (w *world) readUntil(t *testing.T, done <-chan struct{}) {
	whole, last := 0, 0
	for {
		x, err := servertest.ReadIndex(t.Context(), w.URL+"/forge/noarch", "")
		switch {
		case errors.Is(err, servertest.ErrMoved):
		case err != nil:
			t.Error(err)
		case len(x.Records) < last:
			t.Errorf("%d records after %d", len(x.Records), last)
		default:
			last = len(x.Records)
			whole++
		}
		select {
		case <-done:
			t.Logf("%d times all files were of one generation", whole)
			return
		default:
		}
	}
}
