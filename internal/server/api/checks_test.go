package api

import (
	"context"
	"testing"

	"sluice/internal/check"
)

// watchedJobs tells of checks that have ended.
type watchedJobs struct {
	check.JobStore
	ended chan struct{}
}

func (w watchedJobs) SaveJob(ctx context.Context, channelID int64, j check.Job) error {
	err := w.JobStore.SaveJob(ctx, channelID, j)
	if !j.EndedAt.IsZero() {
		w.ended <- struct{}{}
	}
	return err
}

func TestChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const latest, checks = "/channels/forge/checks/latest", "/channels/forge/checks"
	w.walk(t, []step{
		{name: "before the first", who: "ann", method: "GET", path: latest, status: 404, want: `{"code": "not_found"}`},
		{name: "by a maintainer", who: "mia", method: "POST", path: checks, body: `{}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "by nobody", method: "POST", path: checks, body: `{}`, status: 401, want: `{"code": "unauthenticated"}`},
		{name: "read by a maintainer", who: "mia", method: "GET", path: latest, status: 403, want: `{"code": "not_permitted"}`},
		{name: "of a channel that a stranger may not know", who: "zoe", method: "POST", path: "/channels/vault/checks", body: `{}`, status: 403, want: `{"code": "not_permitted"}`},
		{name: "begin", who: "ann", method: "POST", path: checks, body: `{"quick": true}`, status: 202,
			want: `{"number": 1, "state": "running", "by": "ann", "quick": true, "repair": false, "step": "beginning", "found": [], "ended_at": null}`},
		{name: "begin again", who: "root", method: "POST", path: checks, body: `{}`, status: 409, want: `{"code": "conflict"}`},
		{name: "how it stands", who: "ann", method: "GET", path: latest, status: 200, want: `{"number": 1, "state": "running"}`},
	})
	jobs, stop := context.WithCancel(t.Context())
	defer stop()
	go w.checks.Run(jobs)
	<-w.checked
	w.walk(t, []step{
		{name: "what came of it", who: "ann", method: "GET", path: latest, status: 200, want: `{"number": 1, "state": "done", "differences": 0, "repairable": 0, "total": 0, "found": []}`},
		{name: "a look that repairs", who: "ann", method: "POST", path: checks, body: `{"verify": true, "repair": true}`, status: 422, want: `{"code": "invalid_field"}`},
		{name: "look at every file", who: "ann", method: "POST", path: checks, body: `{"verify": true}`, status: 202, want: `{"number": 2, "state": "running", "verify": true, "wrong": []}`},
	})
	<-w.checked
	w.walk(t, []step{
		{name: "what was found", who: "ann", method: "GET", path: latest, status: 200,
			want: `{"number": 2, "state": "done", "verify": true, "attested": 0, "unattested": 0, "failed": 0, "wrong": []}`},
	})
}
