package page

import "strings"

// Origin says how a file came here, as far as the reader may know it: from a CI run, or with an API token.
// Origins compare with ==; files of the same origin are shown as one group.
type Origin struct {
	// Run is the run that published; zero when it was an API token.
	Run Run
	// Member is the name of the person whose API token it was; empty for readers who may not know.
	Member string
	// Token is that person's name for the token; empty likewise.
	Token string
	// Imported is the address of the channel that an operator imported it from; empty for what was uploaded.
	Imported string
}

// Run is a CI run as its identity token told. Empty fields are not known, or not for this reader.
// Addresses are shown as links only where they are plain http or https.
type Run struct {
	// Repository is "owner/name".
	Repository, RepositoryURL string
	// RepositoryID is the provider's unchangeable number.
	RepositoryID string
	// Workflow is the file's name.
	Workflow, WorkflowURL string
	// Number is the run's number as its provider shows it; URL leads to its log, by the run's id.
	Number, URL string
	// Attempt counts from "1".
	Attempt string
	// Commit is the full hash.
	Commit, CommitURL string
	// Ref is the full name: "refs/heads/main".
	Ref string
	// Event is what started the run: "push".
	Event string
	// Environment is the deployment environment of the job.
	Environment string
	// Runner is "github-hosted" or "self-hosted".
	Runner string
	// Publisher is the id of the trusted publisher that let it in.
	Publisher string
}

// ByCI reports whether a CI run published.
func (o Origin) ByCI() bool { return o.Run != Run{} }

// isImport reports whether an operator imported it: no person uploaded it then.
func (o Origin) isImport() bool { return !o.ByCI() && o.Imported != "" && o.Member == "" }

func (o Origin) mark() mark {
	switch {
	case o.ByCI():
		return byCI
	case o.isImport():
		return imported
	}
	return byToken
}

// attestedMark is the mark of what came so and may be attested: what came otherwise than by CI keeps the mark that says so.
func (o Origin) attestedMark(all bool) mark {
	if all && o.ByCI() {
		return attested
	}
	return o.mark()
}

// from is the channel that it was imported from, for a sentence.
func (o Origin) from() span { return link(show(short(o.Imported)), o.Imported) }

// sentence says who published, with links: the one sentence that all else only repeats.
func (o Origin) sentence(channel string) []span {
	if o.ByCI() {
		return o.Run.sentence()
	}
	if o.isImport() {
		return []span{words("Imported from "), o.from(), words(".")}
	}
	if o.Member == "" {
		return []span{words("Uploaded by " + o.who(channel) + " with an API token.")}
	}
	if o.Token == "" {
		return []span{words("Uploaded by " + show(o.Member) + " with an API token.")}
	}
	return []span{
		words("Uploaded by " + show(o.Member) + " with the API token "),
		{text: show(o.Token), style: mono}, words("."),
	}
}

func (r Run) sentence() []span {
	s := []span{
		words("Published by "), link(show(r.Workflow), r.WorkflowURL),
		words(" of "), link(show(r.Repository), r.RepositoryURL),
		words(", "), link("run "+show(r.Number), r.URL),
	}
	if r.Attempt != "" {
		s = append(s, words(" attempt "+show(r.Attempt)))
	}
	if r.Commit != "" {
		s = append(s, words(", commit "), r.commit())
	}
	if r.Ref != "" {
		s = append(s, words(" on "+refWords(r.Ref)))
	}
	return append(s, words("."))
}

// commit is the first seven digits, as every tool shows them.
func (r Run) commit() span {
	c := []rune(show(r.Commit))
	return span{text: string(c[:min(7, len(c))]), url: outside(r.CommitURL), style: mono}
}

// brief is the origin on one line of a list.
func (o Origin) brief(channel string) string {
	if o.isImport() {
		return "imported from " + show(short(o.Imported))
	}
	if !o.ByCI() {
		return o.who(channel) + ", with an API token"
	}
	return show(o.Run.Workflow) + " of " + show(o.Run.Repository) + " · run " + o.Run.numbered()
}

