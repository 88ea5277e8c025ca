package trust

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

func issuers(t *testing.T, urls ...string) []Issuer {
	t.Helper()
	var out []Issuer
	for _, u := range urls {
		is, err := NewIssuer("github", u)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, is)
	}
	return out
}

func forge(t *testing.T) conda.Channel {
	t.Helper()
	ch, err := conda.ParseChannel("forge")
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// Rows 83 to 85 of the catalogue: what people paste, and what cannot be.
func TestNewPublisher(t *testing.T) {
	t.Parallel()
	known := issuers(t, "", "https://ghes.example/_services/token")
	const all = "Runs of build.yml in acme/forge may publish every package of forge"
	for _, tt := range []struct {
		name string
		in   PublisherSpec
		want string // the sentence; or, with fields, a piece of the refusal
		bad  []string
	}{
		{"plain", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml"}, all, nil},
		{"blanks", PublisherSpec{Owner: " acme\t", Repository: "\nforge ", Workflow: " build.yml "}, all, nil},
		{"both in the repository", PublisherSpec{Repository: "acme/forge", Workflow: "build.yml"}, all, nil},
		{"both in the owner", PublisherSpec{Owner: "acme/forge", Workflow: "build.yml"}, all, nil},
		{"both in both", PublisherSpec{Owner: "acme/forge", Repository: "acme/forge", Workflow: "build.yml"}, all, nil},
		{"owner given twice", PublisherSpec{Owner: "Acme", Repository: "acme/forge", Workflow: "build.yml"}, all, nil},
		{"repository given twice", PublisherSpec{Owner: "acme/forge", Repository: "forge", Workflow: "build.yml"}, all, nil},
		{"address", PublisherSpec{Repository: "https://github.com/acme/forge", Workflow: "build.yml"}, all, nil},
		{"address with a slash", PublisherSpec{Owner: "https://github.com/acme/forge/", Workflow: "build.yml"}, all, nil},
		{"address of a page", PublisherSpec{Owner: "https://github.com/acme/forge/tree/main?x=1#y", Workflow: "build.yml"}, all, nil},
		{"address to clone", PublisherSpec{Repository: "https://github.com/acme/forge.git", Workflow: "build.yml"}, all, nil},
		{"address over ssh", PublisherSpec{Repository: "git@github.com:acme/forge.git", Workflow: "build.yml"}, all, nil},
		{"address without a scheme", PublisherSpec{Repository: "github.com/acme/forge", Workflow: "build.yml"}, all, nil},
		{"owner's address", PublisherSpec{Owner: "https://github.com/acme", Repository: "forge", Workflow: "build.yml"}, all, nil},
		{".git", PublisherSpec{Owner: "acme", Repository: "forge.git", Workflow: "build.yml"}, all, nil},
		{"workflow's path", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: ".github/workflows/build.yml"}, all, nil},
		{"workflow's path from here", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "./.github/workflows/build.yml"}, all, nil},
		{"workflow's reference", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "acme/forge/.github/workflows/build.yml@refs/heads/main"}, all, nil},
		{"workflow's address", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "https://github.com/acme/forge/blob/main/.github/workflows/build.yml#L3"}, all, nil},
		{"workflow's page", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "https://github.com/acme/forge/actions/workflows/build.yml"}, all, nil},
		{"workflow with @", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "a@b.yaml"}, strings.Replace(all, "build.yml", "a@b.yaml", 1), nil},
		{"environment", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{Environment: " release "}, Packages: []string{"libtide*"}},
			"Runs of build.yml in acme/forge with environment release may publish libtide* of forge", nil},
		{"packages in a string", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Packages: []string{" LibTide*, tidewatch\n zlib,,zlib"}},
			"Runs of build.yml in acme/forge may publish libtide*, tidewatch and zlib of forge", nil},
		{"packages in a list", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Packages: []string{"a", "b"}},
			"Runs of build.yml in acme/forge may publish a and b of forge", nil},
		{"every package", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Packages: []string{"a", "*"}}, all, nil},

		{"an attestation", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Demand: policy.Demand{Attestations: policy.Required}}, all + ", and must bring an attestation", nil},
		{"an attestation by the run", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Demand: policy.Demand{Attestations: policy.Required, Signer: policy.SignedByRun}},
			all + ", and must bring an attestation signed by the same run", nil},
		{"attestations by a publisher", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Demand: policy.Demand{Signer: policy.SignedByPublisher}},
			all + ", with attestations signed by a trusted publisher's run", nil},

		{"looser than any channel", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Demand: policy.Demand{Attestations: policy.Optional, Signer: policy.SignedByAnybody}},
			"to be run, publisher, or nothing", []string{"attestations", "signer"}},
		{"nothing", PublisherSpec{}, "repository_owner (empty) needs the name of a user", []string{"repository_owner", "repository", "workflow"}},
		{"* as owner", PublisherSpec{Owner: "*", Repository: "forge", Workflow: "build.yml"}, "wildcards are not taken here", []string{"repository_owner"}},
		{"* in the repository", PublisherSpec{Owner: "acme", Repository: "forge-*", Workflow: "build.yml"}, "wildcards are not taken", []string{"repository"}},
		{"* in the workflow", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "*.yml"}, "wildcards are not taken", []string{"workflow"}},
		{"* as environment", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{Environment: "*"}}, "wildcards", []string{"environment"}},
		{"look-alike owner", PublisherSpec{Owner: "\u0430cme", Repository: "forge", Workflow: "build.yml"}, "it holds U+0430, which may only look right", []string{"repository_owner"}},
		{"zero width", PublisherSpec{Owner: "acme", Repository: "for\u200bge", Workflow: "build.yml"}, "for<U+200B>ge", []string{"repository"}},
		{"fields that contradict", PublisherSpec{Owner: "acme", Repository: "other/forge", Workflow: "build.yml"}, "repository other/forge needs", []string{"repository"}},
		{"dots", PublisherSpec{Owner: "acme", Repository: "..", Workflow: "build.yml"}, "repository .. needs", []string{"repository"}},
		{"workflow's name instead of its file", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "Build"}, "ends in .yml or .yaml", []string{"workflow"}},
		{"workflow in another folder", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "ci/build.yml"}, "in .github/workflows", []string{"workflow"}},
		{"extension alone", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: ".yml"}, "workflow .yml needs", []string{"workflow"}},
		{"long environment", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Conditions: Conditions{Environment: strings.Repeat("e", 256)}}, "255", []string{"environment"}},
		{"pattern with a * inside", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Packages: []string{"a*b"}}, "one * at the end", []string{"packages"}},
		{"regular expression", PublisherSpec{Owner: "acme", Repository: "forge", Workflow: "build.yml", Packages: []string{"^lib.+$"}}, "packages ^lib.+$ needs", []string{"packages"}},
		{"everything wrong", PublisherSpec{Owner: "a b", Repository: "c d", Workflow: "e", Conditions: Conditions{Environment: "*"}, Packages: []string{"**"}}, "; repository c d needs",
			[]string{"repository_owner", "repository", "workflow", "environment", "packages"}},
		{"another provider", PublisherSpec{Provider: "gitlab", Owner: "acme", Repository: "forge", Workflow: "build.yml"}, "this server is configured for (github)", []string{"provider"}},
		{"another issuer", PublisherSpec{Issuer: "https://x.example", Owner: "acme", Repository: "forge", Workflow: "build.yml"}, "or https://ghes.example/_services/token", []string{"issuer"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_800_000_000, 0)
			p, err := NewPublisher(tt.in, known, forge(t), 7, "mara", now)
			if tt.bad == nil {
				if err != nil || p.Sentence() != tt.want {
					t.Fatalf("= %q, %v; want %q", p.Sentence(), err, tt.want)
				}
				if p.Issuer != known[0].URL || p.Provider != "github" || p.ChannelID != 7 || p.CreatedBy != "mara" || !p.CreatedAt.Equal(now) || p.Version != 1 || p.Pinned() {
					t.Errorf("publisher %+v", p)
				}
				return
			}
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Code != fault.InvalidField || !strings.Contains(f.Detail, tt.want) {
				t.Fatalf("error %v, want invalid_field with %q", err, tt.want)
			}
			var fields []string
			for _, d := range f.Differences {
				fields = append(fields, d.Claim)
			}
			if d := cmp.Diff(tt.bad, fields); d != "" {
				t.Error(d)
			}
		})
	}
	p, err := NewPublisher(PublisherSpec{Issuer: known[1].URL, Repository: "https://ghes.example/acme/forge", Workflow: "e"}, known, forge(t), 7, "mara", time.Now())
	if err == nil || p.Issuer != known[1].URL || p.FullName() != "acme/forge" {
		t.Errorf("beside a mistake: %+v, %v; want what was understood", p.Rule, err)
	}
}

