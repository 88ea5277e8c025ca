// Package doctor finds out from afar why clients cannot read from a Sluice server or publish to it: it sends what
// clients send, harmlessly, and compares what comes back with what the server says of itself. Each check is a
// function from what was seen to a finding. It must not change anything on the server, and never tells a secret.
package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sluice/internal/config"
	"sluice/internal/remote"
	"sluice/internal/token"
)

// Result is how a check ended.
type Result string

// The results.
const (
	// OK: as it should be.
	OK Result = "ok"
	// Look: it works, or may work; somebody should look at it.
	Look Result = "look"
	// Fail: some client will not get through.
	Fail Result = "fail"
)

// Finding is what one check found.
type Finding struct {
	// Check names what was looked at, in a word or two.
	Check  string `json:"check"`
	Result Result `json:"result"`
	// Said is what was seen, one sentence without a stop.
	Said string `json:"said"`
	// Do is what to do about it; empty when nothing is.
	Do string `json:"do,omitempty"`
}

// Target is what is examined, and from where.
type Target struct {
	// URL is the address that people give their clients: https, or http on loopback.
	URL string
	// Channel is the channel to read; empty for none.
	Channel string
	// Token is an API token that may read it; the zero value for none.
	Token token.Token
	// Roots are the authorities that are taken besides the system's, together with them; nil for none.
	Roots *x509.CertPool
	// Agent is the User-Agent header.
	Agent string
	// Getenv reads the environment, which tells a CI job, and Run runs its programs: it gives what they print. The
	// error is exec.ErrNotFound where there is none of that name.
	Getenv func(string) string
	Run    func(ctx context.Context, name string, args ...string) ([]byte, error)
	// Now is this machine's clock.
	Now func() time.Time
}

// examination is one examination under way.
type examination struct {
	Target
	address  *url.URL
	audience string
	http     *http.Client
	tell     func(Finding)
}

// Examine looks at everything, in the order in which a client meets it, and tells each finding as it comes. Where
// nothing further can work, it ends early. The error says that the address is none, or that ctx ended.
func Examine(ctx context.Context, t Target, tell func(Finding)) error {
	origin, err := config.Origin(t.URL)
	if err != nil {
		return fmt.Errorf("server address: %w", err)
	}
	t.URL = origin
	address, err := url.Parse(origin)
	if err != nil {
		return fmt.Errorf("server address: %w", err)
	}
	transport := remote.Transport(t.Roots)
	defer transport.CloseIdleConnections()
	x := &examination{
		Target: t, address: address, audience: config.Config{URL: origin}.Audience(), tell: tell,
		http: &http.Client{Transport: transport, CheckRedirect: remote.NoRedirects},
	}
	x.all(ctx)
	return ctx.Err()
}

func (x *examination) all(ctx context.Context) {
	if !x.reach(ctx) {
		return
	}
	about, ok := x.server(ctx)
	if !ok {
		return
	}
	x.publishing(ctx)
	x.credential(ctx)
	if x.Channel != "" {
		x.channel(ctx)
	}
	x.job(ctx, about)
}

// each tells several findings.
func (x *examination) each(findings ...Finding) {
	for _, f := range findings {
		x.tell(f)
	}
}

func ok(check, format string, args ...any) Finding {
	return Finding{Check: check, Result: OK, Said: fmt.Sprintf(format, args...)}
}

func look(check, said, do string) Finding {
	return Finding{Check: check, Result: Look, Said: said, Do: do}
}

func fail(check, said, do string) Finding {
	return Finding{Check: check, Result: Fail, Said: said, Do: do}
}
