package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sluice/internal/fault"
	"sluice/internal/remote"
)

// selectFlags say which files of a channel are meant: those that meet everything that is given.
type selectFlags struct {
	Name       string     `placeholder:"NAME" help:"Files of this package; '*' stands for anything: 'libtide*'."`
	Version    string     `placeholder:"VERSION" help:"Of this version, or a pattern."`
	Build      string     `placeholder:"BUILD" help:"Of this build string, or a pattern."`
	Subdir     string     `placeholder:"SUBDIR" help:"In this subdir."`
	RunID      string     `name:"run" placeholder:"ID" help:"Published by the run of this id."`
	Repository string     `placeholder:"OWNER/NAME" help:"Published by runs of this repository."`
	Ref        string     `placeholder:"REF" help:"Published by runs for this git ref, such as refs/heads/main, or a pattern."`
	Since      momentFlag `placeholder:"TIME" help:"Published then or later: 2026-08-20, 2026-08-20T12:00:00Z, or 6h for six hours ago."`
	Until      momentFlag `placeholder:"TIME" help:"Published before then."`
	In         string     `name:"in" placeholder:"LABEL" help:"Listed in this label."`
	State      string     `placeholder:"STATE" help:"live, yanked, held or deleted."`
}

// selection is a selectFlags in the words of the API.
type selection struct {
	Files      []string  `json:"files,omitempty"`
	Name       string    `json:"name,omitempty"`
	Version    string    `json:"version,omitempty"`
	Build      string    `json:"build,omitempty"`
	Subdir     string    `json:"subdir,omitempty"`
	Run        string    `json:"run,omitempty"`
	Repository string    `json:"repository,omitempty"`
	Ref        string    `json:"ref,omitempty"`
	After      time.Time `json:"after,omitzero"`
	Before     time.Time `json:"before,omitzero"`
	Label      string    `json:"label,omitempty"`
	State      string    `json:"state,omitempty"`
}

func (f selectFlags) selection(files []string) selection {
	return selection{
		Files: files, Name: f.Name, Version: f.Version, Build: f.Build, Subdir: f.Subdir, Run: f.RunID, Repository: f.Repository, Ref: f.Ref,
		After: time.Time(f.Since), Before: time.Time(f.Until), Label: f.In, State: f.State,
	}
}

// momentFlag is a time on the command line: a day or a time (UTC where it names no zone), or how long ago.
type momentFlag time.Time

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *momentFlag) UnmarshalText(b []byte) error {
	s := string(b)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			*m = momentFlag(t.UTC())
			return nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		*m = momentFlag(time.Now().Add(-d).UTC())
		return nil
	}
	return fmt.Errorf("%q is no time: write 2026-08-20, 2026-08-20T12:00:00Z, or 6h for six hours ago", s)
}

// doFlags are how a change of files is done.
type doFlags struct {
	DryRun bool `help:"Only say what would change; the exit code is 3 when something would."`
	Yes    bool `short:"y" help:"Do not ask."`
}

// curation is a change of files of a channel.
type curation struct {
	remoteFlags
	doFlags
	channel   channelName
	change    map[string]any
	selection selection
	endTokens bool
	// done is what was done, as a sentence begins: "Yanked". would is what would be: "would be yanked".
	done, would string
	// asks says that a person has to agree, since readers lose something.
	asks bool
	// inSteps lets the server do more than it does at once one part after the other.
	inSteps bool
}

// curationBody is the question for a change.
type curationBody struct {
	Change    map[string]any `json:"change"`
	Select    selection      `json:"select"`
	DryRun    bool           `json:"dry_run,omitempty"`
	InSteps   bool           `json:"in_steps,omitempty"`
	Cursor    int64          `json:"cursor,omitempty"`
	EndTokens bool           `json:"end_tokens,omitempty"`
}

// curationOutcome is what became, or would become, of a change.
type curationOutcome struct {
	Selected        int          `json:"selected"`
	Changed         int          `json:"changed"`
	Files           []remoteFile `json:"files"`
	RestorableUntil time.Time    `json:"restorable_until"`
	NextCursor      int64        `json:"next_cursor"`
	TokensEnded     int          `json:"tokens_ended"`
}

// remoteFile is a file as keepers see it.
type remoteFile struct {
	Subdir     string    `json:"subdir"`
	Filename   string    `json:"filename"`
	State      string    `json:"state"`
	Labels     []string  `json:"labels"`
	UploadedAt time.Time `json:"uploaded_at"`
	UploadedBy string    `json:"uploaded_by"`
	Provenance struct {
		Run struct {
			ID string `json:"id"`
		} `json:"run"`
	} `json:"provenance"`
}

// shownFiles is how many files a preview names.
const shownFiles = 20

// run shows what would change, has a person agree where readers lose something, and does it.
func (c curation) run(ctx context.Context, s Streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	would, raw, err := c.ask(ctx, cl, true)
	if err != nil && !c.nothingYet(err) {
		return err
	}
	if c.DryRun {
		return c.toldTrial(s, would, raw)
	}
	if would.Changed == 0 && !c.endTokens {
		return c.toldNothing(s, would, raw)
	}
	if !c.JSON {
		if err := c.preview(s.Out, would); err != nil {
			return err
		}
	}
	if c.asks && !c.Yes {
		question, otherwise := c.question(would)
		if err := confirm(s, question, otherwise); err != nil {
			return err
		}
	}
	did, raw, err := c.ask(ctx, cl, false)
	if err != nil {
		return err
	}
	return c.told(s, did, raw)
}

// nothingYet reports that the run has published nothing, which is no reason to leave it its tokens.
func (c curation) nothingYet(err error) bool {
	r, ok := errors.AsType[*remote.RefusedError](err)
	return ok && c.endTokens && r.Code == fault.NotFound && strings.HasPrefix(r.Detail, "No file of channel ")
}

