package verify

import (
	"fmt"
	"io"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"sluice/internal/attest/fulcio"
)

// Found collects who has signed what, for a policy that it satisfies. The zero value has found nothing.
type Found struct {
	// Instances are those of Terms.
	Instances []string

	signers []Signer
	// lacking says that there was a file without an attestation that counts.
	lacking bool
}

// Add adds what was found of a file: of its attestations those that count.
func (f *Found) Add(r Report) {
	f.lacking = f.lacking || r.Verdict != OK
	for _, s := range r.Signers() {
		f.add(signerOf(s), nameOf(r.File))
	}
}

// signerOf is whoever works in the same file of the same repository.
func signerOf(s fulcio.Signer) Signer {
	return Signer{Issuer: s.Issuer, Repository: s.Repository, RepositoryID: s.RepositoryID, Workflow: workflowOf(s)}
}

func (f *Found) add(s Signer, name string) {
	at := slices.IndexFunc(f.signers, func(o Signer) bool {
		return o.Issuer == s.Issuer && o.Repository == s.Repository && o.RepositoryID == s.RepositoryID && o.Workflow == s.Workflow
	})
	if at < 0 {
		at, f.signers = len(f.signers), append(f.signers, s)
	}
	if !slices.Contains(f.signers[at].Packages, name) {
		f.signers[at].Packages = append(f.signers[at].Packages, name)
	}
}

// Write writes the policy, as ReadTerms reads it.
func (f *Found) Write(w io.Writer) error {
	text, err := toml.Marshal(struct {
		Require   bool     `toml:"require"`
		Instances []string `toml:"instances"`
		Signers   []Signer `toml:"signer,omitempty"`
	}{!f.lacking, f.Instances, f.signers})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "# Who has signed what so far. That somebody signed does not say that they should: read it before you keep it.\n%s", text)
	return err
}
