package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"sluice/internal/doctor"
)

type doctorCommand struct {
	credentialFlags
	URL     string      `aliases:"server" placeholder:"URL" help:"Address that clients are given (default $$SLUICE_SERVER)."`
	Channel channelName `placeholder:"NAME" help:"Look into this channel, too, as clients read it."`
	JSON    bool        `name:"json" help:"Print the findings as JSON, for scripts."`
}

// findings are what --json prints.
type findings struct {
	URL      string           `json:"url"`
	OK       int              `json:"ok"`
	Look     int              `json:"look"`
	Fail     int              `json:"fail"`
	Findings []doctor.Finding `json:"findings"`
}

func (f *findings) add(one doctor.Finding) {
	f.Findings = append(f.Findings, one)
	switch one.Result {
	case doctor.OK:
		f.OK++
	case doctor.Look:
		f.Look++
	case doctor.Fail:
		f.Fail++
	}
}

// Run prints a line for each finding as it comes, and fails when a check failed.
func (c *doctorCommand) Run(ctx context.Context, s Streams) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	all := findings{URL: t.URL}
	err = doctor.Examine(ctx, t, func(f doctor.Finding) {
		all.add(f)
		if !c.JSON {
			printFinding(s, f)
		}
	})
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(s.Out)
		e.SetEscapeHTML(false)
		err = e.Encode(all)
	} else {
		_, err = fmt.Fprintf(s.Out, "\n%d ok, %d to look at, %d failed.\n", all.OK, all.Look, all.Fail)
	}
	if all.Fail > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d checks failed", all.Fail, len(all.Findings)))
	}
	return err
}

func (c *doctorCommand) target() (doctor.Target, error) {
	address := cmp.Or(c.URL, os.Getenv("SLUICE_SERVER"))
	if address == "" {
		return doctor.Target{}, errors.New("no server is named: use --url https://…, or set SLUICE_SERVER")
	}
	t, err := c.token()
	if err != nil {
		return doctor.Target{}, err
	}
	roots, err := c.roots()
	if err != nil {
		return doctor.Target{}, err
	}
	return doctor.Target{
		URL: address, Channel: string(c.Channel), Token: t, Roots: roots, Agent: agent(),
		Getenv: os.Getenv, Run: run, Now: time.Now,
	}, nil
}

// run runs a program of the CI service, as the clients do, and gives what it prints.
func run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // the program of that name on the user's own PATH
}

// printFinding prints a line, and below it what to do. A terminal that is gone cannot be told so.
func printFinding(s Streams, f doctor.Finding) {
	_, _ = fmt.Fprintf(s.Out, "%-4s  %-17s  %s\n", f.Result, f.Check, f.Said)
	if f.Do != "" {
		_, _ = fmt.Fprintf(s.Out, "%25s→ %s\n", "", f.Do)
	}
}
