package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/remote"
)

// ruleFlags are a publisher's fields on the command line. nil is what was not given.
type ruleFlags struct {
	Provider      *string           `placeholder:"NAME" help:"CI service, or the server's name of an issuer (default github)."`
	Issuer        *string           `placeholder:"URL" help:"Which of several issuers of the service."`
	Owner         *string           `placeholder:"NAME" help:"Owner of the repository, with --any-repository."`
	Repository    *string           `placeholder:"OWNER/NAME" help:"Repository, or its address."`
	Workflow      *string           `placeholder:"FILE" help:"Workflow file, such as build.yml."`
	Field         map[string]string `placeholder:"NAME=VALUE" help:"A field by the service's own name for it."`
	AnyRepository *bool             `negatable:"" help:"Every repository of the owner; each --package then holds {repository}."`
	Environment   *string           `placeholder:"NAME" help:"Deployment environment that the job must name."`
	Ref           []string          `sep:"none" placeholder:"REF" help:"Full git ref or a glob on it, such as refs/tags/v*; may be given several times."`
	ProtectedRef  *bool             `negatable:"" help:"Only refs that rules protect."`
	Event         []string          `placeholder:"NAME" help:"What may start the run, in place of the safe events; may be given several times."`
	HostedRunner  *bool             `negatable:"" help:"Only machines of the service's own."`
	Reusable      *string           `placeholder:"OWNER/NAME/PATH" help:"Reusable workflow that the job must live in."`
	Right         *string           `enum:"publish,read" placeholder:"RIGHT" help:"publish (default), or read: only read the private channel."`
	Package       []string          `placeholder:"PATTERN" help:"Package name, or a beginning such as libtide*; may be given several times."`
	Subdir        []string          `placeholder:"NAME" help:"Subdir that packages may lie in; may be given several times."`
	NewNames      *bool             `negatable:"" help:"May create package names that the channel does not have (the default)."`
	FilesPerRun   *int64            `placeholder:"N" help:"How many files one run may publish."`
	BytesPerRun   *int64            `placeholder:"N" help:"How many bytes."`
	NamesPerRun   *int64            `name:"new-names-per-run" placeholder:"N" help:"How many new package names."`
	Attestations  *string           `placeholder:"required" help:"Refuse what comes without an attestation, whatever the channel says."`
	Signer        *string           `placeholder:"run|publisher" help:"Who may sign: the run that uploads, or also any run that a trusted publisher lets in."`
	Expires       *string           `placeholder:"TIME" help:"When it ends: 2027-08-20, or a whole time such as 2027-08-20T12:00:00Z."`
	IdleDays      *int              `placeholder:"N" help:"After how many days without use it is switched off."`
}

// put writes what was given over a rule. An empty value takes away what is there.
func (f ruleFlags) put(r *publisherRule) error {
	give(&r.Provider, f.Provider)
	give(&r.Issuer, f.Issuer)
	give(&r.Workflow, f.Workflow)
	give(&r.AnyRepository, f.AnyRepository)
	if f.Repository != nil || f.Owner != nil {
		r.OwnerID, r.RepositoryID = "", "" // another repository has others
	}
	if f.Repository != nil {
		r.RepositoryOwner, r.Repository = "", *f.Repository // it names its owner
	}
	give(&r.RepositoryOwner, f.Owner)
	give(&r.Environment, f.Environment)
	give(&r.ProtectedRef, f.ProtectedRef)
	give(&r.HostedRunner, f.HostedRunner)
	give(&r.Reusable, f.Reusable)
	give(&r.Right, f.Right)
	give(&r.Files, f.FilesPerRun)
	give(&r.Bytes, f.BytesPerRun)
	give(&r.Names, f.NamesPerRun)
	give(&r.Attestations, f.Attestations)
	give(&r.Signer, f.Signer)
	give(&r.IdleDays, f.IdleDays)
	if f.NewNames != nil {
		r.NewNames = f.NewNames
	}
	r.Refs, r.Events = giveList(r.Refs, f.Ref), giveList(r.Events, f.Event)
	r.Packages, r.Subdirs = giveList(r.Packages, f.Package), giveList(r.Subdirs, f.Subdir)
	if len(f.Field) > 0 {
		r.Fields = f.Field
	}
	return f.end(r)
}

func (f ruleFlags) end(r *publisherRule) error {
	if f.Expires == nil {
		return nil
	}
	if *f.Expires == "" {
		r.ExpiresAt = time.Time{}
		return nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, *f.Expires); err == nil {
			r.ExpiresAt = t
			return nil
		}
	}
	return fmt.Errorf("--expires %s: write a day such as 2027-08-20, or a time such as 2027-08-20T12:00:00Z", *f.Expires)
}

