package reply

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/fault"
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
	again := map[fault.Code]bool{
		fault.Internal: true, fault.Unavailable: true, fault.IssuerUnavailable: true, fault.NoSpace: true,
		fault.RateLimited: true, fault.MethodNotAllowed: true, // never said in the clients' protocols
	}
	final := map[int]bool{400: true, 401: true, 403: true, 404: true, 409: true, 413: true, 422: true}
	for code, status := range statuses {
		if final[status] == again[code] {
			t.Errorf("%s answers %d", code, status)
		}
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
