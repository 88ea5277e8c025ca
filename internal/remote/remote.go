// Package remote speaks the JSON API of a Sluice server from afar: one server, at most one API token, JSON in
// and out, and refusals as errors that a person can act on. It must not know what any path of the API is for.
package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sluice/internal/config"
	"sluice/internal/token"
)

// prefix is what every path of the API begins with.
const prefix = "/api/v1"

const (
	// maxAnswer bounds an answer, in bytes.
	maxAnswer = 16 << 20
	// timeout bounds one call, answer included.
	timeout = time.Minute
)

// Options say which server is spoken to, and as whom.
type Options struct {
	// Server is its public address: https, or http on loopback.
	Server string
	// Token is an API token; the zero value calls as nobody.
	Token token.Token
	// Roots are the authorities that may sign its certificate; nil means those of the system.
	Roots *x509.CertPool
	// Agent is the User-Agent header, such as "sluice/v1.2.3".
	Agent string
}

// Client calls one server. It may be used by several goroutines at once.
type Client struct {
	server string
	token  token.Token
	agent  string
	http   *http.Client
}

// New makes a client. It connects to nothing. Its error says what is wrong with the address.
func New(o Options) (*Client, error) {
	server, err := config.Origin(o.Server)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	return &Client{server: server, token: o.Token, agent: o.Agent, http: &http.Client{
		Transport: Transport(o.Roots), Timeout: timeout, CheckRedirect: NoRedirects,
	}}, nil
}

// Transport carries requests over TLS 1.2 or newer, through the proxy that the environment names if there is
// one. roots may sign certificates; nil means those of the system.
func Transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: timeout,
		IdleConnTimeout:       timeout,
		MaxIdleConnsPerHost:   2,
	}
}

// NoRedirects is the policy of a client that hands every redirect to its caller: none is followed with a token.
func NoRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Server is the server's address, in its one spelling.
func (c *Client) Server() string { return c.server }

// Path puts segments together to a path below /api/v1, each escaped: Path("channels", "forge") is /channels/forge.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// Get reads what is at a path below /api/v1 (see Path; a query may follow it) into out, a pointer as for json.Unmarshal.
// Its errors, and those of the other methods, are *RefusedError, *ForeignError, or say why there was no answer.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// Post sends in, as JSON, and reads the answer into out. Either may be nil: no body, an answer that nobody needs. A
// json.RawMessage goes as it is.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPost, path, in, out)
}

// Put is Post with the method PUT.
func (c *Client) Put(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPut, path, in, out)
}

// Patch is Post with the method PATCH.
func (c *Client) Patch(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPatch, path, in, out)
}

// Delete removes what is at a path.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return c.unreachable(err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer of %s is larger than %d bytes; ask for less", c.server, maxAnswer)
	}
	if err := refused(res, body); err != nil {
		return err
	}
	if out == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	if !isJSON(res.Header) {
		return foreign(res)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the answer of %s cannot be read: %w", c.server, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		b, raw := in.(json.RawMessage)
		if !raw {
			var err error
			if b, err = json.Marshal(in); err != nil {
				return nil, fmt.Errorf("write the request: %w", err)
			}
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+prefix+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.agent)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	return req, nil
}

// unreachable says that no answer came. The address of the request is left out: it repeats the server's.
func (c *Client) unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("%s gives no answer: %w. Look for the reason with: sluice doctor --url %s", c.server, err, c.server)
}
