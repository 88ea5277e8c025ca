package standin

import (
	"cmp"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// BuildkiteRun describes a job of a build, as Buildkite would know it. What is empty gets a likely value.
type BuildkiteRun struct {
	// Organization and Pipeline are the slugs: "acme", "forge". The ids (UUIDs) follow from the slugs when empty.
	Organization, Pipeline     string
	OrganizationID, PipelineID string
	// Branch and Tag are what the build says that it builds, which whoever starts one through the API may choose.
	// Default branch main, no tag.
	Branch, Tag string
	// Commit is the SHA; Source is "webhook" (default), "ui", "api", "trigger_job" or "schedule".
	Commit, Source string
	// StepKey is the key of the step; empty: it has none.
	StepKey string
	// Number is the build's, and counts up from the service's first job when 0.
	Number int
	// Runner is "buildkite-hosted" (default) or "self-hosted".
	Runner string
	// Queue is the key of the cluster's queue. Default "default".
	Queue string
	// OIDCTokenClaims is the job's variable BUILDKITE_OIDC_TOKEN_CLAIMS: the claims that tokens have beside the usual
	// ones, separated by commas. "organization_id,pipeline_id" makes them have what does not change.
	OIDCTokenClaims string
}

// BuildkiteJob is a started job, which can ask for identity tokens by the program buildkite-agent.
type BuildkiteJob struct {
	BuildkiteRun
	job
}

// StartBuildkite begins a job. The service must be one of Buildkite.
func (s *Service) StartBuildkite(r BuildkiteRun) *BuildkiteJob {
	return begin(s, Buildkite, func(base job, n int) *BuildkiteJob { return &BuildkiteJob{r.filled(n), base} })
}

func (r BuildkiteRun) filled(n int) BuildkiteRun {
	r.Organization, r.Pipeline = cmp.Or(r.Organization, "acme"), cmp.Or(r.Pipeline, "forge")
	r.OrganizationID = cmp.Or(r.OrganizationID, uuidOf(r.Organization))
	r.PipelineID = cmp.Or(r.PipelineID, uuidOf(r.slug()))
	r.Branch, r.Source = cmp.Or(r.Branch, "main"), cmp.Or(r.Source, "webhook")
	r.Number, r.Queue = cmp.Or(r.Number, n), cmp.Or(r.Queue, "default")
	r.Runner = cmp.Or(r.Runner, "buildkite-hosted")
	r.Commit = cmp.Or(r.Commit, shaOf(r.Pipeline, r.Number))
	return r
}

func (r BuildkiteRun) slug() string { return r.Organization + "/" + r.Pipeline }

// id is the UUID of something that belongs to the build.
func (r BuildkiteRun) id(what string) string {
	return uuidOf(r.slug() + " " + strconv.Itoa(r.Number) + " " + what)
}

// Env is what an agent sets for the job's command, as "NAME=value".
func (j *BuildkiteJob) Env() []string {
	env := []string{
		"CI=true", "BUILDKITE=true", "BUILDKITE_ORGANIZATION_SLUG=" + j.Organization, "BUILDKITE_ORGANIZATION_ID=" + j.OrganizationID,
		"BUILDKITE_PIPELINE_SLUG=" + j.Pipeline, "BUILDKITE_PIPELINE_ID=" + j.PipelineID,
		"BUILDKITE_BRANCH=" + j.Branch, "BUILDKITE_TAG=" + j.Tag, "BUILDKITE_COMMIT=" + j.Commit, "BUILDKITE_SOURCE=" + j.Source,
		"BUILDKITE_BUILD_NUMBER=" + strconv.Itoa(j.Number), "BUILDKITE_BUILD_ID=" + j.id("build"), "BUILDKITE_JOB_ID=" + j.id("job"),
		"BUILDKITE_AGENT_ID=" + j.id("agent"), "BUILDKITE_STEP_KEY=" + j.StepKey,
		fmt.Sprintf("BUILDKITE_BUILD_URL=%s/%s/builds/%d", j.service.site, j.slug(), j.Number),
	}
	if j.OIDCTokenClaims != "" {
		env = append(env, "BUILDKITE_OIDC_TOKEN_CLAIMS="+j.OIDCTokenClaims)
	}
	return env
}

// Token makes an identity token for the audience; empty means the one that Buildkite then takes, the
// organization's address.
func (j *BuildkiteJob) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}

