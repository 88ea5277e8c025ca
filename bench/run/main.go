// Command run measures Sluice beside its peers: it builds the real program, fills it with a generated channel,
// measures the rows that are asked for, keeps the figures of each row in bench/results, and writes
// bench/RESULTS.md from all that are kept. "make bench" starts it in the repository's folder.
//
// A row is one file here. Each runs both sides in alternation and tells ratios, for a machine's mood of the
// minute is the same for both halves of a pair.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// rows are those of the table, in its order.
func rows() []row {
	return []row{
		uploadShards(), uploadRepodata(), burst(), fullIndex(), serveMemory(), servePackages(), solve(), fleet(), memory(), importing(), start(), attestation(), verifying(),
	}
}

// row is one row of the table.
type row struct {
	// name is how the row is asked for.
	name string
	// what is measured, and beside what; nothing where a figure stands by itself.
	what, beside string
	// records is the size of the channel unless another is asked for; 0: the row needs no filled channel.
	records int
	// pairs is how many pairs are run unless another number is asked for.
	pairs int
	// measure measures at so many records.
	measure func(ctx context.Context, b *bench) ([]Line, error)
	// notes say what a reader must know of how it was measured.
	notes []string
}

// bench is what a row is measured with.
type bench struct {
	// records and pairs are those of the row at hand.
	records, pairs int
	// time is how long one load lasts.
	time time.Duration
	// root is the repository, cache a folder that outlives runs, scratch one that does not, on the same disk.
	root, cache, scratch string
	// program is the built sluice.
	program string
	// log tells whoever waits how far it is.
	log io.Writer
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.log, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("bench/run", flag.ContinueOnError)
	names := flags.String("rows", "", "rows to measure, by commas; all by default, \"none\" only writes RESULTS.md anew")
	records := flags.Int("n", 0, "packages in the channel in place of each row's own number")
	pairs := flags.Int("pairs", 0, "pairs in place of each row's own number")
	seconds := flags.Int("seconds", 5, "length of one load of requests")
	results := flags.String("results", "", "folder of RESULTS.md and results/ (default bench; with -n bench/.cache/trial)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*names)
	if err != nil {
		return err
	}
	b := &bench{time: time.Duration(*seconds) * time.Second, log: log}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.scratch) }() // a temporary folder less is no failure
	if *results == "" {
		*results = b.keep(*records)
	}
	for _, r := range chosen {
		if err := b.measure(ctx, r, *records, *pairs, *results); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	b.say("written to %s", *results)
	return render(*results)
}

// keep is where results go: those of a trial at another size must not replace those that count.
func (b *bench) keep(records int) string {
	if records > 0 {
		return filepath.Join(b.cache, "trial")
	}
	return filepath.Join(b.root, "bench")
}

// choose finds the rows by their names.
func choose(names string) (chosen []row, err error) {
	switch names {
	case "":
		return rows(), nil
	case "none":
		return nil, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(rows(), func(r row) bool { return r.name == name })
		if i < 0 {
			var all []string
			for _, r := range rows() {
				all = append(all, r.name)
			}
			return nil, fmt.Errorf("there is no row %q; there are %s", name, strings.Join(all, ", "))
		}
		chosen = append(chosen, rows()[i])
	}
	return chosen, nil
}

// prepare makes folders and the program.
func (b *bench) prepare(ctx context.Context) (err error) {
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.root, "cmd", "sluice")); err != nil {
		return fmt.Errorf("run it in the repository's folder, as make bench does: %w", err)
	}
	b.cache = filepath.Join(b.root, "bench", ".cache")
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return err
	}
	if b.scratch, err = os.MkdirTemp(b.cache, "scratch-"); err != nil {
		return err
	}
	return b.build(ctx)
}

// measure measures one row and keeps what came of it.
func (b *bench) measure(ctx context.Context, r row, records, pairs int, results string) error {
	b.records, b.pairs = r.records, r.pairs
	if records > 0 && r.records > 0 {
		b.records = records
	}
	if pairs > 0 {
		b.pairs = pairs
	}
	b.say("%s: %s at %d packages, %d pairs", r.name, r.what, b.records, b.pairs)
	setup, err := b.setup(ctx)
	if err != nil {
		return err
	}
	lines, err := r.measure(ctx, b)
	if err != nil {
		return err
	}
	return Result{
		Row: r.name, What: r.what, Beside: r.beside, Records: b.records, Meant: r.records, Setup: setup, Lines: lines, Notes: r.notes,
	}.write(results)
}
