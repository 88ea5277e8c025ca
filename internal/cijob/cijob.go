// Package cijob does by plain HTTP what the upload client of a CI job does: it asks the CI service for an
// identity token, exchanges it, and uploads files. The demo and the tests use it where the real client is
// not there, or where they must see each step. It must not know anything of the server but its protocol.
package cijob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// Job is a CI job with its environment.
type Job struct {
	// Getenv reads a variable that the runner set.
	Getenv func(string) string
	HTTP   *http.Client
}

// New makes a job from "NAME=value" lines, as a runner sets them.
func New(env []string) *Job {
	vars := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		vars[name] = value
	}
	return &Job{Getenv: func(name string) string { return vars[name] }, HTTP: &http.Client{Timeout: 10 * time.Minute}}
}

// RefusedError is an answer that was no success.
type RefusedError struct {
	Status int
	// Text is what the server said.
	Text string
}

func (r *RefusedError) Error() string { return fmt.Sprintf("HTTP %d: %s", r.Status, r.Text) }

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

func (j *Job) do(req *http.Request) (string, error) {
	res, err := j.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return "", err
	}
	if res.StatusCode/100 != 2 {
		return "", &RefusedError{Status: res.StatusCode, Text: strings.TrimSpace(string(body))}
	}
	return string(body), nil
}

// Audience is what a client asks its CI service for: the host of the server's address, without port.
func Audience(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("server address: %w", err)
	}
	return strings.ToLower(u.Hostname()), nil
}

// IdentityToken asks GitHub's token service, or who stands in for it, for a token with the audience.
func (j *Job) IdentityToken(ctx context.Context, audience string) (string, error) {
	address, err := url.Parse(j.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"))
	if err != nil {
		return "", fmt.Errorf("ACTIONS_ID_TOKEN_REQUEST_URL: %w", err)
	}
	q := address.Query()
	q.Set("audience", audience)
	address.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+j.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
	body, err := j.do(req)
	if err != nil {
		return "", fmt.Errorf("ask for an identity token: %w", err)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return "", fmt.Errorf("ask for an identity token: %w", err)
	}
	return answer.Value, nil
}

// Mint exchanges an identity token for a publish token.
func (j *Job) Mint(ctx context.Context, server, idToken string) (string, error) {
	body, err := json.Marshal(map[string]string{"token": idToken})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/api/oidc/mint_token", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	return j.do(req)
}

// Upload sends a package as rattler_upload does: one multipart form, the file's name and digest in the
// headers of its part. It returns what the server answered.
func (j *Job) Upload(ctx context.Context, server, channel, bearer, filename string, body []byte) (string, error) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, filename)},
		"Content-Type":        {"application/octet-stream"},
		"X-File-Name":         {filename},
		"X-File-Sha256":       {fmt.Sprintf("%x", sha256.Sum256(body))},
	})
	if err != nil {
		return "", err
	}
	if _, err := part.Write(body); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/api/v1/upload/"+channel, &form)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+bearer)
	return j.do(req)
}

// Publish goes the whole way with one identity token: it mints, and uploads each file.
func (j *Job) Publish(ctx context.Context, server, channel string, files map[string][]byte) error {
	audience, err := Audience(server)
	if err != nil {
		return err
	}
	idToken, err := j.IdentityToken(ctx, audience)
	if err != nil {
		return err
	}
	bearer, err := j.Mint(ctx, server, idToken)
	if err != nil {
		return fmt.Errorf("exchange the identity token: %w", err)
	}
	for name, body := range files {
		if _, err := j.Upload(ctx, server, channel, bearer, name, body); err != nil {
			return fmt.Errorf("upload %s: %w", name, err)
		}
	}
	return nil
}
