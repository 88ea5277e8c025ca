// Package reply turns what a handler has to say into HTTP: the one table from the codes of refusals to
// statuses, and the forms in which they are said, a plain sentence to the clients and a problem document to
// programs. It must not know what any refusal is about.
package reply

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/limit"
	"sluice/internal/server/gate"
	"sluice/internal/token"
)

// Text answers with a plain text, exactly as it is: no newline is added, for clients put some answers into headers.
func Text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(s)) // nobody is left to tell
}

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) { encode(w, status, "application/json", v) }

func encode(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // nobody is left to tell
}

// Refusal is what the caller is told of an error: its refusal, or for everything else, which is our own
// failure, one neutral sentence. The cause goes to the request's line in the log.
func Refusal(r *http.Request, err error) *fault.Error {
	f := refusal(r, err)
	attrs := []slog.Attr{slog.String("code", string(f.Code))}
	if cause := f.Unwrap(); cause != nil {
		attrs = append(attrs, slog.String("cause", fault.OneLine(token.Scrub(err.Error()), 1000)))
	}
	gate.Note(r.Context(), attrs...)
	said := f.With(f.Differences)
	said.Detail = token.Scrub(f.Detail) // CI logs are public, and clients print there what they are told
	return said
}

func refusal(r *http.Request, err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "The body is larger than the %d bytes that this path takes.", big.Limit)
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		// Not our failure, and nobody is left to read this: it is for the log.
		return fault.Wrap(err, fault.BadRequest, "The connection was closed before the answer.")
	}
	return fault.Wrap(err, fault.Internal, "Something went wrong on this server. Try again; if it stays, tell its operator the request id.")
}

// maxSentence is what the rattler clients show of an answer, in characters.
const maxSentence = 512

// Error answers a request of a client's protocol: one plain sentence with the request id at its end.
func Error(w http.ResponseWriter, r *http.Request, err error) { sentence(w, r, err, ClientStatus) }

func sentence(w http.ResponseWriter, r *http.Request, err error, statusOf func(fault.Code) int) {
	f := Refusal(r, err)
	id := " (request " + gate.RequestID(r.Context()) + ")"
	status := statusOf(f.Code)
	challenge(w, status)
	RetryAfter(w, err)
	w.Header().Set("Cache-Control", "no-store")
	Text(w, status, fault.OneLine(f.Detail, maxSentence-len(id))+id)
}

// challenge says how to prove oneself, which some clients need to see before they try (RFC 9110, 11.6.1).
func challenge(w http.ResponseWriter, status int) {
	if status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = []string{`Bearer realm="sluice"`, `Basic realm="sluice", charset="UTF-8"`}
	}
}

// RetryAfter says when to come again (RFC 9110, section 10.2.3), where err knows.
func RetryAfter(w http.ResponseWriter, err error) {
	if wait, ok := errors.AsType[limit.WaitError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(wait.Seconds()))
	}
}

// Problem is a refusal as a document for programs (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Code is the refusal's code: what a program compares.
	Code fault.Code `json:"code"`
	// RequestID finds the request in the server's log.
	RequestID   string             `json:"request_id"`
	Differences []fault.Difference `json:"differences,omitempty"`
}

// ProblemOf makes the document of a refusal.
func ProblemOf(r *http.Request, f *fault.Error) Problem {
	status := Status(f.Code)
	return Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: f.Detail, Code: f.Code,
		RequestID: gate.RequestID(r.Context()), Differences: f.Differences,
	}
}

// ProblemType is the media type of problem documents.
const ProblemType = "application/problem+json"

// Mint answers a refused exchange: the sentence, or the problem document where the caller asks for JSON.
func Mint(w http.ResponseWriter, r *http.Request, err error) {
	accept := r.Header.Get("Accept")
	if !strings.Contains(accept, "application/json") && !strings.Contains(accept, ProblemType) {
		sentence(w, r, err, MintStatus)
		return
	}
	f := Refusal(r, err)
	challenge(w, Status(f.Code))
	RetryAfter(w, err)
	w.Header().Set("Cache-Control", "no-store")
	encode(w, Status(f.Code), ProblemType, ProblemOf(r, f))
}
