package web_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/servertest"
)

// An owner says what the channel demands, and sees first what is there and would fail.
func TestDemandPage(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		open := s.Channel(t, ann, "open", channel.Public)
		upload(t, s, "open", s.Token(t, ann, nil, account.Upload), pkg("tide", "1.0"))
		const path = "/channels/open/attestations"
		form := func(mode string, more ...string) []string {
			return append([]string{"mode", mode, "signer", "publisher", "target_channel", "listed", "aliases", "https://old.example.com/open", "no_regress", "refuse", "other_statements", "true"}, more...)
		}
		owner.get(t, "/channels/open").says(t, "Attestations")
		owner.get(t, path).is(t, http.StatusOK).says(t, "optional", "taken, with a warning", "None is denied").saysNot(t, "Nothing was saved yet")
		member(t, s, open, "mia", channel.Maintainer).post(t, path, form("off")...).is(t, http.StatusForbidden)
		nobody(s).post(t, path, form("off")...).is(t, http.StatusUnauthorized)
		owner.postFrom(t, path, "cross-site", form("off")...).is(t, http.StatusForbidden)
		owner.post(t, path, form("sometimes")...).is(t, http.StatusUnprocessableEntity).says(t, "unknown")
		owner.post(t, path, form("required_for")...).is(t, http.StatusUnprocessableEntity).says(t, "say for which packages")
		// Nothing fails: it is saved at once.
		owner.post(t, path, form("required_for", "required_for", "other\r\nlib*")...).goes(t, path)
		owner.get(t, path).says(t, "required for other, lib*", "any run of a trusted publisher", "https://old.example.com/open", "refused")
		// Something does: it is shown, and only what was shown can be confirmed.
		first := owner.post(t, path, form("required")...).is(t, http.StatusOK).says(t, "Nothing was saved yet", "1 file without an attestation", "noarch/tide-1.0-0.conda", "--generate-attestation", "required for other, lib*")
		owner.post(t, path, form("required", "confirmed", "something else")...).is(t, http.StatusOK).says(t, "Nothing was saved yet")
		first.saysNot(t, "already")
		const change = "attestations: required, before required for other, lib*"
		if !strings.Contains(first.body, `value="`+change+`"`) {
			t.Error("the page does not send what it has shown")
		}
		owner.post(t, path, form("required", "confirmed", change)...).goes(t, path)
		owner.get(t, path).saysNot(t, "required for other")
		owner.post(t, path, form("required_for", "required_for", "lib*")...).goes(t, path)
		upload(t, s, "open", s.Token(t, ann, nil, account.Upload), pkg("ebb", "1.0"))
		owner.post(t, path, form("required_for", "required_for", "ebb", "confirmed", "attestations: required for ebb, before required for lib*")...).goes(t, path)
		owner.post(t, path, form("required")...).is(t, http.StatusOK).says(t, "1 file without an attestation", "1 more file fails already, by what is demanded now.", "noarch/tide-1.0-0.conda").saysNot(t, "noarch/ebb-1.0")
		owner.post(t, path, form("optional")...).goes(t, path)
		// Of two who have the page before them, the second does not undo what the first has done.
		seen := stateOn(t, owner.get(t, path))
		owner.post(t, path, form("required_for", "required_for", "other", "state", seen)...).goes(t, path)
		second := owner.post(t, path, form("optional", "state", seen)...).is(t, http.StatusConflict).says(t, "Somebody else has changed what channel open demands", "required for other")
		owner.get(t, path).says(t, "required for other")
		owner.post(t, path, form("optional", "state", stateOn(t, second))...).goes(t, path)
		// Signatures that count for nothing.
		const deny, run = path + "/denied", "https://github.com/acme/forge/actions/runs/77"
		member(t, s, open, "max", channel.Maintainer).post(t, deny, "by", "run", "value", run, "why", "x").is(t, http.StatusForbidden)
		owner.post(t, deny, "by", "run", "value", run).is(t, http.StatusUnprocessableEntity).says(t, "Say why")
		owner.post(t, deny, "by", "luck", "value", run, "why", "x").is(t, http.StatusUnprocessableEntity).says(t, "choose one of the list")
		owner.post(t, deny, "by", "run", "value", "", "why", "x").is(t, http.StatusUnprocessableEntity).says(t, "say whose signatures")
		owner.post(t, deny, "by", "repository_id", "value", "1", "why", "x").is(t, http.StatusUnprocessableEntity).says(t, "needs one")
		owner.post(t, deny, "by", "run", "value", run, "from", "yesterday", "why", "x").is(t, http.StatusUnprocessableEntity).says(t, "is no time")
		owner.post(t, deny, "by", "run", "value", run, "from", "2026-08-20T12:00", "why", "A stranger has pushed.").goes(t, path+"#denied")
		const log = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789"
		entries := func(from, to string, more ...string) []string {
			return append([]string{"by", "log_id", "value", log, "log_from", from, "log_to", to, "why", "Its key leaked."}, more...)
		}
		owner.post(t, deny, entries("many", "")...).is(t, http.StatusUnprocessableEntity).says(t, `"many" is no number of an entry`)
		owner.post(t, deny, entries("1", "1e3")...).is(t, http.StatusUnprocessableEntity).says(t, `"1e3" is no number of an entry`)
		if again := owner.post(t, deny, entries("1999", "1000")...).is(t, http.StatusUnprocessableEntity).says(t, "the first and the last"); !strings.Contains(again.body, `value="1999"`) {
			t.Error("the form has forgotten what was written")
		}
		owner.post(t, deny, "by", "run", "value", run, "log_to", "7", "why", "x").is(t, http.StatusUnprocessableEntity).says(t, "choose its key id")
		owner.post(t, deny, entries("1000", "1999")...).goes(t, path+"#denied")
		const range1000 = "signatures in the log " + log + ", from entry 1000, up to entry 1999"
		owner.get(t, path).says(t, range1000, "Its key leaked.")
		owner.post(t, deny, "undo", range1000).goes(t, path+"#denied")
		const words = "signatures of the run " + run + ", since 2026-08-20T12:00:00Z"
		owner.get(t, path).says(t, words, "A stranger has pushed.")
		owner.post(t, path, form("off", "state", seen)...).is(t, http.StatusConflict)
		owner.post(t, deny, "undo", "signatures of nobody").goes(t, path+"#denied")
		owner.get(t, path).says(t, words)
		owner.post(t, deny, "undo", words).goes(t, path+"#denied")
		owner.get(t, path).says(t, "None is denied")
		owner.get(t, "/channels/open/audit").says(t, "denied "+words, "no longer denied")
	})
}

// stateOn is what a page with the form of demands sends as the state that it shows.
func stateOn(t *testing.T, a answer) string {
	t.Helper()
	_, rest, _ := strings.Cut(a.body, `name="state" value="`)
	state, _, ok := strings.Cut(rest, `"`)
	if !ok || len(state) != 32 {
		t.Fatalf("the form sends the state %q", state)
	}
	return state
}
