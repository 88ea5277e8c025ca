package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// came is an answer as a test writes it.
func came(status int, kind, body string, header ...string) answer {
	a := answer{status: status, header: http.Header{}, body: []byte(body)}
	a.header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		a.header.Set(header[i], header[i+1])
	}
	return a
}

var errCut = errors.New("connection reset by peer")

// Each check, where no real server is needed to see what it says.
func TestChecks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	asked := answer{sent: now.Add(-time.Second), came: now.Add(time.Second), header: http.Header{"Date": {now.Add(2 * time.Minute).Format(http.TimeFormat)}}}
	keys := issuer{Provider: "github", Issuer: "https://ci.example.com", Usable: true, Keys: 2, FetchedAt: now.Add(-10 * time.Minute)}
	issuerWith := func(change func(*issuer)) Finding {
		is := keys
		change(&is)
		return issuerKeys(is, now)
	}
	sigstoreWith := func(change func(*instance)) []Finding {
		i := instance{Name: "acme", Usable: true, Source: "tuf", UsedAt: now.Add(-90 * time.Hour), CheckedAt: now.Add(-48 * time.Hour)}
		change(&i)
		return []Finding{instanceKeys(i, now)}
	}
	with304 := fetched{get: came(200, "application/json", "{}", "Etag", `"a"`), again: came(304, "", "", "Etag", `"a"`), head: came(200, "", "")}
	without := with304
	without.get = came(200, "application/json", "{}")
	other := with304
	other.again = came(304, "", "", "Etag", `"b"`)
	for _, tt := range []struct {
		name string
		f    []Finding
		want string
	}{
		{"it resolves", []Finding{resolved("conda.example.com", []string{"192.0.2.7"}, nil)}, ""},
		{"it does not", []Finding{resolved("conda.example.com", nil, errors.New("no such host"))}, "fail name: conda.example.com does not resolve: no such host"},
		{"nobody listens", []Finding{unreachable(syscall.ECONNREFUSED)}, "fail connection: no connection: connection refused"},
		{"nobody answers", []Finding{unreachable(context.DeadlineExceeded)}, "fail connection: no connection: context deadline exceeded"},
		{"no TLS", []Finding{unreachable(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"})}, "fail connection: no connection: tls: first record"},
		{"plain http is shut", []Finding{plainHTTP("https://x", answer{err: errCut})}, ""},
		{"plain http leads on", []Finding{plainHTTP("https://x", came(308, "", "", "Location", "https://x/healthz"))}, ""},
		{"plain http leads astray", []Finding{plainHTTP("https://x", came(302, "", "", "Location", "/login"))}, "look plain http: a redirect to /login"},
		{"plain http is open", []Finding{plainHTTP("https://x", came(200, "text/plain", "alive"))}, "look plain http: answered as https is"},
		{"an older server", func() []Finding {
			_, f := identity(came(404, "application/problem+json", `{"code": "not_found", "request_id": "ABCD1234"}`))
			return []Finding{f}
		}(), "look server: an older Sluice"},
		{"another clock, of nobody knows whom", []Finding{clock(asked, &about{Time: now.Add(-2 * time.Minute)})}, "fail clock: the server's is 2m0s behind this machine's"},
		{"a clock to look at", []Finding{clock(asked, &about{Time: now.Add(20 * time.Second)})}, "look clock: the server's is 20s ahead of this machine's"},
		{"the proxy's clock", []Finding{clock(asked, &about{Time: now})}, "look clock: the proxy's is 2m0s ahead of the server's"},
		{"fresh keys", []Finding{issuerWith(func(*issuer) {})}, ""},
		{"old keys", []Finding{issuerWith(func(i *issuer) { i.FetchedAt = now.Add(-5 * time.Hour) })}, "look issuer github: the keys of https://ci.example.com were fetched 5h0m0s ago"},
		{"keys too old", []Finding{issuerWith(func(i *issuer) { i.Usable = false })}, "fail issuer github: the server's keys of https://ci.example.com are too old"},
		{"fresh sigstore", sigstoreWith(func(*instance) {}), ""},
		{"sigstore without keys", sigstoreWith(func(i *instance) { i.Usable = false }), "fail sigstore acme: the server has no keys of it"},
		{"sigstore by an old file", sigstoreWith(func(i *instance) { i.Stale, i.Source = true, "file" }), "look sigstore acme: the file with its keys cannot be read"},
		{"sigstore by the program", sigstoreWith(func(i *instance) { i.Stale, i.CheckedAt = true, time.Time{} }), "look sigstore acme: its newest keys were never to be had"},
		{"sigstore of last week", sigstoreWith(func(i *instance) { i.Stale = true }), "look sigstore acme: its newest keys were last to be had 48h0m0s ago"},
		{"no issuer here", []Finding{audience("conda.example.com", nil)}, "fail audience: clients will ask for conda.example.com, the server takes "},
		{"an upload that is cut off", []Finding{upload(answer{err: errCut})}, "fail upload: a body of 8 MiB is cut off on the way: connection reset by peer"},
		{"an upload that a stranger refuses", []Finding{upload(came(401, "text/plain", "no"))}, "fail upload: POST /api/v1/upload/doctor of 8 MiB: something before"},
		{"an upload that we refuse", []Finding{upload(came(401, "text/plain", "No. (request ABCD1234)"))}, ""},
		{"an index that is right", indexFile("x", true, with304), ""},
		{"an index without a validator", indexFile("x", true, without), "fail x: it comes without a validator"},
		{"an index with two validators", indexFile("x", true, other), `fail x: 304 repeats another validator: "b"`},
		{"an index that is missing", indexFile("x", true, fetched{get: came(404, "text/html", "")}), "fail x: the answer is none of Sluice's: 404"},
		{"a range", []Finding{ranged("a", came(206, "", "ab", "Content-Range", "bytes 0-1/9"))}, ""},
		{"another range", []Finding{ranged("a", came(206, "", "abc", "Content-Range", "bytes 0-2/9"))}, "fail package: a: the answer is none"},
		{"Basic that is dropped", privately(came(200, "", ""), came(401, "text/plain", "No. (request ABCD1234)")), "fail channel: with the token as Basic: the server answers 401: No."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			if tt.want != "" {
				want = []string{tt.want}
			}
			expect(t, tt.f, want...)
			for _, f := range tt.f {
				if f.Check == "" || f.Said == "" {
					t.Errorf("says nothing: %+v", f)
				}
			}
		})
	}
}
