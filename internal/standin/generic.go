package standin

import (
	"cmp"
	"crypto/rand"
	"maps"
	"time"
)

// GenericRun describes a job of some other service that signs tokens.
type GenericRun struct {
	// Claims are what its tokens say beside issuer, audience, times and an id: "sub" at least.
	Claims map[string]any
	// Lifetime of its tokens. Default five minutes.
	Lifetime time.Duration
}

// GenericJob is a started job. How its tokens come to it is the caller's affair: such services set a variable, or
// have a step that asks for one.
type GenericJob struct {
	GenericRun
	job
}

// StartGeneric begins a job. The service must be a Generic one.
func (s *Service) StartGeneric(r GenericRun) *GenericJob {
	r.Lifetime = cmp.Or(r.Lifetime, 5*time.Minute)
	return begin(s, Generic, func(base job, _ int) *GenericJob { return &GenericJob{r, base} })
}

// Env is what every runner sets.
func (j *GenericJob) Env() []string { return []string{"CI=true"} }

// Token makes an identity token for the audience. Without one it has no claim aud, as a Jenkins without
// configuration makes them.
func (j *GenericJob) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}

// Claims are the claims of a token for the audience: the run's over those that every token has. The caller may
// change them.
func (j *GenericJob) Claims(audience string) map[string]any {
	now := j.service.now()
	claims := map[string]any{
		"iss": j.service.issuer, "iat": now.Unix(), "exp": now.Add(j.Lifetime).Unix(), "jti": uuidOf(rand.Text()),
	}
	if audience != "" {
		claims["aud"] = audience
	}
	maps.Copy(claims, j.GenericRun.Claims)
	return claims
}

// genericRoutes are none: nothing is known of how a job asks.
func genericRoutes(*Service) {}

func genericClaims(*Service) []string { return []string{"iss", "aud", "sub", "iat", "exp", "jti"} }
