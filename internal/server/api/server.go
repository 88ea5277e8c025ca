package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sluice/internal/fault"
)

// serverJSON is what anybody may know of a server, for whoever looks for the reason why something fails.
type serverJSON struct {
	URL       string      `json:"url" format:"uri" example:"https://conda.example.org" doc:"The server's public address, as its operator set it."`
	Version   string      `json:"version" example:"v1.2.3" doc:"The program's version."`
	Time      time.Time   `json:"time" example:"2026-08-20T12:00:00Z" doc:"The server's clock."`
	Audiences []string    `json:"audiences" nullable:"false" example:"conda.example.org" doc:"What an identity token may be made for; the first is the one to ask for."`
	Issuers   []Issuer    `json:"issuers" nullable:"false" doc:"Whose identity tokens are taken, and how their keys stand."`
	Sigstore  []Instance  `json:"sigstore" nullable:"false" doc:"By whose keys attestations are checked, and how those stand."`
	Arrived   arrivedJSON `json:"arrived" doc:"How this request came to the server: what differs from how it was sent, something on the way changed."`
}

// Issuer is how the keys of one issuer stand. It says that something is wrong, never why: that is the operator's.
type Issuer struct {
	Provider string `json:"provider" example:"github" doc:"The kind of CI service."`
	Issuer   string `json:"issuer" format:"uri" example:"https://token.actions.githubusercontent.com" doc:"Its address, as tokens must name it."`
	// Usable says that its tokens can be checked now.
	Usable    bool      `json:"usable" doc:"Whether its identity tokens can be checked now."`
	Keys      int       `json:"keys" minimum:"0" example:"4" doc:"How many of its keys are known."`
	FetchedAt time.Time `json:"keys_fetched_at,omitzero" example:"2026-08-20T11:55:00Z" doc:"When they were fetched; absent when never."`
	// Stale says that the keys could not be had anew, and those at hand serve on.
	Stale bool `json:"stale,omitempty" doc:"The keys could not be had anew; those that are known serve on for a day."`
	// ClockSkew is the issuer's clock minus ours, in seconds, as last seen.
	ClockSkew float64 `json:"clock_skew_seconds" example:"-0.5" doc:"The issuer's clock minus this server's, as last seen."`
}

// arrivedJSON is a request as the server saw it.
type arrivedJSON struct {
	Host         string   `json:"host" example:"conda.example.org" doc:"The Host header."`
	Scheme       string   `json:"scheme" enum:"http,https" example:"http" doc:"How the last hop spoke to the server: http behind a proxy that speaks TLS."`
	ProxyHeaders []string `json:"proxy_headers" nullable:"false" example:"X-Forwarded-For" doc:"Names of the headers that only a proxy adds; none: no proxy made itself known."`
}

// proxyHeaders are what proxies add to a request, in the order in which they are told.
func proxyHeaders() []string {
	return []string{"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}
}

// arrived tells how a request came.
func arrived(r *http.Request) arrivedJSON {
	a := arrivedJSON{Host: fault.OneLine(r.Host, maxShown), Scheme: "http", ProxyHeaders: []string{}}
	if r.TLS != nil {
		a.Scheme = "https"
	}
	for _, name := range proxyHeaders() {
		if r.Header.Get(name) != "" {
			a.ProxyHeaders = append(a.ProxyHeaders, name)
		}
	}
	return a
}

// serverInput is a request that is looked at as it came.
type serverInput struct{ arrived arrivedJSON }

// Resolve implements huma.Resolver: an operation sees its request nowhere else.
func (in *serverInput) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	in.arrived = arrived(r)
	return nil
}

type serverOutput struct{ Body serverJSON }

// serverRoutes are about the caller, the server and the API itself.
func (s *service) serverRoutes() {
	tags := []string{"server"}
	add(s, huma.Operation{
		OperationID: "get-me", Method: http.MethodGet, Path: "/me", Tags: tags,
		Summary: "Tell who is calling", Description: "Takes any credential that is alive, whatever it was made for; one that is not is refused with the reason.",
	}, s.getMe)
	add(s, open(huma.Operation{
		OperationID: "get-server", Method: http.MethodGet, Path: "/server", Tags: tags,
		Summary: "Tell what this server is, and how the request came to it", Description: "For anybody: sluice doctor compares it with what was asked.",
	}), s.getServer)
	s.documentRoute()
}

func (s *service) getServer(_ context.Context, in *serverInput) (*serverOutput, error) {
	return &serverOutput{Body: serverJSON{
		URL: s.URL, Version: s.Version, Time: s.Now().UTC(), Audiences: s.Audiences, Issuers: s.Issuers(), Sigstore: s.Sigstore(), Arrived: in.arrived,
	}}, nil
}
