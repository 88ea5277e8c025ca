package page

import (
	"strings"
	"time"
)

// Publisher is a trusted publisher as its channel's pages show it.
type Publisher struct {
	// ID is its number.
	ID string
	// Repository is "owner/name", Workflow the file's name, Environment the one that runs must name or empty.
	Repository, Workflow, Environment string
	// Provider is the CI service's name for programs, Title for people; Issuer is shown where several are configured.
	Provider, Title, Issuer string
	// Reads says that it is a trusted reader. Packages are the names and patterns that it may publish; empty means
	// every package.
	Reads    bool
	Packages []string
	// More are what else narrows it, a sentence each.
	More []string
	// Weak is one sentence that says why more runs than meant could use it; empty when none could.
	Weak string
	// State is what it is when it lets nobody in: "off" or "ended", and Off says why, as the end of a sentence.
	State, Off string
	// IdleEnd is when it is switched off if nobody uses it.
	IdleEnd time.Time
	// OwnerID and RepositoryID are the pinned numbers; empty before the first use.
	OwnerID, RepositoryID string
	// AddedBy and AddedAt say who made the rule, and when.
	AddedBy string
	AddedAt time.Time
	// LastUsed is when a run last got a token by it; zero before the first use. LastRun is that run's number,
	// LastRunURL its log.
	LastUsed            time.Time
	LastRun, LastRunURL string
	// Narrower says that it could be narrowed to what its last run had.
	Narrower bool
	// Refused are attempts that came nearest to it, those whose ids differ first.
	Refused []Attempt
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
	// Refused are the last refused attempts that stand beside no publisher, newest first.
	Refused []Attempt
	// Exchanges are the last publish tokens that the chosen publisher gave, for owners who asked for it alone.
	Exchanges []Exchange
	// News is what changed lately about who can publish here, for owners.
	News []NewsItem
	// Keys are the stored keys of the channel.
	Keys KeysView
	// Replaceable says that published files can be replaced by force, RefuseV3 that packages are refused which need
	// repodata of revision 3.
	Replaceable, RefuseV3 bool
}

// NewsItem is something that owners want to hear of.
type NewsItem struct {
	At time.Time
	// Who did it, and what, as the rest of the sentence.
	Who, Sentence string
	// Refused says that it was not let in.
	Refused bool
}

// RemovePublisherView asks whether to remove a publisher.
type RemovePublisherView struct {
	Head      ChannelHead
	Publisher Publisher
	// Rule is what it allows, as a sentence.
	Rule []Phrase
	// AskName says that afterwards nothing could publish here, so that the channel's name has to be typed.
	AskName bool
	Name    Field
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
	for _, m := range p.More {
		s = append(s, words(" "+show(m)))
	}
	if !p.LastUsed.IsZero() {
		s = append(s, words(" Last used "+ago(p.LastUsed, f.Now)))
		if p.LastRun != "" {
			s = append(s, words(" by "), link("run "+show(p.LastRun), p.LastRunURL))
		}
		s = append(s, words("."))
	}
	switch {
	case p.RepositoryID != "":
		s = append(s, words(" Pinned to owner "+show(p.OwnerID)+", repository "+show(p.RepositoryID)+"."))
	case p.OwnerID != "":
		s = append(s, words(" Pinned to owner "+show(p.OwnerID)+"."))
	case !p.LastUsed.IsZero():
		s = append(s, words(" Ids are pinned at the first publish."))
	}
	if p.AddedBy != "" {
		s = append(s, words(" Added by "+show(p.AddedBy)+" on "+day(p.AddedAt)+"."))
	}
	return append(s, p.ends()...)
}

// ends says when the publisher lets nobody in any more by itself, or why it does not now.
func (p Publisher) ends() []span {
	switch {
	case p.State != "":
		return []span{words(" "), {text: "It " + show(p.Off) + ".", style: strong}}
	case p.IdleEnd.IsZero():
		return nil
	}
	return []span{words(" Switched off on " + day(p.IdleEnd) + " if nobody uses it.")}
}

func (p Publisher) packageWords() []span {
	if p.Reads {
		return []span{words("Only reads the channel.")}
	}
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

func (p Publisher) name() string {
	if p.Workflow == "" {
		return show(p.Repository)
	}
	return show(p.Repository) + ", " + show(p.Workflow)
}

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

// workflow is the file for p's repository.
func (p Publisher) workflow(f Frame, h ChannelHead) Workflow {
	return Workflow{
		URL: f.URL, Channel: h.Name, Private: h.Private,
		Provider: p.Provider, Reads: p.Reads, Repository: p.Repository, File: p.Workflow, Environment: p.Environment,
	}
}
