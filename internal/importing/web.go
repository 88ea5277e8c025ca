package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/internal/conda"
)

// Credential is what a private source wants to see: a header, sent to the source's own scheme, host and port alone.
// The zero value is none.
type Credential struct {
	// Header is its name, such as Authorization.
	Header string
	// Value is the secret.
	Value string
}

// Format keeps the secret out of every message and log.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.Header+": (secret)") }

// Web is a channel at an address. Bodies come as long as they make progress.
type Web struct {
	base   *url.URL
	client *http.Client
	// tells is whether the JSON API of a server of ours stands beside the channel.
	tells answered
}

// Times of a connection.
const (
	dialTime   = 30 * time.Second
	headerTime = 60 * time.Second
	// stallTime is how long a body may bring nothing.
	stallTime = 60 * time.Second
)

// OpenWeb makes a source of the channel at an http or https address. An address with a user, a password or a token
// in it is refused: others see the command line.
func OpenWeb(address string, c Credential) (*Web, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("the address of a channel must be of the form https://HOST/CHANNEL")
	}
	if base.User != nil || strings.HasPrefix(base.Path, "/t/") || base.RawQuery != "" {
		return nil, errors.New("the address must not hold a password or a token, which others on this machine would see: put it into an environment variable and name that with --token-env or --header-env")
	}
	base.Fragment = ""
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() // with the proxy of the environment
	transport.DialContext = (&net.Dialer{Timeout: dialTime}).DialContext
	transport.ResponseHeaderTimeout = headerTime
	transport.MaxIdleConnsPerHost = 64
	return &Web{base: base, client: &http.Client{Transport: &keyed{Transport: transport, credential: c, scheme: base.Scheme, host: base.Host}}}, nil
}

// keyed adds the credential to requests that go to the source itself. Requests are made without it, so a redirect
// cannot carry it anywhere else.
type keyed struct {
	*http.Transport

	credential   Credential
	scheme, host string
}

// RoundTrip implements http.RoundTripper.
func (k *keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.credential.Value != "" && r.URL.Scheme == k.scheme && strings.EqualFold(r.URL.Host, k.host) {
		r = r.Clone(r.Context())
		r.Header.Set(k.credential.Header, k.credential.Value)
	}
	return k.Transport.RoundTrip(r)
}

func (w *Web) String() string { return strings.TrimSuffix(w.base.String(), "/") }

// maxList bounds the small files of a source, in bytes. channeldata.json of the largest channels has 60 MB.
const maxList = 512 << 20

// Labels implements Source.
func (w *Web) Labels(ctx context.Context) ([]conda.Label, error) {
	var l labelList
	if err := w.json(ctx, labelsFile, &l); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return l.parse()
}

// wellKnown are the subdirs that are tried where a source does not name its own.
var wellKnown = []string{
	"noarch", "emscripten-wasm32", "freebsd-64", "linux-32", "linux-64", "linux-aarch64", "linux-armv6l", "linux-armv7l", "linux-ppc64",
	"linux-ppc64le", "linux-riscv32", "linux-riscv64", "linux-s390x", "osx-64", "osx-arm64", "wasi-wasm32", "win-32", "win-64", "win-arm64", "zos-z",
}

