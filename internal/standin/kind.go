package standin

import (
	"fmt"
	"maps"
	"slices"
)

// Kind is a CI service that a Service can stand in for.
type Kind string

// The services that have a stand-in. Generic is any other that signs tokens, such as a Jenkins: its jobs say what
// the caller has them say.
const (
	GitHub    Kind = "github"
	GitLab    Kind = "gitlab"
	Forgejo   Kind = "forgejo"
	Buildkite Kind = "buildkite"
	CircleCI  Kind = "circleci"
	Google    Kind = "google"
	Generic   Kind = "generic"
)

// traits is how a service publishes what it publishes.
type traits struct {
	issuerPath string // from the site to the issuer
	keysPath   string // from the issuer to the keys
	routes     func(*Service)
	claims     func(*Service) []string // those that its discovery document names
}

func (k Kind) traits() (traits, error) {
	switch k {
	case GitHub:
		return traits{"", "/.well-known/jwks", githubRoutes, githubClaims}, nil
	case GitLab:
		return traits{"", "/oauth/discovery/keys", gitlabRoutes, gitlabClaims}, nil
	case Forgejo:
		return traits{"/api/actions", "/.well-known/keys", forgejoRoutes, forgejoClaims}, nil
	case Buildkite:
		return traits{"", "/.well-known/jwks", buildkiteRoutes, buildkiteClaims}, nil
	case CircleCI:
		return traits{"", "/.well-known/jwks", circleciRoutes, circleciClaims}, nil
	case Google:
		return traits{"", "/oauth2/v3/certs", googleRoutes, googleClaims}, nil
	case Generic:
		return traits{"", "/jwks", genericRoutes, genericClaims}, nil
	}
	return traits{}, fmt.Errorf("no stand-in for a service of the kind %q", k)
}

// names are the names of claims.
func names(claims map[string]any) []string { return slices.Sorted(maps.Keys(claims)) }
