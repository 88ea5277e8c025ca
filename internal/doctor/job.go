package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"sluice/internal/cijob"
	"sluice/internal/remote"
	"sluice/internal/trust/provider"
)

// job looks, inside a CI job, whether it can have an identity token that the server takes. The services are told
// apart, and asked, as the clients do it. Outside of a job it tells nothing.
func (x *examination) job(ctx context.Context, said *about) {
	is := func(name string) bool { return x.Getenv(name) == "true" }
	switch {
	case is("GITHUB_ACTIONS"):
		x.github(ctx, said)
	case is("GITLAB_CI"):
		x.tell(gitlab(x.Getenv, x.audience, said, x.Now()))
	case is("BUILDKITE"):
		x.tell(x.program(ctx, said, "buildkite-agent", "oidc", "request-token", "--audience", x.audience))
	case is("CIRCLECI"):
		x.tell(x.program(ctx, said, "circleci", "run", "oidc", "get", "--root-issuer", "--claims", fmt.Sprintf(`{"aud":%q}`, x.audience)))
	}
}

const jobCheck = "identity token"

// github asks GitHub Actions, or who speaks like it, for an identity token, looks at it and drops it.
func (x *examination) github(ctx context.Context, said *about) {
	if f, ok := mayAsk(x.Getenv); !ok {
		x.tell(f)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	transport := remote.Transport(x.Roots)
	defer transport.CloseIdleConnections()
	j := cijob.Job{Getenv: x.Getenv, HTTP: &http.Client{Transport: transport, CheckRedirect: remote.NoRedirects}}
	jwt, err := j.IdentityToken(ctx, x.audience)
	if err != nil {
		x.tell(fail(jobCheck, "the CI service gives none: "+withoutSecrets(err), "Run the job again; if it stays, the CI service has a disturbance"))
		return
	}
	x.tell(identityToken(jwt, x.audience, said, x.Now()))
}

// withoutSecrets is an error of a token service: never its text, which could hold a token, nor the address asked.
func withoutSecrets(err error) string {
	if r, ok := errors.AsType[*cijob.RefusedError](err); ok {
		return fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "the answer cannot be read"
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(err) {
		err = cause
	}
	return shown(err.Error())
}

// mayAsk looks whether the runner lets this job ask for identity tokens.
func mayAsk(getenv func(string) string) (Finding, bool) {
	if getenv("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN") != "" {
		return Finding{}, true
	}
	return fail(jobCheck, "this job may not ask for one (ACTIONS_ID_TOKEN_REQUEST_URL is not set)",
		"Give the job, or the workflow, the lines: permissions: { id-token: write, contents: read }. A reusable workflow needs them in its caller, too; runs for pull requests from forks never get them"), false
}

// gitlab looks at the identity token that GitLab put into the job's environment.
func gitlab(getenv func(string) string, audience string, said *about, now time.Time) Finding {
	name := provider.GitLabVariable(audience)
	jwt := getenv(name)
	if jwt == "" {
		return fail(jobCheck, "the variable "+name+" is not set", fmt.Sprintf("Give the job the lines: id_tokens: { %s: { aud: %s } }", name, audience))
	}
	return identityToken(jwt, audience, said, now)
}

// program runs what clients run for an identity token, looks at the token and drops it.
func (x *examination) program(ctx context.Context, said *about, name string, args ...string) Finding {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	out, err := x.Run(ctx, name, args...)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fail(jobCheck, "the program "+name+" is not on PATH, and clients run it for an identity token", "Make it reachable in the job, inside containers too")
	case err != nil:
		return fail(jobCheck, "the program "+name+" gives none: "+shown(err.Error()), "Run it by hand in the job: "+name+" "+strings.Join(args, " "))
	}
	return identityToken(string(out), x.audience, said, x.Now())
}

// identityToken judges what an identity token says. Its signature is the server's to check.
func identityToken(jwt, wanted string, said *about, now time.Time) Finding {
	c, err := claimsOf(jwt)
	if err != nil {
		return fail(jobCheck, "what came is none: "+err.Error(), "Have the job ask for an identity token (OIDC), and no other")
	}
	known := said == nil || slices.ContainsFunc(said.Issuers, func(i issuer) bool { return i.Issuer == c.Issuer })
	switch {
	case !slices.Contains(c.Audience, wanted):
		return fail(jobCheck, fmt.Sprintf("it is made for %s, not for %s", shown(strings.Join(c.Audience, ", ")), wanted), "Ask for the audience "+wanted)
	case !known:
		return fail(jobCheck, "its issuer is "+shown(c.Issuer)+", whose tokens the server does not take", "Have the server's operator add that issuer, spelled exactly so, to the settings (issuer)")
	case c.Ends != 0 && now.After(time.Unix(c.Ends, 0)):
		return fail(jobCheck, "it has ended", "Publish earlier in the job, or ask for it anew")
	default:
		return ok(jobCheck, "this job gets one, made for %s by %s", wanted, shown(c.Issuer))
	}
}

// claims is what is read of an identity token.
type claims struct {
	Issuer   string    `json:"iss"`
	Audience audiences `json:"aud"`
	Ends     int64     `json:"exp"`
}

// audiences is one audience or several (RFC 7519, section 4.1.3).
type audiences []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audiences) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// claimsOf reads a token. Its errors repeat nothing of it.
func claimsOf(jwt string) (claims, error) {
	parts := strings.Split(strings.TrimSpace(jwt), ".")
	if len(parts) != 3 {
		return claims{}, errors.New("a JWT has three parts with dots between them")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, errors.New("its second part is not base64")
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return claims{}, errors.New("its second part is no JSON object with iss, aud and exp")
	}
	return c, nil
}
