package cli

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/internal/remote"
	"sluice/internal/token"
)

// remoteFlags say which server a command works on from afar, and as whom.
type remoteFlags struct {
	credentialFlags
	Server string `placeholder:"URL" help:"Address of the server (default $$SLUICE_SERVER)."`
	JSON   bool   `name:"json" help:"Print the server's answer as JSON, for scripts."`
}

// credentialFlags say as whom a server is asked, and whose certificates are taken.
type credentialFlags struct {
	Token     string `xor:"credential" placeholder:"TOKEN" help:"API token (default $$SLUICE_TOKEN). Others on this machine may see it in the list of processes: prefer the variable or --token-file."`
	TokenFile string `name:"token-file" xor:"credential" placeholder:"FILE" help:"File with the API token."`
	CA        string `name:"ca" placeholder:"FILE" help:"PEM file with certificates of a private authority, taken besides the system's."`
}

// client makes the client of a command.
func (f remoteFlags) client() (*remote.Client, error) {
	server := f.Server
	if server == "" {
		server = os.Getenv("SLUICE_SERVER")
	}
	if server == "" {
		return nil, errors.New("no server is named: use --server https://…, or set SLUICE_SERVER")
	}
	t, err := f.token()
	if err != nil {
		return nil, err
	}
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	return remote.New(remote.Options{Server: server, Token: t, Roots: roots, Agent: agent()})
}

// agent is what this program calls itself to servers.
func agent() string { return "sluice/" + version() }

// token finds the API token: the flag, then the file, then the variable. None is no mistake: public channels are
// shown to anybody.
func (f credentialFlags) token() (token.Token, error) {
	s, from := f.Token, "--token"
	switch {
	case s != "":
	case f.TokenFile != "":
		b, err := readSmall(f.TokenFile)
		if err != nil {
			return token.Token{}, fmt.Errorf("read the token: %w", err)
		}
		s, from = string(b), f.TokenFile
	default:
		s, from = os.Getenv("SLUICE_TOKEN"), "SLUICE_TOKEN"
		if s == "" {
			return token.Token{}, nil
		}
	}
	t, err := token.Parse(strings.TrimSpace(s))
	if err != nil {
		return token.Token{}, fmt.Errorf("%s: %w", from, err)
	}
	return t, nil
}

// roots are the authorities that may sign certificates; nil means those of the system.
func (f credentialFlags) roots() (*x509.CertPool, error) {
	if f.CA == "" {
		return nil, nil //nolint:nilnil // no pool is what crypto/tls calls the system's
	}
	b, err := readSmall(f.CA)
	if err != nil {
		return nil, fmt.Errorf("read the certificates: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", f.CA)
	}
	return roots, nil
}

// maxSmall bounds the files that are named on the command line, in bytes.
const maxSmall = 4 << 20

func readSmall(name string) ([]byte, error) { return readUpTo(name, maxSmall) }

// readUpTo reads a file of at most so many bytes.
func readUpTo(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(file, most+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return b, nil
}

// call is one question to a server.
type call func(ctx context.Context, c *remote.Client, answer any) error

// at is the question what is at a path of the API.
func at(segments ...string) call {
	return func(ctx context.Context, c *remote.Client, answer any) error {
		return c.Get(ctx, remote.Path(segments...), answer)
	}
}

// consult asks and prints the answer: as it came with --json, else as show tells it to people.
func consult[T any](ctx context.Context, s Streams, f remoteFlags, do call, show func(w io.Writer, answer T) error) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := do(ctx, c, &raw); err != nil {
		return err
	}
	if f.JSON {
		_, err := fmt.Fprintf(s.Out, "%s\n", raw)
		return err
	}
	var answer T
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the answer of %s cannot be read: %w", c.Server(), err)
	}
	return show(s.Out, answer)
}

// remove deletes what is at a path of the API and says so; with --json nothing is printed, as nothing is answered.
func (f remoteFlags) remove(ctx context.Context, s Streams, done string, segments ...string) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	if err := c.Delete(ctx, remote.Path(segments...)); err != nil || f.JSON {
		return err
	}
	_, err = fmt.Fprintln(s.Out, done)
	return err
}
