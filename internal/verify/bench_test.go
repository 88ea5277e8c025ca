//go:build unix

package verify_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice/internal/conda/build"
	"sluice/internal/verify"
)

var (
	benchFiles = flag.Int("verify.files", 200, "how many attested files BenchmarkChannel looks at")
	benchBytes = flag.Int("verify.bytes", 64<<10, "how many bytes each of them has, about")
)

// BenchmarkChannel looks at a channel of attested files, all of which are as they should be.
func BenchmarkChannel(b *testing.B) {
	w := newWorld(b, false)
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			random := rand.NewChaCha8([32]byte{byte(worker)})
			for n := worker; n < *benchFiles; n += 4 {
				payload := make([]byte, *benchBytes)
				_, _ = random.Read(payload) // it never fails
				p := build.Package{Name: fmt.Sprintf("tide-%05d", n), Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", Files: map[string][]byte{"share/x": payload}}
				body, err := p.Conda()
				if err != nil {
					b.Error(err)
					return
				}
				f := file{p.Stem() + ".conda", body}
				w.publish(b, f, w.sign(w.run, f, w.URL+"/forge"))
			}
		})
	}
	workers.Wait()
	for _, s := range []verify.Selection{{}, {Quick: true}} {
		b.Run(fmt.Sprintf("quick=%v", s.Quick), func(b *testing.B) {
			var sum verify.Summary
			began := processorTime(b)
			for b.Loop() {
				sum = verify.Summary{}
				err := w.own(b).Channel(context.Background(), w.forge, s, func(r verify.Report) error { sum.Add(r); return nil })
				if err != nil || sum.OK != int64(*benchFiles) {
					b.Fatalf("%+v, %v", sum, err)
				}
			}
			b.SetBytes(sum.Bytes)
			b.ReportMetric(float64((processorTime(b)-began).Microseconds())/1000/float64(sum.Files())/float64(b.N), "cpu-ms/file")
			b.ReportMetric(float64(sum.Files())*float64(b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}

// processorTime is what the process has used of all cores so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
