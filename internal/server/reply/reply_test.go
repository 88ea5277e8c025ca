package reply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/limit"
	"sluice/internal/server/gate"
)

// Every code of fault has a status: the source is read, so that a new code cannot be forgotten.
func TestEveryCodeHasAStatus(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../fault/codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if _, ok := statuses[fault.Code(code)]; !ok {
			t.Errorf("%s has no status", code)
		}
		return true
	})
	if found != len(statuses) {
		t.Errorf("%d codes, %d statuses", found, len(statuses))
	}
}

// After any other status a client sends the whole file again.
func TestClientsAreNotMadeToSendAgain(t *testing.T) {
	again := map[fault.Code]int{fault.Internal: 500, fault.IssuerUnavailable: 503, fault.NoTrustRoot: 503, fault.RateLimited: 503}
	final := map[int]bool{400: true, 401: true, 403: true, 404: true, 409: true, 413: true, 422: true}
	for code := range statuses {
		if status := ClientStatus(code); status != again[code] && !final[status] {
			t.Errorf("%s answers %d", code, status)
		}
	}
}

// The exchange alone answers 429, with the time to wait; an upload would be sent again after it.
func TestOnlyTheExchangeAnswers429(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/api/oidc/mint_token", nil)
	err := fault.Wrap(limit.WaitError(1500*time.Millisecond), fault.RateLimited, "wait")
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request, error)
		accept string
		status int
	}{"the exchange": {Mint, "", 429}, "the exchange in JSON": {Mint, "application/json", 429}, "an upload": {Error, "", 503}} {
		w := httptest.NewRecorder()
		r.Header.Set("Accept", tt.accept)
		tt.answer(w, r, err)
		if after := w.Header().Get("Retry-After"); w.Code != tt.status || after != "2" {
			t.Errorf("%s: %d, Retry-After %q, want %d and 2", name, w.Code, after, tt.status)
		}
	}
	w := httptest.NewRecorder()
	Mint(w, r, fault.New(fault.NotFound, "no"))
	if w.Code != 404 || w.Header().Get("Retry-After") != "" {
		t.Errorf("another refusal: %d %v", w.Code, w.Header())
	}
}

func TestErrorIsOneSentence(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/api/v1/upload/forge", nil)
	w := httptest.NewRecorder()
	Error(w, r, fault.New(fault.Exists, "%s", strings.Repeat("x", 600)))
	if got := w.Body.String(); w.Code != 409 || len(got) > maxSentence || strings.Contains(got, "\n") || !strings.HasSuffix(got, "(request -)") {
		t.Errorf("%d %q", w.Code, got)
	}
	w = httptest.NewRecorder()
	Error(w, r, errors.New("disk on fire at /secret/path"))
	if got := w.Body.String(); w.Code != 500 || strings.Contains(got, "secret") {
		t.Errorf("%d %q", w.Code, got)
	}
	w = httptest.NewRecorder()
	Error(w, r, fault.New(fault.Unauthenticated, "Send a token."))
	if got := w.Header().Values("WWW-Authenticate"); len(got) != 2 {
		t.Errorf("challenges = %q", got)
	}
}

func TestMintSpeaksBothForms(t *testing.T) {
	refusal := fault.New(fault.WorkflowMismatch, "Workflow differs.").With([]fault.Difference{{Claim: "workflow_ref", Got: "a.yml", Want: "b.yml"}})
	r := httptest.NewRequest(http.MethodPost, "/api/oidc/mint_token", nil)
	w := httptest.NewRecorder()
	Mint(w, r, refusal)
	if w.Code != 403 || !strings.HasPrefix(w.Body.String(), "Workflow differs. (request") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	r.Header.Set("Accept", "application/json")
	w = httptest.NewRecorder()
	Mint(w, r, refusal)
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != fault.WorkflowMismatch || p.Differences[0].Want != "b.yml" || w.Header().Get("Content-Type") != ProblemType {
		t.Errorf("%d %q %+v %v", w.Code, w.Body, p, err)
	}
}

func TestErrorsThatAreNoRefusals(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		want fault.Code
	}{
		{"body over a handler's own limit", t.Context(), fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7}), fault.TooLarge},
		{"client hung up", gone, fmt.Errorf("query: %w", context.Canceled), fault.BadRequest},
		{"cancelled by ourselves", t.Context(), context.Canceled, fault.Internal},
		{"failed, and then the client hung up", gone, errors.New("disk on fire"), fault.Internal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(tt.ctx, http.MethodGet, "/x", nil)
			if f := Refusal(r, tt.err); f.Code != tt.want {
				t.Errorf("= %s, want %s", f.Code, tt.want)
			}
		})
	}
}

// What the caller is not told, the request's line in the log tells whole, tokens excepted.
func TestCauseIsLogged(t *testing.T) {
	var log bytes.Buffer
	g := &gate.Gate{Log: slog.New(slog.NewTextHandler(&log, nil)), Refuse: Error, BodyMax: 1, Stall: time.Minute, Carry: audit.WithRequest}
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Error(w, r, errors.New("open /t/x/y: sluice-api-0123456789 is on fire: "+strings.Repeat("why ", 100)))
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	id := w.Header().Get("X-Request-Id")
	for _, want := range []string{"code=internal", "open /t/x/y: sluice-api-… is on fire", strings.Repeat("why ", 100), "request=" + id, "level=ERROR"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &log)
		}
	}
	if body := w.Body.String(); strings.Contains(body, "fire") || !strings.Contains(body, "(request "+id+")") {
		t.Errorf("answer %q", body)
	}
}
