package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/instance"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/config"
	"sluice/internal/server"
	"sluice/internal/verify"
)

type verifyCommand struct {
	configFlags
	sourceFlags
	What    []string `arg:"" optional:"" name:"what" help:"Channel of this server to look at; with --from, names of packages; or a file: a pixi.lock, an explicit list of conda, or with --from a list of package names, one a line. What ends in .lock or .txt or has a slash in it is a file."`
	From    string   `placeholder:"URL" help:"Look at a channel elsewhere, of any server, as somebody who installs from it."`
	Policy  string   `type:"existingfile" placeholder:"FILE" help:"With --from or a file: TOML file that says who may have signed what."`
	Print   bool     `name:"print-policy" help:"With --from or a file: print a policy that what was found satisfies, to read and to keep."`
	Legacy  bool     `help:"With --from or a file: take FILE.v0.sigs where the index tells of no attestations."`
	Quick   bool     `help:"Do not read packages: look at what the index says of them and at their attestations."`
	Subdir  []string `placeholder:"SUBDIR" help:"Look at these subdirs alone."`
	Package []string `placeholder:"NAME" help:"Look at packages of these names alone."`
	All     bool     `help:"Print a line for every file, also for those that are as they should be. With --from: look at all packages of the channel."`
	Report  string   `placeholder:"FILE" help:"Write what was found of each file as a line of JSON to this file; - is standard output."`
}

// errNotVerified ends a look at files of which some are not as they should be, all of which were told.
var errNotVerified = errors.New("files are not as they should be")

// Run looks at the files of a channel here or elsewhere, or of a lock file.
func (c *verifyCommand) Run(ctx context.Context, s Streams) error {
	switch {
	case slices.ContainsFunc(c.What, isList):
		return c.list(ctx, s)
	case c.From != "":
		return c.elsewhere(ctx, s, append(slices.Clone(c.What), c.Package...))
	case c.Policy != "" || c.Legacy || c.Print:
		return errors.New("--policy, --print-policy and --legacy are for channels elsewhere and lock files: the channels of this server have a policy of their own; name the other channel with --from URL")
	case len(c.What) != 1:
		return errors.New("name one channel of this server, or a channel elsewhere with --from URL and packages, or a lock file")
	default:
		return c.own(ctx, s)
	}
}

