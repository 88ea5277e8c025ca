package page

import (
	"net/url"
	"strings"
	"time"
)

// Publisher is a trusted publisher as its channel's pages show it.
type Publisher struct {
	// ID is its number.
	ID string
	// Repository is "owner/name", Workflow the file's name, Environment the one that runs must name or empty.
	Repository, Workflow, Environment string
	// Packages are the names and patterns that it may publish; empty means every package.
	Packages []string
	// Weak is one sentence that says why more runs than meant could use it; empty when none could.
	Weak string
	// OwnerID and RepositoryID are the pinned numbers; empty before the first use.
	OwnerID, RepositoryID string
	// AddedBy and AddedAt say who made the rule, and when.
	AddedBy string
	AddedAt time.Time
	// LastUsed is when a run last got a token by it; zero before the first use. LastRun is that run's number,
	// LastRunURL its log.
	LastUsed            time.Time
	LastRun, LastRunURL string
}

// PublishersView is the page of a channel's trusted publishers: who can publish here without a key, and why
// was mine refused?
type PublishersView struct {
	Head       ChannelHead
	Publishers []Publisher
	// Chosen is the id of the publisher whose workflow file is shown; empty for none.
	Chosen string
	// Added says that the chosen publisher was made a moment ago.
	Added bool
	// MayManage shows the form, the buttons and the refused attempts: the reader is an owner.
	MayManage bool
	Form      PublisherForm
	// Refused are the last refused attempts that concern this channel, newest first.
	Refused []Attempt
}

// PublisherForm is the form for a new publisher, empty, or as it came back.
type PublisherForm struct {
	Owner, Repository, Workflow, Environment, Packages Field
	// Error is why the rule was not made, where no single field is to blame.
	Error string
	// Rule is what the form would allow, as a sentence; nil while that is not known.
	Rule []Phrase
	// Confirm says that the rule is open wider than most owners mean, so nothing was made yet: Warnings say
	// how, one sentence each, and sending the form once more makes it. The form then sends the text of Rule
	// as "confirmed", so that another rule than the one shown cannot be confirmed.
	Confirm  bool
	Warnings []string
}

// Attempt is a refused exchange, or several that are alike.
type Attempt struct {
	// At is when the last of them came, Times how many there were, Since when the first came.
	At, Since time.Time
	Times     int
	// Repository is "owner/name", Workflow the file's name, Ref the full name of the ref, as the token had them.
	// All but Repository may be empty.
	Repository, Workflow, Ref string
	// Run is the run's number, RunURL its log.
	Run, RunURL string
	// Sentence says what differed.
	Sentence string
}

// RemovePublisherView asks whether to remove a publisher.
type RemovePublisherView struct {
	Head      ChannelHead
	Publisher Publisher
	// Rule is what it allows, as a sentence.
	Rule []Phrase
}

// chosen is the publisher that the workflow file is for.
func (v PublishersView) chosen() (Publisher, bool) {
	for _, p := range v.Publishers {
		if p.ID == v.Chosen {
			return p, true
		}
	}
	return Publisher{}, false
}

// sentence tells everything about p that is not in its heading.
func (p Publisher) sentence(f Frame) []span {
	s := p.packageWords()
	if p.LastUsed.IsZero() {
		s = append(s, words(" Not used yet."))
	} else {
		s = append(s, words(" Last used "+ago(p.LastUsed, f.Now)))
		if p.LastRun != "" {
			s = append(s, words(" by "), link("run "+show(p.LastRun), p.LastRunURL))
		}
		s = append(s, words("."))
	}
	if p.RepositoryID != "" {
		s = append(s, words(" Pinned to owner "+show(p.OwnerID)+", repository "+show(p.RepositoryID)+"."))
	} else {
		s = append(s, words(" Ids are pinned at the first publish."))
	}
	if p.AddedBy != "" {
		s = append(s, words(" Added by "+show(p.AddedBy)+" on "+day(p.AddedAt)+"."))
	}
	return s
}

func (p Publisher) packageWords() []span {
	if len(p.Packages) == 0 {
		return []span{words("Every package.")}
	}
	s := []span{words("Packages ")}
	if len(p.Packages) == 1 {
		s[0].text = "Package "
	}
	for i, name := range p.Packages {
		if i > 0 {
			s = append(s, words(", "))
		}
		s = append(s, span{text: show(name), style: mono})
	}
	return append(s, words("."))
}

// stronger fills the form with the same rule, for adding an environment to it.
func (p Publisher) stronger(channel string) string {
	owner, name, _ := strings.Cut(p.Repository, "/")
	q := url.Values{"owner": {owner}, "repository": {name}, "workflow": {p.Workflow}, "packages": {strings.Join(p.Packages, ", ")}}
	return PublishersPath(channel) + "?" + q.Encode() + "#add"
}

func (p Publisher) name() string { return show(p.Repository) + ", " + show(p.Workflow) }

// text is a sentence without its emphasis.
func text(list []Phrase) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.Text)
	}
	return b.String()
}

// phrases sets a sentence, and after it what ends it.
func phrases(list []Phrase, end string) []span {
	s := make([]span, 0, len(list)+1)
	for _, p := range list {
		one := words(show(p.Text))
		if p.Strong {
			one.style = strong
		}
		s = append(s, one)
	}
	return append(s, words(end))
}

// run is where the attempt came from.
func (a Attempt) run() []span {
	s := []span{{text: show(a.Repository), style: strong}}
	if a.Workflow != "" {
		s = append(s, words(" · "+show(a.Workflow)))
	}
	if a.Ref != "" {
		s = append(s, words(" on "+refWords(a.Ref)))
	}
	if a.Run != "" {
		s = append(s, words(", "), link("run "+show(a.Run), a.RunURL))
	}
	return s
}

// workflow is the file for p's repository.
func (p Publisher) workflow(f Frame, h ChannelHead) Workflow {
	return Workflow{
		URL: f.URL, Channel: h.Name, Private: h.Private,
		Repository: p.Repository, File: p.Workflow, Environment: p.Environment,
	}
}
