package oauth

import (
	"errors"
	"net/http"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/server/gate"
	"sluice/internal/server/reply"
)

// protocolError is a refusal that has a name of its own in an RFC.
type protocolError struct {
	name string
	said *fault.Error
}

func (e *protocolError) Error() string { return e.said.Error() }
func (e *protocolError) Unwrap() error { return e.said }

// refusal is a refusal as RFC 6749, section 5.2, has it, with two members of our own.
type refusal struct {
	Error string `json:"error"`
	// Description is our sentence, in the characters that the RFC allows.
	Description string     `json:"error_description"`
	Code        fault.Code `json:"code"`
	RequestID   string     `json:"request_id"`
}

// refuse answers with a refusal.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	f := reply.Refusal(r, err)
	name, status := nameOf(f.Code)
	if p, ok := errors.AsType[*protocolError](err); ok {
		name = p.name
	}
	reply.RetryAfter(w, err)
	noStore(w)
	reply.JSON(w, status, refusal{Error: name, Description: describe(f.Detail), Code: f.Code, RequestID: gate.RequestID(r.Context())})
}

// nameOf is the error and the status of a code. A token that is refused, for whatever reason, is invalid_request
// (RFC 8693, section 2.2.2) and 400 (RFC 6749, section 5.2): the codes tell more. Nothing is 401, for that is about
// clients, and we have none. What time mends has the name that RFC 6749, section 4.1.2.1, has for it, and a status
// after which a client tries again.
func nameOf(c fault.Code) (name string, status int) {
	switch status := reply.MintStatus(c); {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return "temporarily_unavailable", status
	case status >= http.StatusInternalServerError:
		return "server_error", status
	}
	return "invalid_request", http.StatusBadRequest
}

// describe puts a sentence into the characters of an error_description: printable ASCII without " and \.
func describe(s string) string {
	s = strings.NewReplacer(`"`, `'`, `\`, `/`, "…", "...").Replace(s)
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}
