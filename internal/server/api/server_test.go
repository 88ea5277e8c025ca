package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const want = `{"url": "https://conda.example.org", "version": "1.2.3", "time": "2026-08-20T12:00:00Z", "audiences": ["conda.example.org", "prefix.dev"],
		"issuers": [{"provider": "github", "issuer": "https://token.actions.githubusercontent.com", "usable": true, "keys": 2,
			"keys_fetched_at": "2026-08-20T12:00:00Z", "clock_skew_seconds": 1.5}],
		"sigstore": [{"name": "sigstore", "usable": true, "source": "tuf", "used_at": "2026-08-20T12:00:00Z", "stale": true}],
		"arrived": {"host": "example.com", "scheme": "http", "proxy_headers": []}}`
	w.walk(t, []step{
		{name: "anybody", method: "GET", path: "/server", status: 200, want: want},
		{name: "with a token that nobody knows", who: "unknown", method: "GET", path: "/server", status: 200, want: want},
		{name: "another method", method: "POST", path: "/server", body: "{}", status: 405, want: `{"code": "method_not_allowed"}`},
		{name: "a query", method: "GET", path: "/server?channel=vault", status: 422, want: `{"code": "invalid_field"}`},
	})
}

// What a proxy did is told by names alone, in one line.
func TestArrived(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "https://conda.example.org/api/v1/server", nil)
	r.Host = "evil\nhost"
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	r.Header.Set("Via", "1.1 proxy")
	r.Header.Set("X-Other", "x")
	if d := cmp.Diff(arrivedJSON{Host: "evil<U+000A>host", Scheme: "https", ProxyHeaders: []string{"Via", "X-Forwarded-For"}}, arrived(r)); d != "" {
		t.Error(d)
	}
}
