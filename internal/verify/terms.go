package verify

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"sluice/internal/attest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/fault"
)

// Terms are what somebody who reads channels demands of attestations. Use DefaultTerms or ReadTerms.
type Terms struct {
	// Require says that every file needs an attestation that counts.
	Require bool
	// Instances are "public", or the names of files of trusted roots.
	Instances []string
	// Signers are those who may have signed; none: anybody.
	Signers []Signer
	// policy holds the rest.
	policy policy.Policy
}

// Signer is somebody who may sign some packages. All that is said must agree, to the byte; what is empty is not compared. At
// least one of Repository, RepositoryID and Workflow is said.
type Signer struct {
	// Packages are patterns (conda.Pattern).
	Packages []string `toml:"packages"`
	Issuer   string   `toml:"issuer"`
	// Repository is its address, RepositoryID its number at the issuer, which never changes.
	Repository   string `toml:"repository,omitempty"`
	RepositoryID string `toml:"repository_id,omitempty"`
	// Workflow is the identity of the file that held the job, up to the @.
	Workflow string `toml:"workflow,omitempty"`
	// Ref is the ref that was built.
	Ref string `toml:"ref,omitempty"`
}

// DefaultTerms are those of somebody who has said nothing: what is there must hold and be made for the channel, by anybody.
func DefaultTerms() Terms {
	p := policy.Default()
	p.Signer, p.Target = policy.SignedByAnybody, policy.TargetExact
	return Terms{Instances: []string{"public"}, policy: p}
}

// terms is the file.
type terms struct {
	Require     bool           `toml:"require"`
	Instances   []string       `toml:"instances"`
	Target      policy.Targets `toml:"target_channel"`
	Aliases     []string       `toml:"aliases"`
	AllowAbsent bool           `toml:"allow_absent"`
	Signers     []Signer       `toml:"signer"`
	Denied      []denial       `toml:"denied"`
}

// denial is a policy.Denial.
type denial struct {
	Identity     string    `toml:"identity"`
	RepositoryID string    `toml:"repository_id"`
	Issuer       string    `toml:"issuer"`
	Run          string    `toml:"run"`
	Serial       string    `toml:"certificate_serial"`
	LogID        string    `toml:"log_id"`
	LogFrom      int64     `toml:"log_from"`
	LogTo        int64     `toml:"log_to"`
	From         time.Time `toml:"from"`
	Until        time.Time `toml:"until"`
	Why          string    `toml:"why"`
}

// ReadTerms reads a policy.toml. Keys that it does not know are errors, and so is whatever could never match.
func ReadTerms(text []byte) (Terms, error) {
	out := DefaultTerms()
	f := terms{Instances: out.Instances, Target: out.policy.Target, AllowAbsent: out.policy.AllowAbsent}
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f)
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		return out, errors.New("keys that are not known:\n" + unknown.String())
	} else if err != nil {
		return out, err
	}
	out.Require, out.Instances, out.Signers = f.Require, f.Instances, f.Signers
	out.policy.Target, out.policy.Aliases, out.policy.AllowAbsent = f.Target, f.Aliases, f.AllowAbsent
	if f.Require {
		out.policy.Mode = policy.Required
	}
	if len(f.Signers) > 0 {
		out.policy.Signer = policy.SignedByPublisher
	}
	for _, d := range f.Denied {
		out.policy.Denied = append(out.policy.Denied, policy.Denial(d))
	}
	if len(out.Instances) == 0 {
		return out, errors.New(`instances: name at least one, "public" or the file of a trusted root`)
	}
	for _, s := range out.Signers {
		if err := s.check(); err != nil {
			return out, err
		}
	}
	return out, out.policy.Check()
}

func (s Signer) check() error {
	switch {
	case len(s.Packages) == 0:
		return errors.New(`signer: say for which packages, as in packages = ["tide", "libtide*"], or ["*"] for all`)
	case s.Issuer == "":
		return errors.New("signer: an issuer is missing, as in https://token.actions.githubusercontent.com")
	case s.Repository == "" && s.RepositoryID == "" && s.Workflow == "":
		return errors.New("signer: say who, by repository, repository_id or workflow: everybody has a job at the issuer " + s.Issuer)
	case strings.Contains(s.Workflow, "@"):
		return errors.New("signer: workflow ends before the @; say the ref with ref")
	}
	for _, p := range s.Packages {
		if _, err := conda.ParsePattern(p); err != nil {
			return err
		}
	}
	return nil
}

// signs reports whether the signer is one of a package.
func (s Signer) signs(name string) bool {
	return slices.ContainsFunc(s.Packages, func(text string) bool {
		p, err := conda.ParsePattern(text)
		return err == nil && p.Match(name)
	})
}

// match refuses with all differences.
func (s Signer) match(f fulcio.Signer) error {
	var differences []fault.Difference
	for _, p := range []struct{ name, want, got string }{
		{"issuer", s.Issuer, f.Issuer}, {"repository", s.Repository, f.Repository}, {"repository id", s.RepositoryID, f.RepositoryID},
		{"workflow", s.Workflow, workflowOf(f)}, {"ref", s.Ref, f.Ref},
	} {
		if p.want != "" && p.want != p.got {
			differences = append(differences, fault.Difference{Claim: p.name, Got: p.got, Want: p.want})
		}
	}
	if len(differences) == 0 {
		return nil
	}
	d := differences[0]
	return fault.New(fault.SignerMismatch, "Somebody else signed: the attestation has the %s %q, and the policy wants %q.", d.Claim, fault.OneLine(d.Got, 150), fault.OneLine(d.Want, 150)).With(differences)
}

// workflowOf is the file that held the job of a signer: the identity up to the @ before a ref, or all of it.
func workflowOf(f fulcio.Signer) string {
	if before, ref, ok := strings.Cut(f.Identity, "@"); ok && strings.HasPrefix(ref, "refs/") {
		return before
	}
	return f.Identity
}

// fit says why a signer may sign a package, or refuses.
func (t Terms) fit(name string, v attest.Verdict) (policy.Fit, error) {
	if len(t.Signers) == 0 || !v.Publishes() {
		return policy.ByOther, nil
	}
	var why error
	for _, s := range t.Signers {
		if !s.signs(name) {
			continue
		}
		if why = s.match(v.Signer); why == nil {
			return policy.ByPublisher, nil
		}
	}
	if why == nil {
		why = fault.New(fault.SignerMismatch, "The policy lets nobody sign %s: it was signed by %s.", name, fault.OneLine(v.Signer.Identity, 200))
	}
	return "", why
}
