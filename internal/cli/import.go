package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/config"
	"sluice/internal/fault"
	"sluice/internal/importing"
	"sluice/internal/publish"
	"sluice/internal/trust"
)

type importCommand struct {
	configFlags
	sourceFlags
	Source       string      `arg:"" help:"Folder of a channel, or its address: anything with SUBDIR/repodata.json in it."`
	Channel      channelName `required:"" placeholder:"NAME" help:"Channel of this server that takes the packages."`
	Owner        string      `placeholder:"ACCOUNT" help:"Make the channel where there is none, owned by this account."`
	Private      bool        `help:"With --owner: only members may read the new channel."`
	Subdir       []string    `placeholder:"SUBDIR" sep:"none" help:"Bring in this subdir only; may be repeated (default: all)."`
	Label        []string    `placeholder:"LABEL" sep:"none" help:"Bring in this label; may be repeated (default: main, and those that the source names)."`
	Jobs         int         `default:"8" placeholder:"N" help:"How many packages are fetched at once (default 8)."`
	Attestations string      `enum:"keep,require,none" default:"keep" placeholder:"WHAT" help:"What becomes of attestations that the source has: keep those that hold, require that every file has some and all hold, or none (default keep)."`
	Legacy       bool        `help:"Ask for FILE.v0.sigs where the index names no attestations, as prefix.dev has them."`
	Report       string      `placeholder:"FILE" help:"Write what became of each file to this file, a JSON object a line."`
	DryRun       bool        `name:"dry-run" help:"Say what would be brought in, and fetch nothing."`
}