// numbered is the run's number, with the attempt when it is not the first.
func (r Run) numbered() string {
	if r.Attempt == "" || r.Attempt == "1" {
		return show(r.Number)
	}
	return show(r.Number) + " attempt " + show(r.Attempt)
}

// line is the origin under a file's name, where no link may stand.
func (o Origin) line(channel string) string {
	if o.isImport() {
		return "imported from " + show(short(o.Imported))
	}
	if !o.ByCI() && o.Token != "" {
		return "by " + o.who(channel) + " with API token " + show(o.Token)
	}
	if !o.ByCI() {
		return "by " + o.who(channel) + " with an API token"
	}
	s := "by " + show(o.Run.Workflow) + " of " + show(o.Run.Repository) + ", run " + show(o.Run.Number)
	if o.Run.Attempt != "" {
		s += " attempt " + show(o.Run.Attempt)
	}
	return s
}

// source is the shortest word for the origin: a repository, "imported", or "API token".
func (o Origin) source() string {
	if o.ByCI() {
		return show(o.Run.Repository)
	}
	if o.isImport() {
		return "imported"
	}
	return "API token"
}

func (o Origin) who(channel string) string {
	if o.Member == "" {
		return "a member of " + show(channel)
	}
	return show(o.Member)
}

// refWords is a ref without what goes without saying: "main", "tag v1.2", "refs/pull/4/merge".
func refWords(ref string) string {
	if b, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return show(b)
	}
	if t, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return "tag " + show(t)
	}
	return show(ref)
}

// runnerWords is the kind of machine in the spelling of its provider.
func runnerWords(runner string) string {
	switch runner {
	case "":
		return "not known"
	case "github-hosted":
		return "GitHub-hosted"
	case "gitlab-hosted":
		return "GitLab-hosted"
	}
	return show(runner)
}

// change says how o differs from the origin of the version before, or "" when it came the same way: the
// strongest sign that a reader should look.
func (o Origin) change(before Origin, version string) string {
	v := show(version)
	switch {
	case before.ByCI() && o.isImport():
		return v + " came from " + show(before.Run.Workflow) + " of " + show(before.Run.Repository) + "; this version was imported."
	case before.isImport() && o.isImport() && before.Imported == o.Imported:
		return ""
	case before.isImport():
		return v + " was imported from " + show(short(before.Imported)) + "; this version was " + o.came() + "."
	case !before.ByCI() && o.isImport():
		return v + " was uploaded with an API token; this version was imported from " + show(short(o.Imported)) + "."
	case before.ByCI() && !o.ByCI():
		return v + " came from " + show(before.Run.Workflow) + " of " + show(before.Run.Repository) + "; this version was uploaded with an API token."
	case !before.ByCI() && o.ByCI():
		return v + " was uploaded with an API token; this version came from " + show(o.Run.Workflow) + " of " + show(o.Run.Repository) + "."
	case !sameRepository(before.Run, o.Run):
		return v + " came from " + show(before.Run.Repository) + "; this version came from " + show(o.Run.Repository) + "."
	case before.Run.Workflow != o.Run.Workflow:
		return v + " came from " + show(before.Run.Workflow) + " of " + show(o.Run.Repository) + "; this version came from " + show(o.Run.Workflow) + " there."
	}
	return ""
}

// came is how it came, after "was".
func (o Origin) came() string {
	switch {
	case o.ByCI():
		return "published by " + show(o.Run.Workflow) + " of " + show(o.Run.Repository)
	case o.isImport():
		return "imported from " + show(short(o.Imported))
	}
	return "uploaded with an API token"
}

// sameRepository follows renames where the unchangeable numbers are known.
func sameRepository(a, b Run) bool {
	if a.RepositoryID != "" && b.RepositoryID != "" {
		return a.RepositoryID == b.RepositoryID
	}
	return a.Repository == b.Repository
}