func TestWeakPublishers(t *testing.T) {
	t.Parallel()
	p := Publisher{Rule: Rule{Provider: "github"}}
	if got := p.Weak(); got != "Any branch can publish, because no environment is named." {
		t.Errorf("weak: %q", got)
	}
	p.Environment = "release"
	if got := p.Weak(); got != "" {
		t.Errorf("with an environment: %q", got)
	}
}

func TestRepositoryKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"Acme/FORGE": "acme/forge", "for\u212aage": "for\u212aage", "\u017f": "\u017f", "": ""} {
		if got := RepositoryKey(in); got != want {
			t.Errorf("RepositoryKey(%q) = %q, want %q", in, got, want)
		}
	}
}

// Row 93: which addresses may be issuers.
func TestNewIssuer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, url, want string }{
		{"github", "", ""},
		{"github", "https://token.actions.githubusercontent.com/acme", ""},
		{"github", "https://ghes.example:8443/_services/token", ""},
		{"github", "http://127.0.0.1:9000", ""},
		{"github", "http://[::1]:9000", ""},
		{"github", "http://localhost:9000", ""},
		{"github", "http://token.example", "loopback addresses only"},
		{"github", "http://127.0.0.1.evil.example", "loopback addresses only"},
		{"github", "http://192.168.0.1", "loopback addresses only"},
		{"github", "ftp://token.example", "https://"},
		{"github", "token.example", "no address"},
		{"github", "https://", "no address"},
		{"github", "https://u:p@token.example", "user name"},
		{"github", "https://token.example?x", "query"},
		{"github", "https://token.example#x", "fragment"},
		{"github", "https://token.example/", "trailing slash"},
		{"github", "https://token.example/a/", "trailing slash"},
		{"github", "https://token.example/a/../b", "dotted"},
		{"github", "https://Token.example", "lower case"},
		{"jenkins", "https://x.example", "must be one of github"},
	} {
		t.Run(tt.name+"="+tt.url, func(t *testing.T) {
			t.Parallel()
			is, err := NewIssuer(tt.name, tt.url)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q in it", err, tt.want)
				}
				return
			}
			if err != nil || !strings.HasSuffix(is.URL, tt.url) || is.MaxLifetime != 15*time.Minute || !cmp.Equal(is.Algorithms, []string{"RS256"}) {
				t.Errorf("= %+v, %v", is, err)
			}
		})
	}
}

// Of a service that only the operator knows, the last run says what its tokens tell.
func TestPublishersOfDescribedServices(t *testing.T) {
	t.Parallel()
	p := Publisher{Rule: Rule{Provider: "jenkins", Issuer: "https://ci.acme.dev", Repository: "forge"}, Scope: Scope{Right: Publish}}
	if got := p.Weak(); got != "" {
		t.Errorf("before its first run: %q", got)
	}
	if _, ok := p.Narrowed(); ok {
		t.Error("narrowed without a run")
	}
	p.LastUsedAt, p.LastRun = time.Unix(1_800_000_000, 0), Provenance{Provider: "jenkins", Ref: "refs/heads/main", Event: "scm"}
	if got := p.Weak(); got != "Any branch can publish, because no ref is named." {
		t.Errorf("after it: %q", got)
	}
	narrow, ok := p.Narrowed()
	if d := cmp.Diff(Conditions{Refs: []string{"refs/heads/main"}, Events: []string{"scm"}}, narrow.Conditions); !ok || d != "" || narrow.Weak() != "" {
		t.Errorf("narrowed: %v %s %q", ok, d, narrow.Weak())
	}
}
