package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/cijob"
	"sluice/internal/conda"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/fault"
	"sluice/internal/standin"
	"sluice/internal/token"
	"sluice/internal/trust"
)

type demoCommand struct {
	Listen string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Loopback address to listen on (port 0: any free one)."`
	Data   string `placeholder:"FOLDER" help:"Data folder to keep (default: a temporary one, removed at the end)."`
	Once   bool   `help:"End after checking everything; exit 0 means that all of it works."`
}

// The names of the demo's world.
const (
	demoChannel  = "demo"
	demoUser     = "demo"
	demoOwner    = "acme"
	demoRepo     = "forge"
	demoWorkflow = "build.yml"
)

// demo is one run of the command.
type demo struct {
	out      io.Writer
	step     int
	run      *running
	ci       *standin.Service
	job      *standin.Job
	password string
}

// Run shows the whole way of a keyless publish on this machine, and stays up to be tried out.
func (c *demoCommand) Run(ctx context.Context, s Streams) (err error) {
	if !loopback(c.Listen) {
		return fmt.Errorf("the demo listens on a loopback address only, such as 127.0.0.1:8080, not on %s: whoever can reach it can have any CI run vouched for", c.Listen)
	}
	folder, remove, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	ci, err := standin.Listen("127.0.0.1:0", time.Now)
	if err != nil {
		return fmt.Errorf("start the stand-in for the CI token service: %w", err)
	}
	defer func() { err = errors.Join(err, ci.Close()) }()
	d := &demo{out: s.Out, ci: ci}
	if d.run, err = c.start(ctx, folder, ci.URL(), s.Err); err != nil {
		return err
	}
	if err := d.story(ctx); err != nil {
		if ctx.Err() != nil {
			err = errors.New("stopped before everything was shown")
		}
		return errors.Join(err, d.run.stop())
	}
	if c.Once {
		d.say("Everything works.")
		return d.run.stop()
	}
	d.invite()
	return d.run.wait(ctx)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// folder is where the data goes, and how to take it away again.
func (c *demoCommand) folder() (path string, remove func() error, err error) {
	if c.Data != "" {
		return c.Data, func() error { return nil }, nil
	}
	top, err := os.MkdirTemp("", "sluice-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("make a temporary folder: %w; choose one with --data FOLDER", err)
	}
	return filepath.Join(top, "data"), func() error { return os.RemoveAll(top) }, nil
}

func (c *demoCommand) start(ctx context.Context, folder, issuer string, logTo io.Writer) (*running, error) {
	text := func(s string) *config.Text { return new(config.Text(s)) }
	cfg, err := config.Load(config.Flags{
		Listen: text(c.Listen), Data: text(folder), Issuer: map[string]string{"github": issuer}, SigstoreTUF: text("off"), ShutdownGrace: text("5s"),
	}, func(string) string { return "" }, "")
	if err != nil {
		return nil, err
	}
	return start(ctx, cfg, slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) did(format string, args ...any) {
	d.step++
	d.say("%2d. "+format, append([]any{d.step}, args...)...)
}

// story is the main job from end to end.
func (d *demo) story(ctx context.Context) error {
	d.say("Keyless publishing, all on this machine:\n")
	d.did("Sluice serves %s, with SQLite and a folder for the packages.", d.run.cfg.URL)
	d.did("A local stand-in for GitHub's token service runs at %s. It vouches for pretended CI runs.", d.ci.URL())
	ch, err := d.channel(ctx)
	if err != nil {
		return err
	}
	if err := d.publisher(ctx, ch); err != nil {
		return err
	}
	earlier, err := d.run.data.db.Files(ctx, ch.ID, helloName)
	if err != nil {
		return err
	}
	files, err := packages(len(earlier))
	if err != nil {
		return err
	}
	d.job = d.ci.Start(standin.Run{Owner: demoOwner, Repository: demoRepo, Workflow: demoWorkflow})
	d.did("Run %d of %s in %s/%s begins. Nobody gave it a key.", d.job.RunNumber, demoWorkflow, demoOwner, demoRepo)
	if err := d.publish(ctx, files); err != nil {
		return err
	}
	if err := readBack(ctx, d.run.cfg.URL+"/"+demoChannel, files); err != nil {
		return err
	}
	d.did("Read back at once: repodata.json, repodata.json.zst and the shards all list both packages, and their bytes are the same.")
	return nil
}

// channel makes the account and the channel, or finds those of an earlier run in the same folder.
func (d *demo) channel(ctx context.Context) (channel.Channel, error) {
	d.password = rand.Text()[:16]
	owner, err := d.run.server.Accounts.Create(ctx, operator, demoUser, d.password, true, token.Token{})
	if fault.Is(err, fault.Conflict) {
		d.password = ""
		name, err := conda.ParseChannel(demoChannel)
		if err != nil {
			return channel.Channel{}, err
		}
		d.did("The account %s and the channel %s are there from an earlier run.", demoUser, demoChannel)
		return d.run.data.db.ChannelByName(ctx, name)
	} else if err != nil {
		return channel.Channel{}, err
	}
	ch, err := d.run.server.Channels.Create(ctx, actor(owner), owner.ID, demoChannel, channel.Public, "Packages that were published without a stored key.")
	if err != nil {
		return ch, err
	}
	d.did("Made the account %s and its channel %s.", owner.Name, ch.Name)
	return ch, nil
}

func actor(u account.User) audit.Actor {
	return audit.Actor{Kind: audit.User, Name: u.Name, Means: "demo"}
}

// publisher adds the rule. The stand-in of an earlier run had another address, so its rule goes.
func (d *demo) publisher(ctx context.Context, ch channel.Channel) error {
	by := audit.Actor{Kind: audit.User, Name: demoUser, Means: "demo"}
	old, err := d.run.data.db.Publishers(ctx, ch.ID)
	if err != nil {
		return err
	}
	for _, p := range old {
		if err := d.run.server.Publishers.Remove(ctx, by, ch, p.ID); err != nil {
			return err
		}
	}
	p, err := d.run.server.Publishers.Add(ctx, by, ch, trust.PublisherSpec{
		Owner: demoOwner, Repository: demoRepo, Workflow: demoWorkflow,
	})
	if err != nil {
		return err
	}
	d.did("Added a trusted publisher. %s.", p.Sentence())
	return nil
}

const helloName = "sluice-hello"

// packages are the two that the demo publishes, by file name. Each run in the same folder raises the build number.
func packages(number int) (map[string][]byte, error) {
	hello := build.Package{
		Name: helloName, Version: "1.0.0", Build: strconv.Itoa(number), BuildNumber: uint64(number), Subdir: "noarch", Noarch: "generic", License: "BSD-3-Clause",
		About: build.About{Summary: "Says hello from a package that was published without a key."},
		Files: map[string][]byte{"bin/sluice-hello": []byte("#!/bin/sh\necho \"Hello from a package that no stored key published.\"\n")},
	}
	friend := build.Package{
		Name: "sluice-friend", Version: "1.0.0", Build: strconv.Itoa(number), BuildNumber: uint64(number), Subdir: "noarch", Noarch: "generic", License: "BSD-3-Clause",
		Depends: []string{"sluice-hello >=1.0"},
		About:   build.About{Summary: "Needs sluice-hello, in the older package format."},
		Files:   map[string][]byte{"bin/sluice-friend": []byte("#!/bin/sh\nsluice-hello\necho \"And from its friend.\"\n")},
	}
	first, err := hello.Conda()
	if err != nil {
		return nil, fmt.Errorf("build a .conda: %w", err)
	}
	second, err := friend.TarBz2()
	if err != nil {
		return nil, fmt.Errorf("build a .tar.bz2: %w", err)
	}
	return map[string][]byte{hello.Stem() + conda.ExtConda: first, friend.Stem() + conda.ExtTarBz2: second}, nil
}

// publish uploads as a CI job does: with rattler-build itself where it is installed, else by the same requests.
func (d *demo) publish(ctx context.Context, files map[string][]byte) error {
	if tool, err := exec.LookPath("rattler-build"); err == nil {
		return d.rattlerBuild(ctx, tool, files)
	}
	job := cijob.New(d.job.Env())
	audience, err := cijob.Audience(d.run.cfg.URL)
	if err != nil {
		return err
	}
	idToken, err := job.IdentityToken(ctx, audience)
	if err != nil {
		return err
	}
	d.did("The job asked the token service for an identity token with the audience %s.", audience)
	bearer, err := job.Mint(ctx, d.run.cfg.URL, idToken)
	if err != nil {
		return fmt.Errorf("exchange the identity token: %w", err)
	}
	d.did("The job exchanged it for a publish token that lives %d minutes and uploads to channel %s only.", int(d.run.cfg.PublishTokenLife.Minutes()), demoChannel)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		answer, err := job.Upload(ctx, d.run.cfg.URL, demoChannel, bearer, name, files[name])
		if err != nil {
			return fmt.Errorf("upload %s: %w", name, err)
		}
		d.job.Log(answer)
		d.did("Uploaded. %s", answer)
	}
	return nil
}

// rattlerBuild lets the real client do the upload.
func (d *demo) rattlerBuild(ctx context.Context, tool string, files map[string][]byte) (err error) {
	dir, err := os.MkdirTemp("", "sluice-demo-packages-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	args := []string{"upload", "prefix", "--url", d.run.cfg.URL, "--channel", demoChannel}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			return err
		}
		args = append(args, path)
	}
	cmd := exec.CommandContext(ctx, tool, args...) //nolint:gosec // the program of that name on the user's own PATH
	cmd.Env = append(os.Environ(), d.job.Env()...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("rattler-build refused to upload: %w\n%s", err, said)
	}
	d.did("rattler-build, found on your PATH, got an identity token, exchanged it and uploaded %d files.", len(files))
	return nil
}

// invite prints where to look and how to go on.
func (d *demo) invite() {
	url := d.run.cfg.URL
	page := func(path, what string) { d.say("  %-*s %s", len(url)+44, url+path, what) }
	d.say("\nLook at it:")
	page("/channels/"+demoChannel, "the channel")
	page("/channels/"+demoChannel+"/packages/"+helloName, "who published the package, with a link to the run's log")
	page("/channels/"+demoChannel+"/publishers", "the Trusted publishers tab")
	if d.password != "" {
		page("/sign-in", "user "+demoUser+", password "+d.password)
	}
	d.say(`
Install from it, in a shell of its own:
  pixi init try --channel %[1]s/%[2]s && cd try && pixi add sluice-friend && pixi run sluice-friend
  micromamba create --yes --prefix ./try --override-channels --channel %[1]s/%[2]s sluice-friend

Publish to it as that CI run, with your own package and no key:`, url, demoChannel)
	for _, line := range d.ci.Start(standin.Run{Owner: demoOwner, Repository: demoRepo, Workflow: demoWorkflow}).Env() {
		d.say("  export '%s'", line)
	}
	d.say("  rattler-build upload prefix --url %s --channel %s output/noarch/*.conda\n\nCtrl-C ends it.", url, demoChannel)
}