// ask sends the change, all steps of it, and sums up the answers.
func (c curation) ask(ctx context.Context, cl *remote.Client, dry bool) (sum curationOutcome, raw []json.RawMessage, err error) {
	body := curationBody{Change: c.change, Select: c.selection, DryRun: dry, InSteps: c.inSteps && !dry, EndTokens: c.endTokens && !dry}
	for {
		var answer json.RawMessage
		if err := cl.Post(ctx, remote.Path("channels", string(c.channel), "changes"), body, &answer); err != nil {
			return sum, raw, err
		}
		var step curationOutcome
		if err := json.Unmarshal(answer, &step); err != nil {
			return sum, raw, fmt.Errorf("the answer of %s cannot be read: %w", cl.Server(), err)
		}
		raw = append(raw, answer)
		sum = sum.add(step)
		if step.NextCursor == 0 {
			return sum, raw, nil
		}
		body.Cursor, body.EndTokens = step.NextCursor, false
	}
}

func (o curationOutcome) add(step curationOutcome) curationOutcome {
	if o.Files == nil {
		o.Files = step.Files
	}
	o.Selected, o.Changed, o.TokensEnded = o.Selected+step.Selected, o.Changed+step.Changed, o.TokensEnded+step.TokensEnded
	if !step.RestorableUntil.IsZero() {
		o.RestorableUntil = step.RestorableUntil
	}
	return o
}

// preview lists what would change.
func (c curation) preview(w io.Writer, would curationOutcome) error {
	if c.endTokens {
		_, _ = fmt.Fprintf(w, "The publish tokens of run %s would end.\n", c.selection.Run)
	}
	if would.Changed == 0 {
		return nil
	}
	var rows [][]string
	for _, f := range would.Files[:min(len(would.Files), shownFiles)] {
		rows = append(rows, []string{f.Subdir + "/" + f.Filename, f.State, strings.Join(f.Labels, ","), day(f.UploadedAt), f.UploadedBy, f.Provenance.Run.ID})
	}
	if err := table(w, "", []string{"FILE", "STATE", "LABELS", "PUBLISHED", "BY", "RUN"}, rows); err != nil {
		return err
	}
	if more := would.Changed - len(rows); more > 0 {
		_, _ = fmt.Fprintf(w, "… and %s\n", count(int64(more), "more file"))
	}
	_, err := fmt.Fprintf(w, "%s %s%s.\n", count(int64(would.Changed), "file"), c.would, would.unchanged())
	return err
}

// unchanged says how many of the selected files are that way already.
func (o curationOutcome) unchanged() string {
	switch n := o.Selected - o.Changed; n {
	case 0:
		return ""
	case 1:
		return "; 1 is so already"
	default:
		return "; " + strconv.Itoa(n) + " are so already"
	}
}

// toldTrial says what a dry run found.
func (c curation) toldTrial(s Streams, would curationOutcome, raw []json.RawMessage) error {
	if would.Changed == 0 && !c.endTokens {
		return c.toldNothing(s, would, raw)
	}
	tell := func() error { return c.preview(s.Out, would) }
	if c.JSON {
		tell = func() error { return lines(s.Out, raw) }
	}
	if err := tell(); err != nil {
		return err
	}
	return errPending
}

func (c curation) toldNothing(s Streams, would curationOutcome, raw []json.RawMessage) error {
	if c.JSON {
		return lines(s.Out, raw)
	}
	_, err := fmt.Fprintf(s.Out, "Nothing to do: %s so already.\n", pick(would.Selected == 1, "the file is", "all "+strconv.Itoa(would.Selected)+" files are"))
	return err
}

// question is what a person is asked, and what is said where nobody can be.
func (c curation) question(would curationOutcome) (question, otherwise string) {
	what := count(int64(would.Changed), "file") + " of channel " + string(c.channel) + " " + c.would
	switch {
	case c.endTokens:
		return "Go on? First the publish tokens of run " + c.selection.Run + " end.", "the publish tokens of run " + c.selection.Run + " would end, and " + what
	case !would.RestorableUntil.IsZero():
		return "Go on? Lock files that name them stop working. It can be taken back until " + day(would.RestorableUntil) + " UTC.", what
	default:
		return "Go on?", what
	}
}

// told says how it ended.
func (c curation) told(s Streams, did curationOutcome, raw []json.RawMessage) error {
	if c.JSON {
		return lines(s.Out, raw)
	}
	if c.endTokens {
		_, _ = fmt.Fprintf(s.Out, "Ended %s of run %s for this channel. As long as the run goes on and a publisher lets it in, it can get others: "+
			"sluice publisher switch %s NUMBER off\n", count(int64(did.TokensEnded), "publish token"), c.selection.Run, c.channel)
	}
	if c.selection.Run != "" && c.asks && !c.endTokens {
		_, _ = fmt.Fprintln(s.Out, "The publish tokens of the run still stand; if more may come of it, go over it again with --revoke.")
	}
	_, err := fmt.Fprintf(s.Out, "%s %s of channel %s.\n", c.done, count(int64(did.Changed), "file"), c.channel)
	if !did.RestorableUntil.IsZero() {
		_, err = fmt.Fprintf(s.Out, "Until %s UTC it can be taken back with: sluice restore %s\n", day(did.RestorableUntil), c.channel)
	}
	return err
}

// lines prints answers as they came, one a line.
func lines(w io.Writer, raw []json.RawMessage) error {
	for _, r := range raw {
		if _, err := fmt.Fprintf(w, "%s\n", r); err != nil {
			return err
		}
	}
	return nil
}
