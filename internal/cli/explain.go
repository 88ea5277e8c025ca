package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"sluice/internal/remote"
)

type publisherExplainCommand struct {
	remoteFlags
	Channel channelName `required:"" placeholder:"NAME" help:"Channel whose publishers the token is held against."`
	Issuer  string      `placeholder:"URL" help:"Whose the claims are, when they have no iss."`
	File    string      `arg:"" optional:"" default:"-" placeholder:"FILE" help:"File with an identity token, or with the JSON object of its claims; - or nothing reads the input. Never the token itself: others see the arguments of a process."`
}

// trial is what would become of a token.
type trial struct {
	Granted  bool           `json:"granted"`
	Proven   bool           `json:"proven"`
	Problems []trialProblem `json:"problems"`
	Run      struct {
		Sentence string `json:"sentence"`
	} `json:"run"`
	Results []trialResult `json:"results"`
}

type trialProblem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// trialResult is one publisher held against the token's run.
type trialResult struct {
	Publisher remotePublisher `json:"publisher"`
	Granted   bool            `json:"granted"`
	Code      string          `json:"code"`
	Off       trialProblem    `json:"off"`
	Points    []struct {
		Field string `json:"field"`
		Got   string `json:"got"`
		Want  string `json:"want"`
		Holds bool   `json:"holds"`
		Code  string `json:"code"`
		Hint  string `json:"hint"`
	} `json:"points"`
}

// errRefused says that the token would be refused.
var errRefused = errors.New("the token would be refused")

// Run tries the token.
func (c *publisherExplainCommand) Run(ctx context.Context, s Streams) error {
	if _, err := os.Stat(c.File); err != nil && isSecret(c.File) {
		return errors.New("give the token in a file or by a pipe, never as an argument: others on this machine see the arguments of a process. Nobody was asked; " +
			"if it is a real token, let it expire before you go on")
	}
	if in, ok := s.In.(*os.File); ok && c.File == "-" && term.IsTerminal(int(in.Fd())) {
		_, _ = fmt.Fprintln(s.Err, "Paste an identity token, or the JSON object of its claims; then Enter and Ctrl-D.")
	}
	pasted, err := readGiven(s.In, c.File)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	pasted = bytes.TrimSpace(pasted)
	if len(pasted) == 0 {
		return errors.New("there is no token in what was read: give a file with an identity token, or with the JSON object of its claims")
	}
	in := map[string]string{"token": string(pasted)}
	claims := pasted[0] == '{'
	if claims {
		in = map[string]string{"claims": string(pasted)}
	}
	if c.Issuer != "" {
		in["issuer"] = c.Issuer
	}
	fits := false
	post := func(ctx context.Context, cl *remote.Client, answer any) error {
		return cl.Post(ctx, remote.Path("channels", string(c.Channel), publishersPath, "try"), in, answer)
	}
	err = consult(ctx, s, c.remoteFlags, post, func(w io.Writer, t trial) error {
		fits = t.fits()
		return t.print(w, claims, string(c.Channel), colours(w))
	})
	if err == nil && !fits && !c.JSON {
		return errRefused
	}
	return err
}

// isSecret reports whether an argument looks like what should have come in a file.
func isSecret(s string) bool {
	return strings.HasPrefix(s, "eyJ") || strings.Count(s, ".") == 2 && len(s) > 100 || strings.HasPrefix(strings.TrimSpace(s), "{")
}

// fits reports whether the token would be taken, or one with the claims that came.
func (t trial) fits() bool {
	return len(t.Problems) == 0 && len(t.Results) > 0 && t.Results[0].Granted
}

func (t trial) print(w io.Writer, claims bool, channel string, paint painter) error {
	var b strings.Builder
	switch {
	case !t.fits():
		b.WriteString(paint(red, "It would be refused") + ": no publish token for channel " + channel + ".\n")
	case claims:
		b.WriteString(paint(green, "A token with these claims would be taken") + " in channel " + channel + ", if its signature and its times are good.\n")
	default:
		b.WriteString(paint(green, "It would be exchanged") + " for a publish token that is good in channel " + channel + ".\n")
	}
	if t.Run.Sentence != "" {
		b.WriteString(shown(t.Run.Sentence) + ".\n")
	}
	for _, p := range t.Problems {
		b.WriteString(paint(red, "no") + "  " + shown(p.Detail) + "\n")
	}
	for _, r := range t.Results {
		r.print(&b, paint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r trialResult) print(b *strings.Builder, paint painter) {
	fmt.Fprintf(b, "\nPublisher %d: %s\n", r.Publisher.ID, shown(r.Publisher.Sentence))
	if r.Code != "" {
		fmt.Fprintf(b, "  %s  the repository is another one [%s]\n", paint(red, "no"), shown(r.Code))
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, p := range r.Points {
		if p.Holds {
			_, _ = fmt.Fprintf(t, "  ok\t%s\t%s\n", shown(p.Field), shown(p.Got)) // a Builder takes everything
			continue
		}
		_, _ = fmt.Fprintf(t, "  no\t%s\thas %s, wants %s [%s]\n", shown(p.Field), cmp.Or(shown(p.Got), "none"), cmp.Or(shown(p.Want), "none"), shown(p.Code))
		if p.Hint != "" {
			_, _ = fmt.Fprintf(t, "\t\t%s\n", shown(p.Hint))
		}
	}
	_ = t.Flush()
	if r.Off.Detail != "" {
		fmt.Fprintf(b, "  %s  %s\n", paint(red, "no"), shown(r.Off.Detail))
	}
}
