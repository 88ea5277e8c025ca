package trust

import (
	"slices"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/trust/provider"
)

// Allowing is the publisher changed so that runs like the refused one pass, and as little as that takes. Only a run
// that the pinned ids prove to be of the publisher's own repository can be let in so, and none that strangers or
// unreviewed code can start: those an owner names by hand. Else it is fault.NotPermitted with the reason.
func (p Publisher) Allowing(run Provenance) (Publisher, error) {
	no := func(why string) error {
		return fault.New(fault.NotPermitted, "This run cannot be let in from here: %s.", why)
	}
	service, ok := provider.ByName(p.Provider)
	switch {
	case run.Issuer != p.Issuer:
		return p, no("it comes from another issuer")
	case !ok:
		return p, no("what its claims mean is known by its issuer's configuration alone, so change the publisher by hand")
	}
	v := provider.Match(service, p.Rule, run)
	if !v.Proven || !p.Pinned() {
		return p, no("no pinned id says that it is of the publisher's repository")
	}
	for _, d := range v.Differences() {
		if !p.allow(d.Code, run) {
			return p, no("its " + d.Field + " is " + value(d.Got, shownLen))
		}
	}
	for _, d := range provider.Match(service, p.Rule, run).Differences() {
		return p, no("no rule changes that its " + d.Field + " is " + value(d.Got, shownLen))
	}
	return p, nil
}

// allow changes the one point in which the run differed, and reports whether that may be done so.
func (p *Publisher) allow(code fault.Code, run Provenance) bool {
	switch code {
	case fault.WorkflowMismatch:
		p.Workflow = run.Workflow
		return run.Workflow != ""
	case fault.ReusableWorkflow:
		p.Reusable = provider.CalledFile(run)
		return true
	case fault.EnvironmentMismatch:
		p.Environment = run.Environment
		return true
	case fault.RefMismatch:
		p.Refs = append(slices.Clip(p.Refs), refCondition(run.Ref))
		return run.Ref != ""
	case fault.RefNotProtected:
		p.ProtectedRef = false
		return true
	case fault.RunnerNotAllowed:
		p.HostedRunner = false
		return true
	}
	return false
}

// refCondition is the condition that a run's ref suggests: a branch stands for itself, a tag for the tags that are
// named like it, since the next release has another.
func refCondition(ref string) string {
	tag, ok := strings.CutPrefix(ref, "refs/tags/")
	if !ok {
		return ref
	}
	if len(tag) > 1 && tag[0] == 'v' && '0' <= tag[1] && tag[1] <= '9' {
		return "refs/tags/v*"
	}
	return "refs/tags/*"
}

// Moved is the publisher after its repository went to another owner, as a run of it says. The repository's own id
// must be the pinned one; else it is fault.NotPermitted.
func (p Publisher) Moved(run Provenance) (Publisher, error) {
	if run.Issuer != p.Issuer || p.RepositoryID == "" || p.RepositoryID != run.RepositoryID || run.OwnerID == "" || p.AnyRepository {
		return p, fault.New(fault.NotPermitted, "The run is not of the repository that publisher %d is pinned to.", p.ID)
	}
	p.Owner, p.Repository, p.OwnerID = run.Owner, run.Name(), run.OwnerID
	return p, nil
}

// Narrowed is the publisher with every condition that its last run fulfilled and its service tells. ok is false
// when nothing would change, or no run has used it yet.
func (p Publisher) Narrowed() (narrow Publisher, ok bool) {
	if p.Pending() {
		return p, false
	}
	t, _ := p.service()
	run, before := p.LastRun, p
	if p.Environment == "" && t.Environments {
		p.Environment = run.Environment
	}
	if len(p.Refs) == 0 && t.Refs && run.Ref != "" {
		p.Refs = []string{refCondition(run.Ref)}
	}
	if len(p.Events) == 0 && run.Event != "" && len(t.Events) > 0 {
		p.Events = []string{run.Event}
	}
	p.ProtectedRef = p.ProtectedRef || t.ProtectedRefs && run.RefProtected == "true"
	p.HostedRunner = p.HostedRunner || t.Hosted != "" && run.Runner == t.Hosted
	return p, !p.SameRule(before)
}
