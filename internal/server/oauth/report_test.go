package oauth

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sluice/internal/fault"
	"sluice/internal/revoke"
)

// What is taken says the same to another reader of JSON, and nothing in it was overlooked.
func FuzzReadReport(f *testing.F) {
	for _, s := range []string{`{"tokens":["a"]}`, ` { "tokens" : [ "a" , "\u0062" ] } `, `{"tokens":["a"],"tokens":["b"]}`, `{"Tokens":["a"]}`, `{"tokens":["a"],}`, `{"tokens":[{}]}`, `{"tokens":["a"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readReport(body)
		if err != nil {
			if !fault.Is(err, fault.BadRequest) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		var other map[string][]string
		if err := json.Unmarshal(body, &other); err != nil || len(other) != 1 || !slices.Equal(other["tokens"], got) || len(got) > revoke.MaxFound {
			t.Fatalf("= %q, another reader has %q, %v", got, other, err)
		}
	})
}

func FuzzDescribe(f *testing.F) {
	f.Add("Workflow \"a\\b\" …\n\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := describe(s)
		if strings.ContainsFunc(got, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
			t.Errorf("%q", got)
		}
	})
}

// A client tries again after what time mends, and after nothing else; and nothing says that it lacks a password.
func TestNamesOfRefusals(t *testing.T) {
	t.Parallel()
	for code, want := range map[fault.Code]struct {
		name   string
		status int
	}{
		fault.WorkflowMismatch: {"invalid_request", 400}, fault.Expired: {"invalid_request", 400}, fault.MalformedToken: {"invalid_request", 400}, fault.TooLarge: {"invalid_request", 400},
		fault.TooSlow: {"invalid_request", 400}, fault.Conflict: {"invalid_request", 400}, fault.NoSpace: {"invalid_request", 400},
		fault.RateLimited: {"temporarily_unavailable", 429}, fault.IssuerUnavailable: {"temporarily_unavailable", 503}, fault.Internal: {"server_error", 500},
	} {
		if name, status := nameOf(code); name != want.name || status != want.status {
			t.Errorf("%s: %s %d, want %s %d", code, name, status, want.name, want.status)
		}
	}
}