// Subdirs implements Source: those that channeldata.json names, or else all that are known.
func (w *Web) Subdirs(ctx context.Context) ([]conda.Subdir, error) {
	var data struct {
		Subdirs []string `json:"subdirs"`
	}
	err := w.json(ctx, "channeldata.json", &data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(data.Subdirs) == 0 {
		data.Subdirs = wellKnown
	}
	found := map[conda.Subdir]bool{}
	for _, s := range data.Subdirs {
		if d, err := conda.ParseSubdir(s); err == nil {
			found[d] = true
		}
	}
	return sortedSubdirs(found), nil
}

// json reads a small file of the channel; fs.ErrNotExist when there is none.
func (w *Web) json(ctx context.Context, name string, to any) error {
	return patiently(ctx, FirstPause, func() error {
		body, err := w.get(ctx, w.base.JoinPath(name))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		defer func() { _ = body.Close() }() // it was only read
		if err := json.NewDecoder(io.LimitReader(body, maxList)).Decode(to); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return nil
	})
}

// maxIndex bounds a compressed index, in bytes: ten times the largest that is known.
const maxIndex = 16 << 30

// Index implements Source.
func (w *Web) Index(ctx context.Context, p Place) (*Index, error) {
	text, err := w.text(ctx, p, repodataFile)
	if err != nil {
		return nil, fmt.Errorf("fetch the index of %s: %w", p.Subdir, err)
	}
	return &Index{Text: *text}, nil
}

// RunExports implements Source.
func (w *Web) RunExports(ctx context.Context, p Place) (*Text, error) {
	return w.text(ctx, p, runExportsFile)
}

// text fetches a JSON file of a place, compressed where it can be had so; fs.ErrNotExist when it cannot be had.
func (w *Web) text(ctx context.Context, p Place, name string) (t *Text, err error) {
	for _, ext := range []string{packedExt, ""} {
		err = patiently(ctx, FirstPause, func() error {
			body, err := w.get(ctx, w.dir(p).JoinPath(name+ext))
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }() // it was only read
			file, err := keptCopy(body, maxIndex)
			if err == nil {
				t = &Text{file: file, packed: ext == packedExt}
			}
			return err
		})
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return t, err
}

// dir is the address of a place.
func (w *Web) dir(p Place) *url.URL {
	if p.Label == conda.MainLabel() {
		return w.base.JoinPath(p.Subdir.String())
	}
	return w.base.JoinPath("label", p.Label.String(), p.Subdir.String())
}

// Package implements Source.
func (w *Web) Package(ctx context.Context, p Place, base string, f conda.Filename) (Body, error) {
	return w.open(ctx, p, base, f.String())
}

// Sidecar implements Source.
func (w *Web) Sidecar(ctx context.Context, p Place, base string, f conda.Filename, sum [32]byte) (Body, error) {
	return w.open(ctx, p, base, sidecarName(f, sum))
}

func (w *Web) open(ctx context.Context, p Place, base, name string) (Body, error) {
	at, err := w.address(p, base, name)
	if err != nil {
		return Body{}, err
	}
	return w.get(ctx, at)
}

// File has do read a file of a place, once more from its beginning while it fails in a way that may pass. base is as
// Package has it. fs.ErrNotExist when it is not there.
func (w *Web) File(ctx context.Context, p Place, base, name string, do func(io.Reader) error) error {
	at, err := w.address(p, base, name)
	if err != nil {
		return err
	}
	return patiently(ctx, FirstPause, func() error {
		body, err := w.get(ctx, at)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }() // it was only read
		return do(body)
	})
}

// address is where a file of a place lies.
func (w *Web) address(p Place, base, name string) (*url.URL, error) {
	dir := w.dir(p).JoinPath("/")
	if base != "" {
		other, err := dir.Parse(base)
		if err != nil || other.Scheme != "http" && other.Scheme != "https" {
			return nil, errors.New("the index names an address for its packages that cannot be used")
		}
		dir = other
	}
	return dir.JoinPath(name), nil
}

// get opens what is at an address. Errors name no address: one that was redirected to may be a secret.
func (w *Web) get(ctx context.Context, at *url.URL) (Body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		cancel(nil)
		return Body{}, err
	}
	req.Header.Set("User-Agent", "sluice-import")
	res, err := w.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		err = transient(ctx, err)
		cancel(nil)
		return Body{}, err
	}
	if err := refusal(res); err != nil {
		cancel(nil)
		return Body{}, errors.Join(err, res.Body.Close())
	}
	modified, _ := http.ParseTime(res.Header.Get("Last-Modified")) // zero: it does not say
	return Body{ReadCloser: &stream{body: res.Body, ctx: ctx, cancel: cancel}, ModifiedAt: modified}, nil
}

// refusal is the error of an answer that is not 200.
func refusal(res *http.Response) error {
	switch code := res.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusNotFound, code == http.StatusGone:
		return fmt.Errorf("the source answers %s: %w", res.Status, fs.ErrNotExist)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("the source answers %s: name the variable that holds a token for it with --token-env or --header-env", res.Status)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= http.StatusInternalServerError:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // a date, or nothing: our own pauses do
		return &TransientError{Cause: fmt.Errorf("the source answers %s", res.Status), After: time.Duration(seconds) * time.Second}
	default:
		return fmt.Errorf("the source answers %s", res.Status)
	}
}

var errStalled = fmt.Errorf("nothing came for %v", stallTime)

// stream is a body that must make progress.
type stream struct {
	body   io.ReadCloser
	ctx    context.Context //nolint:containedctx // of the request that the body belongs to
	cancel context.CancelCauseFunc
}

// Read implements io.Reader. Every error but the end is a *TransientError.
func (s *stream) Read(p []byte) (int, error) {
	watch := time.AfterFunc(stallTime, func() { s.cancel(&TransientError{Cause: errStalled}) })
	defer watch.Stop()
	n, err := s.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = transient(s.ctx, err)
	}
	return n, err
}

// Close ends the request.
func (s *stream) Close() error {
	err := s.body.Close()
	s.cancel(nil)
	return err
}

// transient is an error of a connection, which may pass, unless it was ended from here.
func transient(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return &TransientError{Cause: err}
}
