package provider

import (
	"strings"
	"time"

	"sluice/internal/fault"
)

// google is Google Cloud: whatever acts as a service account. Everybody on earth shares the issuer, so that address
// and number of the account must both fit.
type google struct{}

func googleMapping() Mapping {
	return Mapping{Name: "google", Claims: map[string]string{wholeNamePart: "email", repositoryIDPart: "sub"}}
}

func (google) Traits() Traits {
	return Traits{
		Name: "google", Title: "Google Cloud", Issuer: "https://accounts.google.com", JWKSURI: "https://www.googleapis.com/oauth2/v3/certs",
		Marks:       []string{"https://accounts.google.com"},
		Algorithms:  []string{"RS256"},
		MaxLifetime: 70 * time.Minute,
		Fields: []Field{
			{Slot: RepositorySlot, Name: "email", Label: "Service account", Example: "forge@acme-builds.iam.gserviceaccount.com", Help: "Its e-mail address."},
			{Slot: RepositoryIDSlot, Name: "sub", Label: "Unique id", Example: "113748291048274910283",
				Help: "The account's number: gcloud iam service-accounts describe ADDRESS --format 'value(uniqueId)'."},
		},
	}
}

// Read wants an address that Google vouches for, as a boolean: a string "false" is true to those who only look
// whether there is something.
func (google) Read(c Claims) (Provenance, error) {
	p, err := googleMapping().read(c)
	if verified, ok := c["email_verified"].(bool); err == nil && !(ok && verified) {
		err = fault.New(fault.BadClaim, "Claim has an impossible value [%s]: the token's email_verified is not true. "+
			"Use the token of a service account: Google vouches for its address.", fault.BadClaim)
	}
	return p, err
}

// Compare wants the address and the number exactly. The address with another number is an account that was made anew.
func (google) Compare(r Rule, p Provenance) Verdict {
	known := plainName(p.Repository) && googleNumber(p.RepositoryID)
	switch {
	case !known || r.Repository != p.Repository || r.Owner != "" || p.Owner != "":
		return Verdict{Code: fault.NoPublisher}
	case r.RepositoryID != p.RepositoryID || r.OwnerID != p.OwnerID:
		return Verdict{Code: fault.IDMismatch}
	}
	return Verdict{Proven: true}
}

// googleNumber reports whether s is an account's number; real ones have 21 digits.
func googleNumber(s string) bool {
	return within(s, 40, func(c byte) bool { return '0' <= c && c <= '9' })
}

// Normalise wants both, so that no first use decides whom a rule means.
func (google) Normalise(r Rule) (Rule, []Problem) {
	r.Owner, r.Repository, r.Workflow = strings.TrimSpace(r.Owner), strings.TrimSpace(r.Repository), strings.TrimSpace(r.Workflow)
	r.RepositoryID = strings.TrimSpace(r.RepositoryID)
	r.OwnerID = r.RepositoryID
	var out []Problem
	if name, domain, ok := strings.Cut(r.Repository, "@"); !ok || !plainName(r.Repository) || name == "" || !strings.Contains(domain, ".") || strings.ContainsAny(r.Repository, " /") {
		out = append(out, Problem{"repository", r.Repository, "the e-mail address of a service account" + plainNote(r.Repository)})
	}
	if !googleNumber(r.RepositoryID) {
		out = append(out, Problem{"repository_id", r.RepositoryID, "the account's number, digits alone" + plainNote(r.RepositoryID)})
	}
	for _, slot := range []Slot{OwnerSlot, WorkflowSlot} {
		if v := slot.Get(r); v != "" {
			out = append(out, Problem{string(slot), v, "to be left out: tokens of Google Cloud do not tell it"})
		}
	}
	return r, out
}

// Links are none: a token tells of an account, not of a run.
func (google) Links(Provenance) Links { return Links{} }
