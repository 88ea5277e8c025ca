package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"sluice/internal/fault"
	"sluice/internal/token"
)

const (
	// answerTime bounds one request and its answer.
	answerTime = 30 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 1 << 20
	// maxShown is how much of a foreign text is shown, in bytes.
	maxShown = 200
)

// answer is what came back to one request: err, or the rest.
type answer struct {
	status int
	header http.Header
	// body is the answer's beginning, at most maxAnswer bytes of it.
	body []byte
	// sent and came are this machine's clock before the request and after the head of the answer.
	sent, came time.Time
	err        error
}

// question is one request; the zero value of what is not named is meant.
type question struct {
	method string // default GET
	path   string
	header map[string]string
	body   io.Reader
	size   int64
	// within bounds it, answer included; default answerTime.
	within time.Duration
}

// ask sends a request to the server and reads the beginning of the answer.
func (x *examination) ask(ctx context.Context, q question) answer {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(q.within, answerTime))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, cmp.Or(q.method, http.MethodGet), x.URL+q.path, q.body)
	if err != nil {
		return answer{err: err}
	}
	if q.body != nil {
		req.ContentLength = q.size
	}
	req.Header.Set("User-Agent", x.Agent)
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	return send(x.http, req, x.Now)
}

func send(client *http.Client, req *http.Request, now func() time.Time) answer {
	a := answer{sent: now()}
	res, err := client.Do(req)
	a.came = now()
	if err != nil {
		return answer{err: plainError(err)}
	}
	a.status, a.header = res.StatusCode, res.Header
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return answer{err: err}
	}
	return a
}

// plainError is an error without the address of the request, which may hold a secret.
func plainError(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// signature is what stands at the end of every refusal of Sluice in a client's protocol.
var signature = regexp.MustCompile(`\(request [0-9A-Z]{8}\)$`)

// ours reports whether an answer is a refusal by Sluice itself and not by something before it.
func (a answer) ours() bool {
	if a.kind() == "text/plain" {
		return signature.Match(bytes.TrimSpace(a.body))
	}
	var problem struct {
		Code      string `json:"code"`
		RequestID string `json:"request_id"`
	}
	return a.kind() == "application/problem+json" && json.Unmarshal(a.body, &problem) == nil && problem.Code != "" && problem.RequestID != ""
}

// refusal is the sentence of an answer that is ours.
func (a answer) refusal() string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(a.body, &problem) != nil {
		problem.Detail = string(a.body)
	}
	return shown(problem.Detail)
}

func (a answer) kind() string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// shown is a foreign text as a terminal or a log may have it.
func shown(s string) string { return token.Scrub(fault.OneLine(strings.TrimSpace(s), maxShown)) }

// foreign tells what an answer is that is not what Sluice gives there, and what to do about it.
func (a answer) foreign() (said, do string) {
	if a.err != nil {
		return "no answer came: " + shown(a.err.Error()), "Look into the log of the proxy before the server"
	}
	what := fmt.Sprintf("%d %s (%s)", a.status, http.StatusText(a.status), cmp.Or(shown(a.kind()), "no type"))
	if a.ours() {
		return fmt.Sprintf("the server answers %d: %s", a.status, a.refusal()), ""
	}
	switch {
	case a.status/100 == 3:
		return fmt.Sprintf("a redirect (%d) to %s", a.status, shown(a.header.Get("Location"))),
			"Let the proxy answer without a redirect: after one, clients send no body, or no token. If it leads to the server's own address, give people that one"
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusProxyAuthRequired:
		return "something before the server asks for a login of its own, or forbids it: " + what,
			"Let the proxy pass every path without a login: Sluice checks its own tokens"
	case a.status == http.StatusRequestEntityTooLarge:
		return "a proxy takes no body of this size: " + what, "Lift the limit of the proxy; in nginx: client_max_body_size 0"
	case a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotImplemented:
		return "a proxy does not pass this method: " + what, "Let the proxy pass GET, HEAD, POST, PUT, PATCH and DELETE"
	case a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout:
		return "a proxy does not reach the server: " + what, "See that Sluice runs, and listens where the proxy passes requests to"
	default:
		return "the answer is none of Sluice's: " + what, "See which program answers at this address, and that the proxy passes every path on as it came"
	}
}
