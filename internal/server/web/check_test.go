package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/servertest"
)

// An owner has the index compared, and sees how far that is and what came of it, without a script.
func TestCheckTheIndex(t *testing.T) {
	t.Parallel()
	servertest.Both(t, func(t *testing.T, s *servertest.Server) {
		ann, owner := person(t, s, "ann", false)
		open := s.Channel(t, ann, "open", channel.Public)
		upload(t, s, "open", s.Token(t, ann, nil, account.Upload), pkg("tide", "1.0"))
		const path = "/channels/open/check"
		owner.get(t, "/channels/open").is(t, http.StatusOK).says(t, "Check")
		owner.get(t, path).is(t, http.StatusOK).says(t, "Nobody has asked yet").saysNot(t, "Repair the index")
		member(t, s, open, "mia", channel.Maintainer).post(t, path).is(t, http.StatusForbidden)
		nobody(s).post(t, path).is(t, http.StatusUnauthorized)
		owner.postFrom(t, path, "cross-site").is(t, http.StatusForbidden)
		owner.get(t, path).says(t, "Nobody has asked yet")
		owner.post(t, path, "quick", "true").goes(t, path)
		done(t, owner, path).says(t, "A quick check by ann", "Everything agrees.", "1 artifact looked at").saysNot(t, "Repair the index")
		owner.post(t, path, "repair", "true").goes(t, path)
		done(t, owner, path).says(t, "A repair by ann", "Everything agrees.")
		owner.post(t, path, "verify", "true").goes(t, path)
		done(t, owner, path).says(t, "A look at every file by ann", "Every file is as it should be.", "0 attested, 1 as they should be without an attestation, 0 failed.")
		owner.post(t, path, "verify", "true", "unread", "true").goes(t, path)
		done(t, owner, path).says(t, "A quick look at every file by ann")
	})
}

// done reads the page until the check that it tells of has ended.
func done(t *testing.T, r reader, path string) answer {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		a := r.get(t, path).is(t, http.StatusOK)
		goesOn := strings.Contains(a.text(t), "It goes on.")
		if goesOn != (a.Get("Refresh") != "") {
			t.Errorf("goes on %v, Refresh %q", goesOn, a.Get("Refresh"))
		}
		if !goesOn {
			return a
		}
	}
	t.Fatal("the check does not end")
	return answer{}
}