func give[T any](into *T, given *T) {
	if given != nil {
		*into = *given
	}
}

func giveList(have, given []string) []string {
	if given == nil {
		return have
	}
	return slices.DeleteFunc(slices.Clone(given), func(s string) bool { return s == "" })
}

type publisherAddCommand struct {
	remoteFlags
	ruleFlags
	Channel channelName `arg:"" help:"Name of the channel."`
}

// Run adds the publisher and says how it was understood.
func (c *publisherAddCommand) Run(ctx context.Context, s Streams) error {
	var in publisherRule
	if err := c.put(&in); err != nil {
		return err
	}
	post := func(ctx context.Context, cl *remote.Client, answer any) error {
		return cl.Post(ctx, remote.Path("channels", string(c.Channel), publishersPath), in, answer)
	}
	return consult(ctx, s, c.remoteFlags, post, func(w io.Writer, p remotePublisher) error {
		return said(w, "Added trusted publisher", p)
	})
}

// said says what a publisher is now, and what would make it stronger.
func said(w io.Writer, done string, p remotePublisher) error {
	lines := []string{fmt.Sprintf("%s %d: %s.", done, p.ID, shown(p.Sentence))}
	if p.Weak != "" {
		lines = append(lines, "Weak: "+shown(p.Weak))
	}
	if p.Off != "" {
		lines = append(lines, "It "+shown(p.Off)+".")
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

type publisherChangeCommand struct {
	remoteFlags
	ruleFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Number  int64       `arg:"" help:"Number of the publisher, as sluice publisher list shows it."`
}

// changedPublisher is the body that changes a publisher.
type changedPublisher struct {
	publisherRule
	Version int64 `json:"version"`
}

// Run changes what is given and leaves the rest; a change by somebody else in between is refused.
func (c *publisherChangeCommand) Run(ctx context.Context, s Streams) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	path := remote.Path("channels", string(c.Channel), publishersPath, strconv.FormatInt(c.Number, 10))
	var old remotePublisher
	if err := cl.Get(ctx, path, &old); err != nil {
		return err
	}
	in := changedPublisher{publisherRule: old.publisherRule, Version: old.Version}
	if err := c.makeRoom(ctx, cl, &in.publisherRule); err != nil {
		return err
	}
	if err := c.put(&in.publisherRule); err != nil {
		return err
	}
	put := func(ctx context.Context, cl *remote.Client, answer any) error { return cl.Put(ctx, path, in, answer) }
	return consult(ctx, s, c.remoteFlags, put, func(w io.Writer, p remotePublisher) error {
		return said(w, "Changed trusted publisher", p)
	})
}

// makeRoom takes away what fields are given for by the service's own names. The ids of another repository are others.
func (c *publisherChangeCommand) makeRoom(ctx context.Context, cl *remote.Client, r *publisherRule) error {
	if len(c.Field) == 0 {
		return nil
	}
	issuers, err := readIssuers(ctx, cl)
	if err != nil {
		return err
	}
	names := issuers.names(r.Provider)
	given := func(slot string) bool { _, ok := c.Field[names[slot]]; return ok }
	if given("owner") || given("repository") {
		r.OwnerID, r.RepositoryID = "", ""
	}
	for slot, value := range map[string]*string{
		"owner": &r.RepositoryOwner, "repository": &r.Repository, "workflow": &r.Workflow, "owner_id": &r.OwnerID, "repository_id": &r.RepositoryID,
	} {
		if given(slot) {
			*value = ""
		}
	}
	return nil
}

type publisherSwitchCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Number  int64       `arg:"" help:"Number of the publisher, as sluice publisher list shows it."`
	Way     string      `arg:"" enum:"on,off" help:"on or off. Off, it lets nobody in, and its publish tokens end at once."`
}

// Run switches the publisher.
func (c *publisherSwitchCommand) Run(ctx context.Context, s Streams) error {
	patch := func(ctx context.Context, cl *remote.Client, answer any) error {
		path := remote.Path("channels", string(c.Channel), publishersPath, strconv.FormatInt(c.Number, 10))
		return cl.Patch(ctx, path, map[string]bool{"enabled": c.Way == "on"}, answer)
	}
	return consult(ctx, s, c.remoteFlags, patch, func(w io.Writer, p remotePublisher) error {
		return said(w, "Switched "+c.Way+" trusted publisher", p)
	})
}
