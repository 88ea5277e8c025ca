// Package cli is the command line: what a person types, and what they read. It opens what a command needs,
// hands it to the rooms, and turns errors into sentences with an exit code. It must not decide what a room decides.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"sluice/internal/config"
	"sluice/internal/fault"
	"sluice/internal/remote"
)

// Streams are a command's input and outputs.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// commands is everything that can be typed.
type commands struct {
	Serve       serveCommand       `cmd:"" help:"Run the server."`
	Demo        demoCommand        `cmd:"" help:"Try keyless publishing on this machine: a server, a local stand-in for a CI token service, and a first publish to look at."`
	Admin       adminCommand       `cmd:"" help:"Work on the data itself: accounts and tokens. Also while the server runs."`
	Import      importCommand      `cmd:"" help:"Bring the packages of another channel, from a folder or an address, into a channel here; while no server runs on the data."`
	Export      exportCommand      `cmd:"" help:"Write a channel as a folder that any file server can serve; also while the server runs."`
	Index       indexCommand       `cmd:"" help:"Work on the index itself. Also while the server runs."`
	Channel     channelCommand     `cmd:"" help:"Channels of a server, from afar."`
	Publisher   publisherCommand   `cmd:"" help:"Trusted publishers of a server, from afar."`
	Yank        yankCommand        `cmd:"" help:"Hide files from solvers, from afar; lock files that name them go on working."`
	Unyank      unyankCommand      `cmd:"" help:"Take yanks back."`
	Delete      deleteCommand      `cmd:"" help:"Hide files from everybody, from afar; their bytes are removed when the time to take it back is over."`
	Restore     restoreCommand     `cmd:"" help:"Take deletions back."`
	Label       labelCommand       `cmd:"" help:"Labels of a channel, from afar: listings inside it that clients read like channels of their own."`
	Patch       patchCommand       `cmd:"" help:"Correct what the index says of a file, from afar."`
	Token       apiTokenCommand    `cmd:"" help:"Your API tokens on a server, from afar."`
	Attestation attestationCommand `cmd:"" help:"Attestations: signed statements of who published a file."`
	Verify      verifyCommand      `cmd:"" help:"Look at every file of a channel as its most careful reader would: bytes, index, attestations. Also while the server runs."`
	Doctor      doctorCommand      `cmd:"" help:"Find out from afar why clients cannot read from a server or publish to it."`
	Config      configCommand      `cmd:"" help:"Print the settings in force and where each comes from."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// configFlags are the settings that every command takes which opens a server's data.
type configFlags struct {
	config.Flags `embed:""`
	ConfigFile   string `name:"config" placeholder:"FILE" help:"TOML file with settings; flags and SLUICE_… variables go before it."`
}

func (f configFlags) load() (config.Config, error) {
	return config.Load(f.Flags, os.Getenv, f.ConfigFile)
}

// Exit codes. exitNo is for questions that were answered with no: changes are pending, a token would be refused, no
// attestation holds, a file is not as it should be.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitNo     = 3
)

// Main runs one command and returns its exit code. SIGINT and SIGTERM end it in order. A second one has its
// default effect, there and then: what is acknowledged survives that, and the next start takes up the rest.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, args, Streams{In: in, Out: out, Err: errOut})
}

// exited carries the exit code that kong asks for after --help.
type exited int

// Run runs one command until it is done or ctx ends, and returns its exit code.
func Run(ctx context.Context, args []string, s Streams) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = int(r)
		default:
			panic(r)
		}
	}()
	var c commands
	parser, err := kong.New(&c, kong.Name("sluice"), kong.Writers(s.Out, s.Err), kong.Exit(func(code int) { panic(exited(code)) }),
		kong.Description("A conda channel server. CI publishes into it without a stored key, and every package says which run made it."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s))
	if err != nil {
		_, _ = fmt.Fprintln(s.Err, "sluice:", err)
		return exitFailed
	}
	for _, command := range parser.Model.Children {
		if slices.Contains([]string{"admin", "import", "export", "index"}, command.Name) {
			hideForeign(command)
		}
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(s.Err, "sluice: %v\nRun sluice --help for what there is.\n", err)
		return exitUsage
	}
	switch err := command.Run(); {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil: // a signal, whose reason the person knows
		_, _ = fmt.Fprintln(s.Err, "sluice: interrupted before it was done")
		return exitFailed
	case errors.Is(err, errPending), errors.Is(err, errRefused), errors.Is(err, errDifferent), errors.Is(err, errUnproven), errors.Is(err, errNotVerified):
		return exitNo
	case err != nil:
		_, _ = fmt.Fprintln(s.Err, "sluice:", sentence(err))
		return exitFailed
	}
	return exitOK
}

// sentence is what a person should read of an error: of a refusal, its sentence alone.
func sentence(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Detail
	}
	if r, ok := errors.AsType[*remote.RefusedError](err); ok {
		return refusal(r)
	}
	return strings.ReplaceAll(err.Error(), "\n", "\n        ") // several mistakes, each on its line
}

// refusal is what a person should read of a server's refusal: its sentence, and what to do about a missing or dead token.
func refusal(r *remote.RefusedError) string {
	said := r.Error()
	switch r.Code {
	case fault.Unauthenticated:
		said += "\n        Give an API token with --token-file FILE or in SLUICE_TOKEN; make the first one in the browser, under API tokens,\n        or on the server's machine with: sluice admin token create --user NAME"
	case fault.InvalidToken, fault.Expired, fault.Revoked:
		said += "\n        Make a new API token in the browser, under API tokens, and give it with --token-file FILE or in SLUICE_TOKEN."
	}
	return said
}

// hideForeign leaves out of the help for the commands that work on the data what only concerns a server. The
// flags are still taken, so that a script can give all commands the same.
func hideForeign(admin *kong.Node) {
	for _, f := range admin.Flags {
		f.Hidden = f.Hidden || serverOnly(f.Name)
	}
	for _, child := range admin.Children {
		hideForeign(child)
	}
}

// serverOnly reports whether a flag is a setting that does not say where the data is.
func serverOnly(flag string) bool {
	return slices.Contains([]string{
		"listen", "url", "store", "issuer", "audience", "mail", "mail-from", "upload-max", "publish-token-life", "shutdown-grace", "stall-timeout",
		"delete-undo", "index-memory", "log-format", "log-level",
	}, flag)
}

type configCommand struct {
	configFlags
}

// Run prints the settings.
func (c *configCommand) Run(s Streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return cfg.Print(s.Out)
}

type versionCommand struct{}

// Run prints the version.
func (*versionCommand) Run(s Streams) error {
	_, err := fmt.Fprintln(s.Out, "sluice", version())
	return err
}

// version is that of the build: a release's tag, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