// Claims are the claims of a token for the audience: the set that Buildkite documents (buildkite/docs,
// agent/cli/reference/oidc), those of OIDCTokenClaims among them. The tokens have no id, build_number is a number,
// and a step without a key has the key null. The caller may change them.
func (j *BuildkiteJob) Claims(audience string) map[string]any {
	return j.claims(audience, j.OIDCTokenClaims)
}

// claims are those of Claims, with the given optional ones.
func (j *BuildkiteJob) claims(audience, asked string) map[string]any {
	now := j.service.now()
	ref := "refs/heads/" + j.Branch
	claims := map[string]any{
		"iss": j.service.issuer, "aud": cmp.Or(audience, j.service.site+"/"+j.Organization),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"organization_slug": j.Organization, "pipeline_slug": j.Pipeline, "build_number": j.Number,
		"build_branch": j.Branch, "build_commit": j.Commit, "build_source": j.Source,
		"step_key": nil, "job_id": j.id("job"), "agent_id": j.id("agent"), "runner_environment": j.Runner,
	}
	if j.Tag != "" {
		ref, claims["build_tag"] = "refs/tags/"+j.Tag, j.Tag
	}
	if j.StepKey != "" {
		claims["step_key"] = j.StepKey
	}
	claims["sub"] = fmt.Sprintf("organization:%s:pipeline:%s:ref:%s:commit:%s:step:%s", j.Organization, j.Pipeline, ref, j.Commit, j.StepKey)
	optional := j.optional()
	for name := range strings.SplitSeq(asked, ",") {
		if v, ok := optional[name]; ok {
			claims[name] = v
		}
	}
	return claims
}

// optional are the claims that a job has to ask for.
func (j *BuildkiteJob) optional() map[string]string {
	return map[string]string{
		"organization_id": j.OrganizationID, "pipeline_id": j.PipelineID, "build_id": j.id("build"),
		"cluster_id": uuidOf(j.Organization + " cluster"), "cluster_name": "default",
		"queue_id": uuidOf(j.Organization + " queue " + j.Queue), "queue_key": j.Queue,
	}
}

// Programs writes buildkite-agent into a folder, which belongs at the front of the PATH of the job's steps. It knows
// the command by which a job asks for an identity token, and honours BUILDKITE_OIDC_TOKEN_CLAIMS, as the agent does.
func (j *BuildkiteJob) Programs(dir string) error { return j.writeProgram(dir, "buildkite-agent") }

func buildkiteRoutes(s *Service) {
	program(s, "buildkite-agent", func(j *BuildkiteJob, r *http.Request) bool { return j.asks(r) },
		func(j *BuildkiteJob, args []string, env url.Values) (string, error) {
			var audience, asked string
			err := after("oidc request-token", args, func(f *flag.FlagSet) {
				f.StringVar(&audience, "audience", "", "")
				f.StringVar(&asked, "claim", env.Get("BUILDKITE_OIDC_TOKEN_CLAIMS"), "")
			})
			if err != nil {
				return "", err
			}
			for name := range strings.SplitSeq(asked, ",") {
				if _, ok := j.optional()[name]; !ok && name != "" {
					return "", fmt.Errorf("oidc request-token: there is no claim %q to ask for", name)
				}
			}
			return s.Sign(nil, j.claims(audience, asked))
		})
}

func buildkiteClaims(s *Service) []string {
	j := &BuildkiteJob{BuildkiteRun{Tag: "x"}.filled(0), job{service: s}}
	return names(j.Claims(""))
}