// Run brings the packages in, and says what became of them.
func (c *importCommand) Run(ctx context.Context, s Streams) (err error) {
	in, err := c.parse()
	if err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	source, done, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	d, err := openData(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.folder.Lock("importing into channel " + string(c.Channel)); err != nil {
		return err
	}
	blobs, err := openBlobs(ctx, d, newLogger(cfg, s.Err))
	if err != nil {
		return err
	}
	ch, err := c.channel(ctx, d)
	if err != nil {
		return err
	}
	in.Source, in.Channel, in.Store, in.Blobs = source, ch, d.db, blobs
	if in.Judge, err = c.judge(ctx, cfg, d); err != nil {
		return err
	}
	in.Limits, in.MaxSize = artifact.DefaultLimits(), int64(cfg.UploadMax)
	in.Limits.Memory = publish.NewMemory(in.Limits)
	return c.run(ctx, s, in)
}

// judge checks attestations by the keys that the server used last.
func (c *importCommand) judge(ctx context.Context, cfg config.Config, d *data) (publish.Judge, error) {
	checker, err := keptRoots(ctx, cfg, d)
	return publish.Judge{Attest: checker, Signers: &trust.Publishers{Store: d.db, Now: time.Now}, Now: time.Now}, err
}

// parse reads what names labels and subdirs.
func (c *importCommand) parse() (in importing.Config, err error) {
	for _, s := range c.Label {
		l, err := conda.ParseLabel(s)
		if err != nil {
			return in, err
		}
		in.Labels = append(in.Labels, l)
	}
	for _, s := range c.Subdir {
		d, err := conda.ParseSubdir(s)
		if err != nil {
			return in, err
		}
		in.Subdirs = append(in.Subdirs, d)
	}
	const most = 256
	if c.Jobs < 1 || c.Jobs > most {
		return in, fmt.Errorf("--jobs is %d: use 1 to %d", c.Jobs, most)
	}
	in.Attestations, in.Legacy = importing.Attestations(c.Attestations), c.Legacy
	in.Jobs, in.DryRun, in.Actor, in.Now = c.Jobs, c.DryRun, operator, time.Now
	return in, nil
}

// open opens the source.
func (c *importCommand) open() (importing.Source, func() error, error) {
	credential, err := c.credential(os.Getenv)
	if err != nil {
		return nil, nil, err
	}
	if strings.Contains(c.Source, "://") {
		w, err := importing.OpenWeb(c.Source, credential)
		return w, func() error { return nil }, err
	}
	f, err := importing.OpenFolder(c.Source)
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}

// channel finds the channel, or makes it.
func (c *importCommand) channel(ctx context.Context, d *data) (channel.Channel, error) {
	name, err := conda.ParseChannel(string(c.Channel))
	if err != nil {
		return channel.Channel{}, err
	}
	ch, err := d.db.ChannelByName(ctx, name)
	switch {
	case !fault.Is(err, fault.NotFound):
		return ch, err
	case c.Owner == "":
		return ch, fmt.Errorf("there is no channel %s in %s: make it, or have it made here with --owner ACCOUNT", name, d.place())
	case c.DryRun:
		return channel.Channel{Name: name}, nil
	}
	owner, _, err := d.db.UserByName(ctx, c.Owner)
	if fault.Is(err, fault.NotFound) {
		return ch, fmt.Errorf("there is no account %s: make it with: sluice admin user add %s", c.Owner, c.Owner)
	} else if err != nil {
		return ch, err
	}
	visibility := channel.Public
	if c.Private {
		visibility = channel.Private
	}
	return (&channel.Channels{Store: d.db, Now: time.Now}).Create(ctx, operator, owner.ID, string(c.Channel), visibility, "")
}

// run imports, shows progress meanwhile, and prints the end report.
func (c *importCommand) run(ctx context.Context, s Streams, in importing.Config) (err error) {
	lines, err := openReport(c.Report)
	if err != nil {
		return err
	}
	var firstRefused, firstLeft, firstKept []importing.Line
	in.Progress, in.Report = &importing.Progress{}, func(l importing.Line) {
		lines.write(l)
		if l.Why != "" && len(firstRefused) < shownRefusals {
			firstRefused = append(firstRefused, l)
		}
		if len(l.LeftOut) > 0 && len(firstLeft) < shownRefusals {
			firstLeft = append(firstLeft, l)
		}
		if len(l.KeptHere) > 0 && len(firstKept) < shownRefusals {
			firstKept = append(firstKept, l)
		}
	}
	began := time.Now()
	stop := showProgress(s.Err, func() string { return progressLine(in.Progress, began, time.Now()) })
	sum, err := importing.Run(ctx, in)
	stop()
	if ctx.Err() != nil {
		err = errors.New("interrupted: run the same command again, and it goes on from here")
	}
	if err := errors.Join(err, lines.close()); err != nil {
		return errors.Join(err, printSummary(s.Out, c, sum, firstRefused, firstLeft, firstKept))
	}
	if err := printSummary(s.Out, c, sum, firstRefused, firstLeft, firstKept); err != nil {
		return err
	}
	if sum.Refused > 0 {
		return fmt.Errorf("%d of %d files were refused; the others are there", sum.Refused, sum.Refused+sum.Imported+sum.Present)
	}
	return nil
}

// shownRefusals is how many are printed; the report has all.
const shownRefusals = 20

func printSummary(w io.Writer, c *importCommand, sum importing.Summary, refused, left, kept []importing.Line) error {
	b := bufio.NewWriter(w)
	for _, l := range refused {
		_, _ = fmt.Fprintf(b, "refused %s/%s: %s\n", shown(l.Subdir), shown(l.File), shown(l.Why)) // Flush tells
	}
	if more := sum.Refused - int64(len(refused)); more > 0 {
		where := "run again with --report FILE to see all"
		if c.Report != "" {
			where = "all are in " + c.Report
		}
		_, _ = fmt.Fprintf(b, "and %d more were refused: %s\n", more, where)
	}
	for _, l := range left {
		_, _ = fmt.Fprintf(b, "left out of the attestations of %s/%s: %s\n", shown(l.Subdir), shown(l.File), shown(strings.Join(l.LeftOut, " ")))
	}
	for _, l := range kept {
		_, _ = fmt.Fprintf(b, "left as it is here %s/%s: %s\n", shown(l.Subdir), shown(l.File), strings.Join(l.KeptHere, "; "))
	}
	verb := "Imported"
	if c.DryRun {
		verb = "Would import"
	}
	_, _ = fmt.Fprintf(b, "%s %s (%s) from %s into channel %s", verb, count(sum.Imported, "file"), sizeText(sum.Bytes), sum.Source, c.Channel)
	if sum.Yanked > 0 {
		_, _ = fmt.Fprintf(b, ", %d of them yanked", sum.Yanked)
	}
	if sum.Patched > 0 {
		_, _ = fmt.Fprintf(b, ", %d with what the source's index says of them", sum.Patched)
	}
	if sum.Attestations > 0 {
		_, _ = fmt.Fprintf(b, ", with %s", count(sum.Attestations, "attestation"))
	}
	_, _ = fmt.Fprintf(b, "; %d were there already, %d refused; %v.\n", sum.Present, sum.Refused, sum.Took.Round(time.Second/10))
	if sum.LeftOut > 0 {
		_, _ = fmt.Fprintf(b, "Left out: %s of the source.\n", count(sum.LeftOut, "attestation"))
	}
	if changes := changesText(sum.Counts); changes != "" {
		verb := "Took up"
		if c.DryRun {
			verb = "Would take up"
		}
		_, _ = fmt.Fprintf(b, "%s what the source has changed of %s: %s.\n", verb, count(sum.Updated, "file"), changes)
	}
	if sum.KeptHere > 0 {
		_, _ = fmt.Fprintf(b, "Left as they are here: %s of which the source says something else.\n", count(sum.KeptHere, "file"))
	}
	return b.Flush()
}

// changesText is what was taken up of files that were there.
func changesText(c importing.Counts) string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{
		{c.ListedSince, "listed in more labels"}, {c.YankedSince, "yanked"}, {c.UnyankedSince, "no longer yanked"}, {c.CorrectedSince, "corrected"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}

// report is a file of lines of JSON; without one they go nowhere.
type report struct {
	file *os.File
	to   *bufio.Writer
	err  error
}

func openReport(name string) (*report, error) {
	if name == "" {
		return &report{}, nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return &report{file: f, to: bufio.NewWriter(f)}, nil
}

func (r *report) write(l importing.Line) {
	if r.file == nil || r.err != nil {
		return
	}
	e := json.NewEncoder(r.to)
	e.SetEscapeHTML(false)
	r.err = e.Encode(l)
}

func (r *report) close() error {
	if r.file == nil {
		return nil
	}
	if err := errors.Join(r.err, r.to.Flush(), r.file.Close()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
