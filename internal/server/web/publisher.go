package web

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"sluice/internal/attest/policy"
	"sluice/internal/conda"
	"sluice/internal/config"
	"sluice/internal/fault"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// publisher is a rule with everything that members may know of it.
func (s *site) publisher(p trust.Publisher) page.Publisher {
	out := page.Publisher{
		ID: strconv.FormatInt(p.ID, 10), Repository: p.FullName(), Workflow: p.Workflow, Environment: p.Environment, Provider: p.Provider,
		Weak: p.Weak(), OwnerID: p.OwnerID, RepositoryID: p.RepositoryID, AddedBy: p.CreatedBy, AddedAt: p.CreatedAt, IdleEnd: p.IdleEnd(),
		LastUsed: p.LastUsedAt, LastRun: runNumber(p.LastRun), LastRunURL: p.LastRun.RunURL(),
		Reads: p.Right == trust.Read, Packages: patterns(p), More: more(p),
	}
	if o, ok := s.serviceOf(p); !ok || len(s.Publishers.Issuers) > 1 {
		out.Title, out.Issuer = cmp.Or(o.traits.Title, p.Provider), p.Issuer
	}
	var code fault.Code
	code, out.Off = p.End(s.Now())
	out.State = map[fault.Code]string{fault.PublisherDisabled: "off", fault.PublisherExpired: "ended"}[code]
	_, out.Narrower = p.Narrowed()
	return out
}

// phrases is a rule as a sentence.
func phrases(p trust.Publisher) []page.Phrase {
	var out []page.Phrase
	for _, part := range p.Phrases() {
		out = append(out, page.Phrase(part))
	}
	return out
}

// more are the conditions and bounds of a rule that its row tells beside its heading, a sentence each.
func more(p trust.Publisher) []string {
	var out []string
	say := func(when bool, sentence string) {
		if when {
			out = append(out, sentence)
		}
	}
	say(len(p.Refs) > 0, "Refs "+strings.Join(p.Refs, ", ")+".")
	say(p.ProtectedRef, "Protected refs only.")
	say(len(p.Events) > 0, "Started by "+strings.Join(p.Events, ", ")+".")
	say(p.HostedRunner, "Hosted runners only.")
	say(p.Reusable != "", "Through "+p.Reusable+".")
	say(!p.ExpiresAt.IsZero(), "Ends on "+p.ExpiresAt.Format("2 Jan 2006")+".")
	if p.Right == trust.Read {
		return out
	}
	say(len(p.Subdirs) > 0, "Subdirs "+strings.Join(subdirs(p.Subdirs), ", ")+".")
	say(!p.NewNames, "No new package names.")
	say(p.Demand.Attestations == policy.Required, "Attestations required.")
	say(p.Demand.Signer == policy.SignedByRun, "Attestations of the same run only.")
	say(p.Demand.Signer == policy.SignedByPublisher, "Attestations of trusted publishers' runs only.")
	say(p.PerRun != trust.DefaultLimits(), "A run has at most "+limitWords(p.PerRun)+".")
	return out
}

// limitWords say what one run may have.
func limitWords(l trust.Limits) string {
	return fmt.Sprintf("%d files, %s, %d new names", l.Files, config.Bytes(l.Bytes), l.Names)
}

// everything reports whether the rule covers every package.
func everything(p trust.Publisher) bool { return len(patterns(p)) == 0 }

// patterns are the packages of a rule in words; none means every package.
func patterns(p trust.Publisher) []string {
	var out []string
	for _, pattern := range p.Packages {
		if pattern.IsAll() {
			return nil
		}
		out = append(out, pattern.String())
	}
	return out
}

func subdirs(list []conda.Subdir) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.String()
	}
	return out
}
