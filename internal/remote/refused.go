package remote

import (
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"sluice/internal/fault"
)

// RefusedError is a refusal of the server (RFC 9457).
type RefusedError struct {
	// Status is the HTTP status.
	Status int `json:"status"`
	// Code is what a program compares: it never changes its meaning.
	Code fault.Code `json:"code"`
	// Detail is one sentence, which names the fix.
	Detail string `json:"detail"`
	// RequestID finds the request in the server's log.
	RequestID string `json:"request_id"`
	// Differences are the single points that are wrong; mostly none.
	Differences []fault.Difference `json:"differences"`
}

// Error is the sentence, and what its operator needs to find the request.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s (%d %s, request %s)", e.Detail, e.Status, e.Code, e.RequestID)
}

// ForeignError is an answer that no Sluice server gives: something before it answered, or something else.
type ForeignError struct {
	// Server is the address that was asked.
	Server string
	// Status is the HTTP status, Type the media type of the answer.
	Status int
	Type   string
	// Location is where a redirect leads; empty for other answers.
	Location string
}

// Error says what came, and what to try.
func (e *ForeignError) Error() string {
	if e.Location != "" {
		return fmt.Sprintf("%s answers with a redirect to %s, which is not followed with a token: if that is the server's address, "+
			"name it with --server", e.Server, e.Location)
	}
	return fmt.Sprintf("%s gives an answer that is none of Sluice's (%d %s, %s): a proxy before it, or another program. "+
		"Look for the reason with: sluice doctor --url %s", e.Server, e.Status, http.StatusText(e.Status), e.Type, e.Server)
}

// The longest texts that are taken from an answer to be shown, in bytes.
const (
	maxText  = 300
	maxShort = 60
)

// refused reads what is no success; nil for a success.
func refused(res *http.Response, body []byte) error {
	if res.StatusCode/100 == 2 {
		return nil
	}
	r := &RefusedError{}
	if mediaType(res.Header) != "application/problem+json" || json.Unmarshal(body, r) != nil || r.Code == "" {
		return foreign(res)
	}
	r.Status = res.StatusCode
	r.Code = fault.Code(fault.OneLine(string(r.Code), maxShort))
	r.Detail, r.RequestID = fault.OneLine(r.Detail, fault.MaxDetail), fault.OneLine(cmp.Or(r.RequestID, "unknown"), maxShort)
	return r
}

func foreign(res *http.Response) *ForeignError {
	e := &ForeignError{
		Server: res.Request.URL.Scheme + "://" + res.Request.URL.Host, Status: res.StatusCode,
		Type: fault.OneLine(cmp.Or(mediaType(res.Header), "of no type"), maxShort),
	}
	if res.StatusCode/100 == 3 {
		e.Location = fault.OneLine(res.Header.Get("Location"), maxText)
	}
	return e
}

func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// isJSON reports whether an answer says that it is JSON of some kind.
func isJSON(h http.Header) bool {
	kind := mediaType(h)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}