// own looks at a channel of this server.
func (c *verifyCommand) own(ctx context.Context, s Streams) (err error) {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	selection, err := c.selection()
	if err != nil {
		return err
	}
	d, err := openData(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	blobs, err := d.blobs()
	if err != nil {
		return err
	}
	ch, err := d.channel(ctx, c.What[0])
	if err != nil {
		return err
	}
	checker, err := keptRoots(ctx, cfg, d)
	if err != nil {
		return err
	}
	own := &verify.Own{Store: d.db, Blobs: blobs, Packages: check.New(d.db, blobs), Attest: checker, URL: cfg.URL}
	return c.tell(s, ch.Name.String(), func(v *verifying) error {
		if err := v.expect(ctx, d, ch); err != nil {
			return err
		}
		return own.Channel(ctx, ch, selection, v.found)
	})
}

func (c *verifyCommand) selection() (verify.Selection, error) {
	out := verify.Selection{Quick: c.Quick, Names: c.Package}
	for _, s := range c.Subdir {
		d, err := conda.ParseSubdir(s)
		if err != nil {
			return out, err
		}
		out.Subdirs = append(out.Subdirs, d)
	}
	return out, nil
}

// keptRoots checks by the trusted roots that the server used last; of an instance that it never used, by the one that it would
// begin with. Nothing is fetched, and nothing is written: the settings of this command need not be the server's.
func keptRoots(ctx context.Context, cfg config.Config, d *data) (*attest.Checker, error) {
	profiles := make([]*attest.Profile, len(cfg.SigstoreRoots))
	for i, root := range cfg.SigstoreRoots {
		source, err := server.SigstoreSource(cfg, root)
		if err != nil {
			return nil, fmt.Errorf("sigstore_root %s: %w", root, err)
		}
		text, err := rootText(ctx, d, source)
		if err != nil {
			return nil, err
		}
		profiles[i] = attest.AwaitedProfile(source.Name)
		if text == nil {
			continue
		}
		if profiles[i], err = attest.NewProfile(source.Name, text); err != nil {
			return nil, err
		}
	}
	return attest.NewChecker(profiles...), nil
}

// rootText is the trusted root of an instance; nil where there is none yet.
func rootText(ctx context.Context, d *data, s instance.Source) ([]byte, error) {
	if s.File != "" {
		return os.ReadFile(s.File)
	}
	last, err := d.db.RootInUse(ctx, s.Name)
	if err != nil || last.JSON != nil {
		return last.JSON, err
	}
	return s.Start, nil
}

// tell shows how far look is, prints what it finds, and says at the end how many there were.
func (c *verifyCommand) tell(s Streams, what string, look func(*verifying) error) (err error) {
	report, done, err := jsonReport(c.Report, s.Out)
	if err != nil {
		return err
	}
	v := &verifying{verifyCommand: c, streams: s, what: what, report: report, began: time.Now(), names: map[string]bool{}}
	v.watch()
	err = look(v)
	v.pause()
	if err = errors.Join(err, done()); err != nil {
		return err
	}
	return v.end()
}

// verifying is one run of the command.
type verifying struct {
	*verifyCommand
	streams Streams
	what    string
	report  *json.Encoder // nil: none
	began   time.Time
	sum     verify.Summary
	// signed is who signed what.
	signed verify.Found
	// names are the packages of which files were looked at, missing those that were asked for and that the channel does not list.
	names   map[string]bool
	missing []string
	// others is how many packages of a lock file lie in no channel.
	others int
	// elsewhere is how many files of a lock file were not chosen to be looked at.
	elsewhere int
	// anybody says that no policy names who may sign.
	anybody bool
	// files and bytes are how many were looked at, total and totalBytes how many there are; 0: not known.
	files, bytes, failed, total, totalBytes atomic.Int64
	// counting says that nothing is looked at yet.
	counting atomic.Bool
	// pause takes how far it is off the terminal, so that something else can be printed.
	pause func()
}

// expect counts the files of a channel, where all of them are looked at.
func (v *verifying) expect(ctx context.Context, d *data, ch channel.Channel) error {
	if len(v.Package)+len(v.Subdir) > 0 {
		return nil
	}
	n, err := d.db.CountArtifacts(ctx, ch.ID)
	v.total.Store(n)
	return err
}

func (v *verifying) watch() {
	v.pause = showProgress(v.streams.Err, func() string { return v.line(time.Since(v.began)) })
}

// line tells how far it is.
func (v *verifying) line(took time.Duration) string {
	if v.counting.Load() {
		return "reading the index of " + v.what
	}
	files, total, bytes, totalBytes := v.files.Load(), v.total.Load(), v.bytes.Load(), v.totalBytes.Load()
	line := "verifying " + v.what + ": " + count(files, "file")
	share := 0.0
	switch {
	case totalBytes > 0: // the larger files take longer
		share = float64(bytes) / float64(totalBytes)
		line = fmt.Sprintf("%s %d of %d files, %s of %s", bar(share), files, total, sizeText(bytes), sizeText(totalBytes))
	case total > 0:
		share = float64(files) / float64(total)
		line = fmt.Sprintf("%s %d of %d files", bar(share), files, total)
	}
	if took >= time.Second {
		line += fmt.Sprintf(", %.0f files/s, %s/s", float64(files)/took.Seconds(), sizeText(int64(float64(bytes)/took.Seconds())))
	}
	if n := v.failed.Load(); n > 0 {
		line += fmt.Sprintf(", %d failed", n)
	}
	return line + leftText(share, took)
}

// found prints what was found of a file.
func (v *verifying) found(r verify.Report) error {
	v.sum.Add(r)
	v.signed.Add(r)
	v.files.Add(1)
	v.bytes.Add(r.Bytes)
	v.failed.Store(v.sum.Failed)
	if f, err := conda.ParseFilename(r.File); err == nil {
		v.names[f.Name()] = true
	}
	if v.report != nil {
		if err := v.report.Encode(r); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if v.Report == "-" || v.Print || r.Verdict != verify.Failed && !v.All {
		return nil
	}
	v.pause()
	defer v.watch()
	for _, line := range reportLines(r, colours(v.streams.Out)) {
		if _, err := fmt.Fprintln(v.streams.Out, line); err != nil {
			return err
		}
	}
	return nil
}

// reportLines are what a person reads of a file.
func reportLines(r verify.Report, paint painter) []string {
	name := shown(r.Channel + "/" + r.Subdir + "/" + r.File)
	switch r.Verdict {
	case verify.OK:
		var by []string
		for _, s := range r.Signers() {
			by = append(by, shown(s.Identity))
		}
		return []string{paint(green, "ok") + "  " + name + ": signed by " + strings.Join(by, ", ")}
	case verify.Unattested:
		return []string{"not attested  " + name}
	}
	var lines []string
	for _, f := range r.Failures {
		lines = append(lines, fmt.Sprintf("%s  %s: %s [%s]", paint(red, "failed"), name, shown(f.Detail), f.Code))
	}
	return lines
}

// end says how many there were. With the report or a policy on standard output it goes to the other stream.
func (v *verifying) end() (err error) {
	w := v.streams.Out
	if v.Report == "-" || v.Print {
		w = v.streams.Err
	}
	if v.Print {
		if err := v.signed.Write(v.streams.Out); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "%s: %s looked at: %d ok, %d not attested, %d failed; %s read in %v\n", v.what, count(v.sum.Files(), "file"),
		v.sum.OK, v.sum.Unattested, v.sum.Failed, sizeText(v.sum.Bytes), time.Since(v.began).Round(time.Second/10))
	if err == nil && v.others > 0 {
		_, err = fmt.Fprintf(w, "%s from elsewhere than a channel: nobody looked at them.\n", count(int64(v.others), "package"))
	}
	if err == nil && v.elsewhere > 0 {
		_, err = fmt.Fprintf(w, "%s of the lock file not chosen by --from, --subdir or --package: nobody looked at them.\n", count(int64(v.elsewhere), "file"))
	}
	if err == nil && v.anybody && v.sum.OK > 0 {
		_, err = fmt.Fprintln(w, "Anybody can sign: say with --policy FILE who should have signed what.")
	}
	if err == nil && len(v.missing) > 0 {
		_, err = fmt.Fprintf(w, "%s: look at the spelling.\n", v.lacks(v.missing))
	}
	if err == nil && (v.sum.Failed > 0 || len(v.missing) > 0) {
		return errNotVerified
	}
	return err
}
