package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// propose makes a change of a publisher out of what happened, and the words that ask for it.
type propose func(r *http.Request, ch channel.Channel, p trust.Publisher) (after trust.Publisher, ask page.ChangeView, err error)

// proposed are the page that asks for a change and the one that does it. Nothing is done at once, and only what was
// shown is done: the rule's sentence and the version that it was made from come back with the answer.
func (s *site) proposed(how propose) takes {
	return takes{
		show: func(w http.ResponseWriter, r *http.Request) error {
			_, _, ask, err := s.proposal(r, how)
			if err != nil {
				return err
			}
			return s.showChange(w, r, http.StatusOK, ask)
		},
		act: func(w http.ResponseWriter, r *http.Request) error { return s.doProposed(w, r, how) },
	}
}

func (s *site) doProposed(w http.ResponseWriter, r *http.Request, how propose) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	before, after, ask, err := s.proposal(r, how)
	if err != nil {
		return err
	}
	if fields.Get("version") != ask.Version || fields.Get("confirmed") != after.Sentence() {
		ask.Error = "The publisher was changed meanwhile. Nothing was done: look at the rule again."
		return s.showChange(w, r, http.StatusConflict, ask)
	}
	if _, err := s.Publishers.Save(r.Context(), caller.From(r.Context()).Actor(), before, after); fault.Is(err, fault.Conflict) {
		ask.Error = detail(err)
		return s.showChange(w, r, http.StatusConflict, ask)
	} else if err != nil {
		return err
	}
	return redirect(w, r, page.PublisherPath(ask.Head.Name, ask.Publisher.ID)+"#publisher-"+ask.Publisher.ID)
}

func (s *site) proposal(r *http.Request, how propose) (before, after trust.Publisher, ask page.ChangeView, err error) {
	ch, before, err := s.managed(r)
	if err != nil {
		return before, after, ask, err
	}
	if after, ask, err = how(r, ch, before); err != nil {
		return before, after, ask, err
	}
	look, err := s.look(r.Context(), ch)
	ask.Head, ask.Publisher, ask.Path = look.head, s.publisher(before), r.URL.EscapedPath()
	ask.Version, ask.Before, ask.After = strconv.FormatInt(before.Version, 10), phrases(before), phrases(after)
	return before, after, ask, err
}

func (s *site) showChange(w http.ResponseWriter, r *http.Request, status int, v page.ChangeView) error {
	f := s.frame(r)
	return s.show(w, r, status, f, page.Change(f, v))
}

// narrowed proposes what the publisher's last run had.
func (s *site) narrowed(_ *http.Request, _ channel.Channel, p trust.Publisher) (trust.Publisher, page.ChangeView, error) {
	after, ok := p.Narrowed()
	if !ok {
		return p, page.ChangeView{}, fault.New(fault.Conflict, "Publisher %d cannot be narrowed by its last run: it has every condition of it already, or no run has used it.", p.ID)
	}
	run := runNumber(p.LastRun)
	return after, page.ChangeView{
		Title: "Narrow " + nameOf(p) + " to what run " + run + " had?", Button: "Narrow it",
		Why: "Its next runs then need what " + p.LastRun.Byline() + " had.",
	}, nil
}

// allowing proposes to let runs like a refused one in.
func (s *site) allowing(r *http.Request, ch channel.Channel, p trust.Publisher) (trust.Publisher, page.ChangeView, error) {
	run, err := s.refusedRun(r, ch, p)
	if err != nil {
		return p, page.ChangeView{}, err
	}
	after, err := p.Allowing(run)
	if err == nil && after.SameRule(p) {
		err = fault.New(fault.Conflict, "Publisher %d lets such runs in already: there is nothing to allow.", p.ID)
	}
	return after, page.ChangeView{
		Title: "Allow runs like " + run.Byline() + "?", Button: "Allow this",
		Why: "That run was refused. Its pinned ids prove that it is of the publisher's own repository.",
	}, err
}

// moved proposes to follow a repository to another owner.
func (s *site) moved(r *http.Request, ch channel.Channel, p trust.Publisher) (trust.Publisher, page.ChangeView, error) {
	run, err := s.refusedRun(r, ch, p)
	if err != nil {
		return p, page.ChangeView{}, err
	}
	after, err := p.Moved(run)
	if err == nil && after.OwnerID == p.OwnerID {
		err = fault.New(fault.Conflict, "Publisher %d is of that owner already: there is nothing to confirm.", p.ID)
	}
	return after, page.ChangeView{
		Title: "Did " + p.FullName() + " move to " + run.Owner + "?", Button: "Confirm the move",
		Why:       "The repository has the pinned id and another owner. Whoever owns it now can publish here once you confirm.",
		IDsBefore: "Owner id " + p.OwnerID + ", repository id " + p.RepositoryID + ".", IDsAfter: "Owner id " + after.OwnerID + ", repository id " + after.RepositoryID + ".",
	}, err
}

func nameOf(p trust.Publisher) string {
	if p.Workflow == "" {
		return p.FullName()
	}
	return p.FullName() + ", " + p.Workflow
}

// refusedRun is the run of the refusal that the address names, if it came nearest to the publisher. Its claims were
// verified: nothing else is written down as such a refusal.
func (s *site) refusedRun(r *http.Request, ch channel.Channel, p trust.Publisher) (trust.Provenance, error) {
	gone := &missingError{
		title: "There is no such refused attempt of this publisher", sentence: "It may be too old, or of another publisher.",
		actions: []page.Action{{Text: "Trusted publishers of " + ch.Name.String(), URL: page.PublishersPath(ch.Name.String())}},
	}
	id, err := strconv.ParseInt(r.PathValue("event"), 10, 62)
	if err != nil || id < 1 {
		return trust.Provenance{}, gone
	}
	found, err := s.Audit.Events(r.Context(), audit.Query{ChannelID: ch.ID, Kinds: []audit.Kind{audit.MintRefused}, Before: id + 1, Limit: 1})
	if err != nil {
		return trust.Provenance{}, err
	}
	if len(found) == 0 || found[0].ID != id || found[0].Facts["publisher"] != strconv.FormatInt(p.ID, 10) {
		return trust.Provenance{}, gone
	}
	return provenanceOf(found[0]), nil
}

// provenanceOf is the run of an exchange: the log keeps its provenance as facts, by the same names.
func provenanceOf(e audit.Event) trust.Provenance {
	var run trust.Provenance
	text, err := json.Marshal(e.Facts)
	if err == nil {
		err = json.Unmarshal(text, &run)
	}
	if err != nil {
		panic("web: facts that are no strings: " + err.Error()) // a map of strings always is
	}
	return run
}
