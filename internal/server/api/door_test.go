package api

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/internal/fault"
	"sluice/internal/server/reply"
)

func TestDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fit := `{"name": "mine", "description": "` + strings.Repeat("x", 400) + `"}`
	for _, tt := range []struct {
		name, method, path, kind, body string
		status                         int
		code                           fault.Code
	}{
		{name: "no such path", method: "GET", path: "/nothing", status: 404, code: fault.NotFound},
		{name: "no such path below one", method: "GET", path: "/channels/forge/nothing", status: 404, code: fault.NotFound},
		{name: "a slash too many", method: "GET", path: "/channels/", status: 404, code: fault.NotFound},
		{name: "another method", method: "DELETE", path: "/channels/forge", status: 405, code: fault.MethodNotAllowed},
		{name: "a method of nobody", method: "BREW", path: "/channels", status: 405, code: fault.MethodNotAllowed},
		{name: "no body", method: "POST", path: "/channels", status: 400, code: fault.BadRequest},
		{name: "no media type", method: "POST", path: "/channels", body: fit, status: 400, code: fault.BadRequest},
		{name: "a form", method: "POST", path: "/channels", kind: "application/x-www-form-urlencoded", body: "name=mine", status: 400, code: fault.BadRequest},
		{name: "plain text", method: "POST", path: "/channels", kind: "text/plain", body: fit, status: 400, code: fault.BadRequest},
		{name: "too large", method: "POST", path: "/channels", kind: "application/json", body: strings.Repeat(" ", MaxBody) + fit, status: 413, code: fault.TooLarge},
		{name: "no JSON", method: "POST", path: "/channels", kind: "application/json", body: "name: mine", status: 400, code: fault.BadRequest},
		{name: "no object", method: "POST", path: "/channels", kind: "application/json", body: `"mine"`, status: 422, code: fault.InvalidField},
		{name: "an unknown field", method: "POST", path: "/channels", kind: "application/json", body: `{"name": "mine", "owner": "zoe"}`, status: 422, code: fault.InvalidField},
		{name: "a field twice", method: "POST", path: "/channels", kind: "application/json", body: `{"name": "mine", "name": "his"}`, status: 400, code: fault.BadRequest},
		{name: "a field in capitals", method: "POST", path: "/channels", kind: "application/json", body: `{"NAME": "mine"}`, status: 400, code: fault.BadRequest},
		{name: "a number for a text", method: "POST", path: "/channels", kind: "application/json", body: `{"name": 1}`, status: 422, code: fault.InvalidField},
		{name: "a text too long", method: "POST", path: "/channels", kind: "application/json", body: `{"name": "` + strings.Repeat("a", 129) + `"}`, status: 422, code: fault.InvalidField},
		{name: "with a charset", method: "POST", path: "/channels", kind: "application/json; charset=utf-8", body: fit, status: 201},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, Prefix+tt.path, strings.NewReader(tt.body))
			r.Header.Set("Authorization", "Bearer "+w.bearers["zoe"])
			if tt.kind != "" {
				r.Header.Set("Content-Type", tt.kind)
			}
			got := httptest.NewRecorder()
			w.api.ServeHTTP(got, r)
			if got.Code != tt.status || !strings.Contains(got.Body.String(), `"code":"`+string(tt.code)) && tt.code != "" {
				t.Errorf("= %d %s, want %d %s", got.Code, got.Body, tt.status, tt.code)
			}
			if kind := got.Header().Get("Content-Type"); tt.status >= 400 && kind != reply.ProblemType {
				t.Errorf("Content-Type = %q", kind)
			}
			if allow := got.Header().Get("Allow"); (allow != "") != (tt.status == 405) {
				t.Errorf("Allow = %q", allow)
			}
		})
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.take(t, step{method: "POST", path: "/channels", body: `{"name": "x"}`, status: 401, want: `{
		"type": "about:blank", "title": "Unauthorized", "status": 401, "code": "unauthenticated", "request_id": "-", "differences": null,
		"detail": "Sign in, or send an API token with the scope manage."}`})
	if h := got.Header().Get("Www-Authenticate"); !strings.HasPrefix(h, "Bearer") {
		t.Errorf("challenge = %q", h)
	}
	w.take(t, step{who: "zoe", method: "POST", path: "/channels", body: `{"name": "x", "visibility": "none", "owner": "zoe"}`, status: 422, want: `{
		"code": "invalid_field", "detail": "visibility: expected value to be one of \"public, private\"; owner: unexpected property.",
		"differences": [{"claim": "visibility", "got": "none", "want": "value to be one of \"public, private\""}, {"claim": "owner", "got": ""}]}`})
}

// The limit holds for a body that does not announce its length.
func TestLargeBodyWithoutLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodPost, Prefix+"/channels", io.LimitReader(strings.NewReader(strings.Repeat(" ", MaxBody)+`{"name": "mine"}`), 2*MaxBody))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+w.bearers["zoe"])
	got := httptest.NewRecorder()
	w.api.ServeHTTP(got, r)
	if got.Code != http.StatusRequestEntityTooLarge || r.ContentLength != -1 {
		t.Errorf("= %d %s, length %d", got.Code, got.Body, r.ContentLength)
	}
}

type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		name string
		err  error
		code fault.Code
	}{
		{"the connection is cut", io.ErrUnexpectedEOF, fault.BadRequest},
		{"the gate says why", fault.New(fault.TooSlow, "The body stopped coming."), fault.TooSlow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, Prefix+"/channels", brokenBody{tt.err})
			r.Header.Set("Content-Type", "application/json")
			got := httptest.NewRecorder()
			w.api.ServeHTTP(got, r)
			if got.Code != 400 || !strings.Contains(got.Body.String(), `"code":"`+string(tt.code)+`"`) {
				t.Errorf("= %d %s, want 400 %s", got.Code, got.Body, tt.code)
			}
		})
	}
}

// A failure of ours is answered in the same form, and says nothing about us.
func TestOurFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []step{
		{name: "while looking for the caller", who: "ann", method: "GET", path: "/channels"},
		{name: "in an operation", method: "GET", path: "/channels"},
	} {
		t.Run(s.name, func(t *testing.T) {
			got := w.send(s)
			if got.Code != 500 || !strings.Contains(got.Body.String(), `"code":"internal"`) || strings.Contains(got.Body.String(), "sql") {
				t.Errorf("= %d %s", got.Code, got.Body)
			}
		})
	}
	if _, err := w.Users(t.Context()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the database still answers: %v", err)
	}
}
