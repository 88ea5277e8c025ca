package cli

import (
	"context"
	"slices"
	"time"

	"sluice/internal/remote"
	"sluice/internal/trust"
)

// publisherRule is a trusted publisher as its owner writes it, by the same names in files and to the API. What is
// absent is the usual.
type publisherRule struct {
	Provider        string    `toml:"provider" json:"provider,omitempty"`
	Issuer          string    `toml:"issuer" json:"issuer,omitempty"`
	RepositoryOwner string    `toml:"repository_owner" json:"repository_owner,omitempty"`
	Repository      string    `toml:"repository" json:"repository,omitempty"`
	AnyRepository   bool      `toml:"any_repository" json:"any_repository,omitempty"`
	Workflow        string    `toml:"workflow" json:"workflow,omitempty"`
	OwnerID         string    `toml:"repository_owner_id" json:"repository_owner_id,omitempty"`
	RepositoryID    string    `toml:"repository_id" json:"repository_id,omitempty"`
	Environment     string    `toml:"environment" json:"environment,omitempty"`
	Refs            []string  `toml:"refs" json:"refs,omitempty"`
	ProtectedRef    bool      `toml:"protected_ref" json:"protected_ref,omitempty"`
	Events          []string  `toml:"events" json:"events,omitempty"`
	HostedRunner    bool      `toml:"hosted_runner" json:"hosted_runner,omitempty"`
	Reusable        string    `toml:"reusable" json:"reusable,omitempty"`
	Right           string    `toml:"right" json:"right,omitempty"`
	Packages        []string  `toml:"packages" json:"packages,omitempty"`
	Subdirs         []string  `toml:"subdirs" json:"subdirs,omitempty"`
	NewNames        *bool     `toml:"new_names" json:"new_names,omitempty"`
	Files           int64     `toml:"files_per_run" json:"files_per_run,omitempty"`
	Bytes           int64     `toml:"bytes_per_run" json:"bytes_per_run,omitempty"`
	Names           int64     `toml:"new_names_per_run" json:"new_names_per_run,omitempty"`
	Attestations    string    `toml:"attestations" json:"attestations,omitempty"`
	Signer          string    `toml:"signer" json:"signer,omitempty"`
	ExpiresAt       time.Time `toml:"expires_at" json:"expires_at,omitzero"`
	IdleDays        int       `toml:"idle_days" json:"idle_days,omitempty"`
	// Fields are those that the service calls otherwise; a file has them beside the others.
	Fields map[string]string `toml:"-" json:"fields,omitempty"`
}

// short leaves out what is the usual on a server with these issuers.
func (r publisherRule) short(issuers issuerList) publisherRule {
	if r.Issuer == issuers.usual(r.Provider) {
		r.Issuer = ""
	}
	if r.Provider == "github" {
		r.Provider = ""
	}
	if r.Right == string(trust.Publish) {
		r.Right = ""
	}
	if r.NewNames != nil && *r.NewNames {
		r.NewNames = nil
	}
	usual := trust.DefaultLimits()
	for _, l := range []struct {
		is    *int64
		usual int64
	}{{&r.Files, usual.Files}, {&r.Bytes, usual.Bytes}, {&r.Names, usual.Names}} {
		if *l.is == l.usual {
			*l.is = 0
		}
	}
	return r
}

// issuerList are the issuers of a server, in the order in which it lists them.
type issuerList []struct {
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	Fields   []struct {
		Name string `json:"name"`
		Slot string `json:"slot"`
	} `json:"fields"`
}

func readIssuers(ctx context.Context, c *remote.Client) (issuerList, error) {
	var answer struct {
		Providers issuerList `json:"providers"`
	}
	err := c.Get(ctx, remote.Path("providers"), &answer)
	return answer.Providers, err
}

// usual is the issuer that a rule of the service means when it names none.
func (l issuerList) usual(provider string) string {
	for _, is := range l {
		if is.Provider == provider {
			return is.Issuer
		}
	}
	return ""
}

// names are what the service calls the slots of a rule; those that it has no field for keep their own names.
func (l issuerList) names(provider string) map[string]string {
	out := map[string]string{
		"owner": "repository_owner", "repository": "repository", "workflow": "workflow", "owner_id": "repository_owner_id", "repository_id": "repository_id",
	}
	for _, is := range l {
		if is.Provider == provider {
			for _, f := range is.Fields {
				out[f.Slot] = f.Name
			}
		}
	}
	return out
}

// hasField reports whether any of the services has a field of that name.
func (l issuerList) hasField(name string) bool {
	for _, is := range l {
		for _, f := range is.Fields {
			if f.Name == name {
				return true
			}
		}
	}
	return false
}

// remotePublishers reads the publishers of a channel.
func remotePublishers(ctx context.Context, c *remote.Client, channel string) ([]remotePublisher, error) {
	var answer struct {
		Publishers []remotePublisher `json:"trusted_publishers"`
	}
	err := c.Get(ctx, remote.Path("channels", channel, publishersPath), &answer)
	return slices.Clip(answer.Publishers), err
}
