package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/internal/attest/policy"
	"sluice/internal/remote"
)

// demandFlags say what a channel demands of attestations. What is not given stays.
type demandFlags struct {
	Attestations    *string  `placeholder:"off|optional|required|required_for" help:"Refuse attestations, take those that come, refuse files without one, or do so for the packages of --required-for."`
	RequiredFor     []string `placeholder:"PATTERN" help:"Packages that need one: names, or beginnings such as 'lib*'. Can be repeated."`
	Signer          *string  `placeholder:"run|publisher|any" help:"Who may sign what a CI run uploads: that run, also any run that a trusted publisher lets in, or every CI job."`
	TargetChannel   *string  `placeholder:"exact|listed|ignore" help:"For which channel an attestation has to be made: this one at its public address, also at its aliases, or any."`
	Alias           []string `placeholder:"URL" help:"Other addresses of the channel, all of them; none: it has none. Can be repeated."`
	AllowAbsent     onOff    `placeholder:"on|off" help:"Take attestations for no channel in particular."`
	Instances       []string `placeholder:"NAME" help:"Instances of sigstore that count, all of them; all: those that the server knows. Can be repeated."`
	NoRegress       *string  `placeholder:"allow|warn|refuse" help:"What becomes of a file without an attestation whose package has files with one."`
	OtherStatements onOff    `placeholder:"on|off" help:"Keep statements of other types beside, such as SLSA provenance."`
	Yes             bool     `short:"y" help:"Do not ask when files that are there would fail."`
}

// demandBody is a part of what a channel demands, in the words of the API.
type demandBody struct {
	Mode            *string         `json:"mode,omitempty"`
	RequiredFor     []string        `json:"required_for,omitzero"`
	Signer          *string         `json:"signer,omitempty"`
	Target          *string         `json:"target_channel,omitempty"`
	Aliases         []string        `json:"aliases,omitzero"`
	AllowAbsent     *bool           `json:"allow_absent,omitempty"`
	Instances       []string        `json:"instances,omitzero"`
	NoRegress       *string         `json:"no_regress,omitempty"`
	OtherStatements *bool           `json:"other_statements,omitempty"`
	Denied          []policy.Denial `json:"denied,omitzero"`
	// Expect is the state of what was demanded when the lists were made; "": whatever it is.
	Expect string `json:"expect,omitempty"`
}

// body is what was given; nil for nothing.
func (f demandFlags) body() *demandBody {
	given := f.RequiredFor != nil || f.Alias != nil || f.Instances != nil || f.AllowAbsent.on != nil || f.OtherStatements.on != nil
	for _, word := range []*string{f.Attestations, f.Signer, f.TargetChannel, f.NoRegress} {
		given = given || word != nil
	}
	if !given {
		return nil
	}
	return &demandBody{
		Mode: f.Attestations, RequiredFor: f.RequiredFor, Signer: f.Signer, Target: f.TargetChannel, Aliases: cleared(f.Alias, "none"),
		AllowAbsent: f.AllowAbsent.on, Instances: cleared(f.Instances, "all"), NoRegress: f.NoRegress, OtherStatements: f.OtherStatements.on,
	}
}

// cleared is a list, empty where it is the one word for that.
func cleared(list []string, word string) []string {
	if slices.Equal(list, []string{word}) {
		return []string{}
	}
	return list
}

// failing is what would fail other demands, and what Already fails those of today.
type failing struct {
	failures

	Already failures `json:"already"`
}

// failures are files that fail.
type failures struct {
	Unattested  int `json:"unattested"`
	NotCounting int `json:"not_counting"`
	Files       []struct {
		Subdir   string `json:"subdir"`
		Filename string `json:"filename"`
		Reason   string `json:"reason"`
	} `json:"files"`
}

// all counts them.
func (f failures) all() int { return f.Unattested + f.NotCounting }

// print lists the files that would fail and do not yet, and says how many there are, and how many fail already.
func (f failing) print(w io.Writer) error {
	var rows [][]string
	for _, file := range f.Files {
		rows = append(rows, []string{file.Subdir + "/" + file.Filename, file.Reason})
	}
	if err := table(w, "", []string{"FILE", "WHY"}, rows); err != nil {
		return err
	}
	if more := f.all() - len(f.Files); more > 0 {
		if _, err := fmt.Fprintf(w, "and %d more.\n", more); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(w, "%s by this: %d without an attestation, %d with one that does not count. What is there stays.\n", wouldFail(f.all()), f.Unattested, f.NotCounting); err != nil {
		return err
	}
	return f.Already.mention(w)
}

// mention says how many files fail by what is demanded today.
func (f failures) mention(w io.Writer) error {
	var err error
	switch n := f.all(); {
	case n == 1:
		_, err = fmt.Fprintln(w, "1 file fails already, by what is demanded today.")
	case n > 1:
		_, err = fmt.Fprintf(w, "%d files fail already, by what is demanded today.\n", n)
	}
	return err
}

func wouldFail(files int) string {
	if files == 1 {
		return "1 file would fail"
	}
	return fmt.Sprintf("%d files would fail", files)
}

// preview shows which files of a channel would fail by a change that do not fail today, and has a person agree to it when any
// would, unless somebody has.
func (f remoteFlags) preview(ctx context.Context, s Streams, ch channelName, d *demandBody, agreed bool) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	var found failing
	if err := c.Post(ctx, remote.Path("channels", string(ch), "attestations", "preview"), d, &found); err != nil {
		return err
	}
	all := found.all()
	if all == 0 {
		return found.Already.mention(s.Err)
	}
	if err := found.print(s.Err); err != nil || agreed {
		return err
	}
	return confirm(s, fmt.Sprintf("Demand that of channel %s?", ch), wouldFail(all)+" in channel "+string(ch))
}

// demanded are names and values of what a channel demands of attestations, for fields.
func demanded(p policy.Policy) (out []string) {
	if p.Mode == "" {
		return nil // an older server
	}
	for _, t := range p.Terms() {
		out = append(out, strings.ToLower(t.Name[:1])+t.Name[1:], t.Value)
	}
	for _, d := range p.Denied {
		out = append(out, "denied", d.Words()+": "+d.String())
	}
	return out
}
