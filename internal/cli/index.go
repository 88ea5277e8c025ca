package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/curate"
)

type indexCommand struct {
	Check indexCheckCommand `cmd:"" help:"Compare the index with the artifacts, and repair it. Also while the server runs."`
}

type indexCheckCommand struct {
	configFlags
	Channel       channelName `placeholder:"NAME" help:"Look at this channel alone (default all, and whether bytes are kept that nobody needs)."`
	Quick         bool        `help:"Do not read packages: take what the database keeps of them, and look at their size only."`
	Repair        bool        `help:"Make anew what differs."`
	SaveStrays    string      `name:"save-strays" placeholder:"FOLDER" help:"Write packages that no channel has to this folder, which sluice import takes."`
	RemoveStrays  bool        `name:"remove-strays" help:"Have a server remove bytes that no channel has."`
	DeleteDamaged bool        `name:"delete-damaged" help:"Delete artifacts whose bytes are gone or changed, so that no client is told of them; restore brings them back once their bytes are."`
	Report        string      `placeholder:"FILE" help:"Write each difference as a line of JSON to this file; - is standard output."`
}

// errDifferent ends a check that found differences, all of which were told.
var errDifferent = errors.New("the index differs from its artifacts")

// Run checks channels one after the other.
func (c *indexCheckCommand) Run(ctx context.Context, s Streams) (err error) {
	d, err := c.openData(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	blobs, err := d.blobs()
	if err != nil {
		return err
	}
	if c.Channel != "" && (c.SaveStrays != "" || c.RemoveStrays) {
		return errors.New("bytes that no channel has are not those of one: leave out --channel with --save-strays and --remove-strays")
	}
	channels, err := c.channels(ctx, d)
	if err != nil {
		return err
	}
	report, done, err := jsonReport(c.Report, s.Out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	i := &indexCheck{indexCheckCommand: c, checker: check.New(d.db, blobs), keep: &curate.Curator{Store: d.db}, streams: s, report: report}
	for _, ch := range channels {
		if err := i.channel(ctx, ch); err != nil {
			return fmt.Errorf("check channel %s: %w", ch.Name, err)
		}
	}
	if c.Channel == "" {
		if err := i.strays(ctx); err != nil {
			return fmt.Errorf("check what is kept: %w", err)
		}
	}
	return i.end()
}

func (c *indexCheckCommand) channels(ctx context.Context, d *data) ([]channel.Channel, error) {
	if c.Channel == "" {
		return d.db.Channels(ctx, 0, true)
	}
	name, err := conda.ParseChannel(string(c.Channel))
	if err != nil {
		return nil, err
	}
	ch, err := d.db.ChannelByName(ctx, name)
	return []channel.Channel{ch}, err
}

// indexCheck is one run of the command.
type indexCheck struct {
	*indexCheckCommand
	checker *check.Checker
	keep    *curate.Curator
	streams Streams
	report  *json.Encoder // nil: none
	// line is how far it is; pause takes it off the terminal, so that something else can be printed.
	line  atomic.Value
	pause func()
	// found, mended and deleted count differences and artifacts, stray bytes that are left, removed others.
	found, mended, deleted, stray, removed int
	err                                    error // of writing
}

// channel checks one channel, and repairs it.
func (i *indexCheck) channel(ctx context.Context, ch channel.Channel) error {
	i.line.Store("checking " + ch.Name.String())
	i.watch()
	r, err := i.checker.Channel(ctx, ch, check.Options{Quick: i.Quick, Found: i.tell, Progress: func(p check.Progress) {
		i.line.Store(fmt.Sprintf("checking %s: %d of %d artifacts, now at %s", ch.Name, p.Done, p.Total, p.Step))
	}})
	i.pause()
	if err = errors.Join(err, i.err); err != nil {
		return err
	}
	i.say("%s: %d artifacts, %d records, %d pieces, %d shards: %s\n", ch.Name, r.Artifacts, r.Records, r.Pieces, r.Shards, differences(r.Differences()))
	if i.Repair && r.Differences() > 0 {
		if err := i.checker.Repair(ctx, operator, r); err != nil {
			return err
		}
		n := 0
		for k, count := range r.Counts {
			if k.Repairable() {
				n += count
			}
		}
		i.mended += n
		i.say("%s: repaired %d\n", ch.Name, n)
	}
	if !i.DeleteDamaged || r.Damaged() == 0 {
		return nil
	}
	out, err := i.checker.Delete(ctx, operator, i.keep, r)
	i.deleted += len(out.Changed)
	i.say("%s: deleted %d artifacts whose bytes are gone or changed\n", ch.Name, len(out.Changed))
	return err
}

// strays looks for bytes that nobody needs, saves the packages among them, and has a server remove them.
func (i *indexCheck) strays(ctx context.Context) error {
	var strays []check.Stray
	i.line.Store("checking what is kept")
	i.watch()
	n, err := i.checker.Blobs(ctx, func(s check.Stray) { strays = append(strays, s); i.tell(s.Difference) })
	i.pause()
	if err = errors.Join(err, i.err); err != nil {
		return err
	}
	i.say("%d blobs: %d of them needed by no artifact\n", n, len(strays))
	left := map[string]bool{}
	if i.SaveStrays != "" {
		if left, err = i.save(ctx, strays); err != nil {
			return err
		}
	}
	for _, s := range strays {
		if !i.RemoveStrays || left[s.Name] {
			i.stray++
			continue
		}
		if err := i.checker.RemoveStray(ctx, s); err != nil {
			return err
		}
		i.removed++
	}
	return nil
}

// save writes packages that no channel has to a folder. It returns the digests of those that another file has the name of,
// as where two channels had different packages under one.
func (i *indexCheck) save(ctx context.Context, strays []check.Stray) (left map[string]bool, err error) {
	left = map[string]bool{}
	saved := 0
	for _, s := range strays {
		if !s.IsPackage() {
			continue
		}
		name := filepath.Join(i.SaveStrays, s.Subdir.String(), s.File.String())
		err := i.saveAs(ctx, s, name)
		switch {
		case errors.Is(err, fs.ErrExist):
			left[s.Name] = true
			i.say("%s is not saved: there is another %s; name another folder for it\n", s.Name, name)
		case err != nil:
			return nil, fmt.Errorf("save %s: %w", s.File, err)
		default:
			saved++
		}
	}
	i.say("saved %s to %s: sluice import %[2]s --channel NAME brings them into a channel\n", count(int64(saved), "package"), i.SaveStrays)
	return left, nil
}

func (i *indexCheck) saveAs(ctx context.Context, s check.Stray, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // a channel, as exports are
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the same
	if err != nil {
		return err
	}
	if err := errors.Join(i.checker.Save(ctx, s, f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// watch shows how far it is.
func (i *indexCheck) watch() {
	i.pause = showProgress(i.streams.Err, func() string { return i.line.Load().(string) })
}

// tell prints a difference.
func (i *indexCheck) tell(d check.Difference) {
	i.found++
	i.pause()
	defer i.watch()
	if i.report != nil {
		i.err = errors.Join(i.err, i.report.Encode(d))
	}
	if i.Report != "-" {
		_, err := fmt.Fprintln(i.streams.Out, d)
		i.err = errors.Join(i.err, err)
	}
}

// say prints what a person should know; with the report on standard output it goes to the other stream.
func (i *indexCheck) say(format string, args ...any) {
	w := i.streams.Out
	if i.Report == "-" {
		w = i.streams.Err
	}
	_, err := fmt.Fprintf(w, format, args...)
	i.err = errors.Join(i.err, err)
}

// end tells what is left to do.
func (i *indexCheck) end() error {
	left := i.found - i.mended - i.deleted - i.removed - i.stray
	switch {
	case i.err != nil:
		return i.err
	case left+i.stray == 0:
		return nil
	case left > 0 && i.Repair:
		i.say("%d differences cannot be repaired: bring the bytes back from a backup, or take the artifacts from readers with --delete-damaged.\n", left)
	case left > 0:
		i.say("Make anew what differs with: sluice index check --repair\n")
	}
	if i.stray > 0 {
		i.say("Bytes that no channel has stay where they are: save the packages among them with --save-strays FOLDER, and remove all with --remove-strays.\n")
	}
	return errDifferent
}

func differences(n int) string {
	switch n {
	case 0:
		return "no difference"
	case 1:
		return "1 difference"
	default:
		return fmt.Sprintf("%d differences", n)
	}
}
