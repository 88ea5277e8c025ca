package api

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sluice/internal/fault"
	"sluice/internal/server/reply"
)

// refused carries an operation's error through huma, which wants to know the status before it looks for the
// answer; translate then makes the answer.
type refused struct{ cause error }

// Error returns the cause's text; only the log sees it.
func (e *refused) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *refused) Unwrap() error { return e.cause }

// GetStatus is the HTTP status of the answer.
func (e *refused) GetStatus() int { return reply.Status(fault.CodeOf(e.cause)) }

// ContentType is the media type of problems, whatever was negotiated.
func (e *refused) ContentType(string) string { return reply.ProblemType }

// GetHeaders asks a caller without a good credential for one.
func (e *refused) GetHeaders() http.Header {
	if e.GetStatus() != http.StatusUnauthorized {
		return nil
	}
	return http.Header{"Www-Authenticate": {`Bearer realm="sluice"`}}
}

// translate turns refusals into problems: those of operations, and what huma itself says about a request that
// does not fit its schema. huma would let us replace its errors by a variable of its package; but every
// answer passes here, so that nothing global is needed.
func (*service) translate(ctx huma.Context, _ string, v any) (any, error) {
	var err error
	switch v := v.(type) {
	case *refused:
		err = v.cause
	case *huma.ErrorModel:
		err = unfit(v)
	default:
		return v, nil
	}
	r, _ := humago.Unwrap(ctx)
	return reply.ProblemOf(r, reply.Refusal(r, err)), nil
}

// refuse answers a request that no operation saw.
func (*service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := &refused{err}
	maps.Copy(w.Header(), e.GetHeaders())
	w.Header().Set("Content-Type", reply.ProblemType)
	w.WriteHeader(e.GetStatus())
	_ = marshal(w, reply.ProblemOf(r, reply.Refusal(r, err))) // strings and a number: it can be written
}

const (
	maxShown       = 100 // bytes of a value that are shown back
	maxDifferences = 20
)

// unfit is a request that does not fit its schema, as a refusal.
func unfit(m *huma.ErrorModel) *fault.Error {
	code := fault.InvalidField
	if m.Status == http.StatusBadRequest {
		code = fault.BadRequest
	}
	var points []string
	var differences []fault.Difference
	for _, d := range m.Errors[:min(len(m.Errors), maxDifferences)] {
		where := field(d.Location)
		points = append(points, strings.TrimPrefix(where+": ", ": ")+d.Message)
		if code == fault.InvalidField {
			differences = append(differences, fault.Difference{Claim: where, Got: shown(where, d.Value), Want: strings.TrimPrefix(d.Message, "expected ")})
		}
	}
	if len(points) == 0 {
		points = []string{m.Detail}
	}
	return fault.New(code, "%s.", strings.Join(points, "; ")).With(differences)
}

// field is the name of what a location of huma's points at: "body.name" is name.
func field(location string) string {
	_, name, _ := strings.Cut(location, ".")
	return name
}

// shown is a value that was sent, for its sender: plain ones only, and never a secret.
func shown(where string, v any) string {
	if where == "password" || where == "token" || where == "claims" {
		return ""
	}
	switch v.(type) {
	case string, float64, bool, int64:
		return fault.OneLine(fmt.Sprint(v), maxShown)
	default:
		return ""
	}
}

// problemResponse documents the shape of all refusals.
func (s *service) problemResponse() *huma.Response {
	schemas := s.huma.OpenAPI().Components.Schemas
	ref := schemas.Schema(reflect.TypeFor[reply.Problem](), true, "")
	describe(schemas.SchemaFromRef(ref.Ref), map[string]string{
		"type":        "Always about:blank: look at code.",
		"title":       "What the status means.",
		"status":      "The HTTP status.",
		"detail":      "One sentence for people, which names the fix.",
		"code":        "The kind of refusal. A code never changes its meaning.",
		"request_id":  "Finds the request in the server's log.",
		"differences": "The single points that are wrong.",
	})
	describe(schemas.Schema(reflect.TypeFor[fault.Difference](), false, ""), map[string]string{
		"claim": "The field, or the claim of an identity token.",
		"got":   "What came.",
		"want":  "What would do.",
	})
	return &huma.Response{Description: "Refused, or failed", Content: map[string]*huma.MediaType{reply.ProblemType: {Schema: ref}}}
}

// describe adds what the Go types of other packages do not say. Lists in them are absent when empty, never null.
func describe(schema *huma.Schema, docs map[string]string) {
	for name, property := range schema.Properties {
		property.Description, property.Nullable = docs[name], false
	}
}
