package page

import (
	"regexp"
	"slices"
	"strings"
)

// Signer is whom a certificate names. All text is the certificate's own, and empty where it says nothing.
type Signer struct {
	// Identity is the name in the certificate, Issuer who issued the identity token for it.
	Identity, Issuer string
	// Repository, Workflow and Run are addresses; RepositoryID is the repository's unchangeable number.
	Repository, RepositoryID, Workflow, Run string
	// Commit and Ref are what was built.
	Commit, Ref string
	// Trigger is the event that started the run, Environment its deployment environment, Runner where it ran.
	Trigger, Environment, Runner string
	// Linked says that the reader may be led to the repository's own site.
	Linked bool
}

// host is a public site whose addresses are known. Certificates can hold any text, so that an address becomes a link only
// where the whole of it has the form that the site gives it.
type host struct {
	issuer     string
	repository *regexp.Regexp
	// run, commit and workflow are what follows the repository's address; file finds the workflow's path, and is nil where
	// the workflow has no page.
	run, file *regexp.Regexp
	commit    string
	blob      string
}

var (
	hosts = []host{
		{
			issuer: "https://token.actions.githubusercontent.com", repository: regexp.MustCompile(`^https://github\.com/[A-Za-z0-9-]{1,39}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`),
			run: regexp.MustCompile(`^/actions/runs/[0-9]{1,20}(/attempts/[0-9]{1,6})?$`), commit: "/commit/",
			file: regexp.MustCompile(`^/(\.github/workflows/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99})@`), blob: "/blob/",
		},
		{
			issuer: "https://gitlab.com", repository: regexp.MustCompile(`^https://gitlab\.com(/[A-Za-z0-9_][A-Za-z0-9._-]*){2,20}$`),
			run: regexp.MustCompile(`^/-/jobs/[0-9]{1,20}$`), commit: "/-/commit/",
			file: regexp.MustCompile(`^//(\.gitlab-ci\.yml)@`), blob: "/-/blob/",
		},
	}
	commitHash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// signerLinks are pages of the signer's repository; empty where there is none that can be told.
type signerLinks struct{ repository, workflow, commit, run string }

// links are made of the hosts that are known and of parts that were held to their forms.
func (s Signer) links() (l signerLinks) {
	i := slices.IndexFunc(hosts, func(h host) bool { return h.issuer == s.Issuer })
	if i < 0 || !s.Linked || !hosts[i].repository.MatchString(s.Repository) {
		return l
	}
	h := hosts[i]
	l.repository = s.Repository
	if rest, ok := strings.CutPrefix(s.Run, s.Repository); ok && h.run.MatchString(rest) {
		l.run = s.Run
	}
	if !commitHash.MatchString(s.Commit) {
		return l
	}
	l.commit = s.Repository + h.commit + s.Commit
	if rest, ok := strings.CutPrefix(s.Workflow, s.Repository); ok {
		if found := h.file.FindStringSubmatch(rest); found != nil {
			l.workflow = s.Repository + h.blob + s.Commit + "/" + found[1]
		}
	}
	return l
}

// facts are what the certificate says; what it leaves out is left out.
func (s Signer) facts() []fact {
	to := s.links()
	var list []fact
	add := func(label, text, address string) {
		if text != "" {
			list = append(list, fact{label, []span{{text: show(text), url: outside(address), style: mono}}})
		}
	}
	add("Identity", short(s.Identity), "")
	add("Issuer", short(s.Issuer), "")
	add("Repository", short(s.Repository), to.repository)
	if n := len(list) - 1; s.Repository != "" && s.RepositoryID != "" {
		list[n].value = append(list[n].value, words(" id "+show(s.RepositoryID)))
	}
	add("Workflow", strings.TrimPrefix(strings.TrimPrefix(s.Workflow, s.Repository), "/"), to.workflow)
	add("Commit", s.Commit, to.commit)
	add("Ref", s.Ref, "")
	add("Run", strings.TrimPrefix(strings.TrimPrefix(s.Run, s.Repository), "/"), to.run)
	add("Trigger", s.Trigger, "")
	add("Environment", s.Environment, "")
	if s.Runner != "" {
		list = append(list, known("Runner", runnerWords(s.Runner)))
	}
	return list
}
