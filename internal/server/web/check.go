package web

import (
	"net/http"
	"strings"

	"sluice/internal/check"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
)

// reloadSeconds is after how long the page of a check that goes on loads itself anew.
const reloadSeconds = "3"

// check shows how the check of a channel stands.
func (s *site) check(w http.ResponseWriter, r *http.Request) error {
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	p, err := s.look(r.Context(), ch)
	if err != nil {
		return err
	}
	v := page.CheckView{Head: p.head}
	j, err := s.Checks.Store.LastJob(r.Context(), ch.ID)
	switch {
	case err == nil:
		v.Job = s.checkJob(j)
	case !fault.Is(err, fault.NotFound):
		return err
	}
	if v.Job != nil && v.Job.Running {
		w.Header().Set("Refresh", reloadSeconds) // every browser knows it, and no script is needed
	}
	f := s.frame(r)
	return s.show(w, r, http.StatusOK, f, page.CheckIndex(f, v))
}

func (s *site) checkJob(j check.Job) *page.CheckJob {
	state := j.State(s.Now())
	out := &page.CheckJob{
		Running: state == check.Running, Broken: state == check.Broken, Problem: j.Problem, By: j.By, Quick: j.Quick, Repair: j.Repair, Started: j.StartedAt, Ended: j.EndedAt,
		Verify: j.Verify, Attested: j.Attested, Unattested: j.Unattested, Failed: j.Failed,
		Step: j.Progress.Step, Done: j.Progress.Done, Total: j.Progress.Total, Differences: j.Differences, Repairable: j.Repairable, Repaired: j.Repaired,
	}
	if out.Broken && out.Problem == "" {
		out.Problem = "The server that did it is gone."
	}
	for _, w := range j.Wrong {
		out.Wrong = append(out.Wrong, page.CheckWrong{File: w.Subdir + "/" + w.File, Code: w.Code, Detail: w.Detail})
	}
	for _, d := range j.Found {
		var where []string
		for _, part := range []string{d.Label, d.Subdir, d.Series, d.Name} {
			if part != "" {
				where = append(where, part)
			}
		}
		out.Found = append(out.Found, page.CheckDifference{Where: strings.Join(where, "/"), Kind: string(d.Kind), Stored: d.Stored, Expected: d.Expected})
	}
	return out
}

// startCheck begins a check, a repair, or a look at every file.
func (s *site) startCheck(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	ch, err := s.enterAs(r, s.Access.MayManage)
	if err != nil {
		return err
	}
	_, err = s.Checks.Start(r.Context(), caller.From(r.Context()).Actor(), ch, check.Request{
		Quick: fields.Get("quick") == "true" || fields.Get("unread") == "true", Repair: fields.Get("repair") == "true", Verify: fields.Get("verify") == "true",
	})
	if err != nil && !fault.Is(err, fault.Conflict) { // somebody began one a moment ago: look at that
		return err
	}
	return redirect(w, r, page.CheckPath(ch.Name.String()))
}
