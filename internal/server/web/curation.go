package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/curate"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// curation is a change of files that somebody asks for or about.
type curation struct {
	place
	filter page.FileFilter
	chosen curate.Selection
	change curate.Change
	// after is where a change that is done in steps goes on.
	after int64
	// endTokens is the tick whether the publish tokens of the run end.
	endTokens bool
}

// curation reads what is asked for. Who may delete is an owner.
func (s *site) curation(r *http.Request, q url.Values) (c curation, err error) {
	if c.change.Kind, err = curate.ParseKind(q.Get("kind")); err != nil || c.change.Kind == curate.Patch {
		return c, fault.New(fault.BadRequest, "The address does not say what to do with the files: begin from the list of files.")
	}
	may := s.Access.MayCurate
	if c.change.Kind.ForOwners() {
		may = s.Access.MayManage
	}
	ch, err := s.enterAs(r, may)
	if err != nil {
		return c, err
	}
	if c.place, err = s.look(r.Context(), ch); err != nil {
		return c, err
	}
	c.filter, c.change.Reason, c.endTokens = fileFilter(q), strings.TrimSpace(q.Get("reason")), q.Get("end_tokens") == "true"
	c.after, err = cursor(q)
	return c, err
}

// fill parses what the address or the form says; its refusals belong on the page.
func (c *curation) fill(q url.Values) (err error) {
	if c.chosen, err = selection(c.filter); err != nil {
		return err
	}
	if c.change.Label, err = maybe(strings.TrimSpace(q.Get("label")), conda.ParseLabel); err != nil {
		return err
	}
	c.change.To, err = maybe(strings.TrimSpace(q.Get("to")), conda.ParseLabel)
	return err
}

// askCuration shows what a change would do, or asks for the labels that it takes to know.
func (s *site) askCuration(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	c, err := s.curation(r, q)
	if err != nil {
		return err
	}
	c.endTokens = c.after == 0 // proposed, and in the first step enough
	return s.showCuration(w, r, c, q, http.StatusOK, c.fill(q))
}

// maxPreview is how many files a preview names.
const maxPreview = 50

// showCuration asks. refused is why the form was not taken before, and belongs on it.
func (s *site) showCuration(w http.ResponseWriter, r *http.Request, c curation, q url.Values, status int, refused error) error {
	v := page.CurationView{
		Head: c.head, Filter: c.filter, Kind: string(c.change.Kind), Label: field(q.Get("label")), To: field(q.Get("to")), Reason: field(q.Get("reason")),
		EndTokens: c.endTokens,
	}
	if c.after != 0 {
		v.Cursor = strconv.FormatInt(c.after, 10)
	}
	var err error
	if v.Labels, err = s.labelNames(r, c.place); err != nil {
		return err
	}
	if err := s.tryCuration(r.Context(), c, &v); refused == nil {
		refused = err
	}
	if refused != nil {
		if v.Error = detail(refused); v.Error == "" {
			return refused
		}
		if status == http.StatusOK {
			status = http.StatusUnprocessableEntity
		}
	}
	f := s.frame(r)
	return s.show(w, r, status, f, page.Curation(f, v))
}

// tryCuration fills in what would change, where enough is known to try.
func (s *site) tryCuration(ctx context.Context, c curation, v *page.CurationView) error {
	labels := c.change.Kind == curate.List || c.change.Kind == curate.TakeOut || c.change.Kind == curate.Move
	if labels && c.change.Label.IsZero() || c.change.Kind == curate.Move && c.change.To.IsZero() {
		return nil
	}
	trial := c.change
	if trial.Reason == "" {
		trial.Reason = "not said yet"
	}
	step, err := s.Curator.Try(ctx, c.Channel, c.chosen, trial, c.after)
	switch {
	case fault.Is(err, fault.NotFound) && len(c.filter.Files) == 0:
		v.Ready = true
		return nil
	case err != nil:
		return err
	}
	v.Ready, v.Changed, v.Selected, v.More = true, len(step.Changed), len(step.Selected), step.Next != 0
	v.Files = s.kept(step.Changed[:min(len(step.Changed), maxPreview)])
	if c.change.Kind == curate.Delete {
		v.Until = s.Now().Add(s.DeleteUndo)
	}
	return nil
}

// curate changes files, and leads to the list of what was meant.
func (s *site) curate(w http.ResponseWriter, r *http.Request) error {
	q, err := form(w, r)
	if err != nil {
		return err
	}
	c, err := s.curation(r, q)
	if err != nil {
		return err
	}
	next, err := s.doCuration(r.Context(), &c, q)
	if err != nil {
		return s.showCuration(w, r, c, q, http.StatusUnprocessableEntity, err)
	}
	back := c.filter.Query()
	if next == 0 {
		back.Del("state") // what was yanked is not live any more, and is what one wants to see
		return redirect(w, r, withQuery(page.FilesPath(c.head.Name), back))
	}
	back.Set("kind", string(c.change.Kind))
	back.Set("reason", c.change.Reason)
	back.Set("cursor", strconv.FormatInt(next, 10))
	return redirect(w, r, withQuery(page.CurationPath(c.head.Name), back))
}

// doCuration does what is asked for; next is where a change in steps goes on, 0 at its end.
func (s *site) doCuration(ctx context.Context, c *curation, q url.Values) (next int64, err error) {
	if err := c.fill(q); err != nil {
		return 0, err
	}
	by := caller.From(ctx).Actor()
	ended := 0
	if c.endTokens {
		if ended, err = s.Curator.EndRun(ctx, by, c.Channel, c.chosen, c.change); err != nil {
			return 0, err
		}
	}
	var step curate.Step
	if c.change.Kind.InSteps() {
		step, err = s.Curator.Step(ctx, by, c.Channel, c.chosen, c.change, c.after)
	} else {
		step, err = s.Curator.Do(ctx, by, c.Channel, c.chosen, c.change)
	}
	if ended > 0 && fault.Is(err, fault.NotFound) {
		err = nil // the run had published nothing yet, and its tokens are ended
	}
	return step.Next, err
}
