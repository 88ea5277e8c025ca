package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/curate"
	"sluice/internal/servertest"
	"sluice/internal/standin"
)

// later is a request that adds attestations to a file that is there.
func (w *attested) later(t testing.TB, channel, file, bearer string, body []byte) *http.Request {
	t.Helper()
	req := w.request(t, http.MethodPost, "/api/v1/channels/"+channel+"/packages/noarch/"+file+"/attestations", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return req
}

// added is the answer to one that was taken.
type added struct {
	Added      int   `json:"added"`
	Ordinals   []int `json:"ordinals"`
	Generation int64 `json:"generation"`
}

func (w *attested) add(t testing.TB, file, bearer string, body []byte, want int) (a added) {
	t.Helper()
	status, said := w.do(t, w.later(t, "forge", file, bearer, body))
	if err := json.Unmarshal([]byte(said), &a); status != want || err != nil {
		t.Fatalf("%d %s, want %d: %v", status, said, want, err)
	}
	return a
}

// record is what the index says of a file, without its attestations.
func (w *attested) record(t testing.TB, file string) string {
	t.Helper()
	index, err := servertest.ReadIndex(t.Context(), w.URL+"/forge/noarch", "")
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(index.Records[file], `"attestations_sha256":"`)
	if !found {
		return before
	}
	return before + after[64+2:]
}

// What comes later is added to what is there, in a new generation with the same time of listing.
func TestAttestationsAddedLater(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		w.publish(t, tok, file, body)
		plain := w.record(t, file)
		here := w.URL + "/forge"
		first, second, third := w.sign(extensions, file, body, here), w.sign(extensions, file, body, here), w.sign(extensions, file, body, here)

		one := w.add(t, file, tok, first, http.StatusCreated)
		if one.Added != 1 || !slices.Equal(one.Ordinals, []int{1}) || one.Generation == 0 {
			t.Errorf("the first: %+v", one)
		}
		before := w.sidecar(t, file, 1)
		// Again: nothing is new. Beside another: that one is.
		if again := w.add(t, file, tok, first, http.StatusOK); again.Added != 0 || !slices.Equal(again.Ordinals, []int{1}) || again.Generation != 0 {
			t.Errorf("again: %+v", again)
		}
		// A person with the right to upload adds what a run of a publisher signed, of a yanked file as well, by a session too.
		keep := &curate.Curator{Store: w.DB}
		yank := curate.Change{Kind: curate.Yank, Reason: "a test"}
		if _, err := keep.Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tide"}, yank); err != nil {
			t.Fatal(err)
		}
		two := w.add(t, file, w.annUploads, list(second, first), http.StatusCreated)
		if two.Added != 1 || !slices.Equal(two.Ordinals, []int{2, 1}) || two.Generation <= one.Generation {
			t.Errorf("two at once: %+v", two)
		}
		session, err := w.Accounts.OpenSession(t.Context(), w.ann)
		if err != nil {
			t.Fatal(err)
		}
		req := w.later(t, "forge", file, "", third)
		req.AddCookie(&http.Cookie{Name: "sluice_session", Value: session.Reveal()})
		if status, said := w.do(t, req); status != http.StatusCreated {
			t.Errorf("by a session: %d %s", status, said)
		}
		if _, err := keep.Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tide"}, curate.Change{Kind: curate.Unyank}); err != nil {
			t.Fatal(err)
		}
		if after := w.sidecar(t, file, 3); !strings.HasPrefix(after, strings.TrimSuffix(before, "]\n")) {
			t.Error("what was there is not what it was")
		}
		if got := w.record(t, file); got != plain {
			t.Errorf("the record became\n%s, and was\n%s", got, plain)
		}
		w.bundlesInOrder(t, file, first, second, third)
		w.consistent(t)

		events := w.events(t, audit.Attested)
		if len(events) != 3 {
			t.Fatalf("%d events, want 3", len(events))
		}
		for _, e := range events {
			if e.Subject != "noarch/"+file || !strings.Contains(e.Facts["predicate"], "attestations-publish") || e.Facts["signer"] != extensions[9] || e.Actor.Name == "" {
				t.Errorf("the event is %+v", e)
			}
		}
	})
}

// bundlesInOrder compares the bundles that the API gives, by what they are made of.
func (w *attested) bundlesInOrder(t *testing.T, file string, want ...[]byte) {
	t.Helper()
	for i, b := range want {
		_, _, got := w.Get(t, fmt.Sprintf("/api/v1/channels/forge/packages/noarch/%s/attestations/%d", file, i+1), "")
		if compact(t, []byte(got)) != compact(t, b) {
			t.Errorf("bundle %d is another", i+1)
		}
	}
}

// Whoever may not upload the file may not attest it, and what an upload would refuse is refused; then nothing is stored.
func TestAttestationsLaterRefused(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		_, otherRun := w.run(t, standin.Run{})
		file, body := packageOf(t, "tide", nil)
		w.publish(t, tok, file, body)
		other, otherBody := packageOf(t, "other", nil)
		w.publish(t, w.annUploads, other, otherBody)
		gone, goneBody := packageOf(t, "tidegone", nil)
		w.publish(t, tok, gone, goneBody)
		_, err := (&curate.Curator{Store: w.DB}).Do(t.Context(), audit.Actor{Kind: audit.Operator}, w.forge, curate.Selection{Name: "tidegone"}, curate.Change{Kind: curate.Delete, Reason: "a test"})
		if err != nil {
			t.Fatal(err)
		}
		hidden := w.Channel(t, w.ann, "hidden", channel.Private)
		closed := w.Channel(t, w.ann, "closed", channel.Public)
		if _, err := w.Channels.Change(t.Context(), audit.Actor{Kind: audit.Operator}, closed, channel.Revision{PublisherOnly: new(true)}); err != nil {
			t.Fatal(err)
		}
		here := w.URL + "/forge"
		good := w.sign(extensions, file, body, here)
		bob := w.robot(t, "bob")
		annReads, bobUploads := w.Token(t, w.ann, nil, account.Read), w.Token(t, bob, nil, account.Upload)
		strange := maps.Clone(extensions)
		strange[18] = strings.Replace(extensions[18], "build.yml", "evil.yml", 1)
		for _, tt := range []struct {
			name   string
			req    *http.Request
			status int
			says   string
		}{
			{"nobody", w.later(t, "forge", file, "", good), 401, "needs a token"},
			{"a stranger", w.later(t, "forge", file, bobUploads, good), 403, "may not upload"},
			{"a token for reading", w.later(t, "forge", file, annReads, good), 403, "scope upload"},
			{"a package that the publisher may not publish", w.later(t, "forge", other, tok, w.sign(extensions, other, otherBody, here)), 403, "package_not_allowed"},
			{"a channel of others", w.later(t, "closed", file, tok, good), 403, "wrong_channel"},
			{"a private channel of others", w.later(t, hidden.Name.String(), file, tok, good), 404, "no channel hidden"},
			{"a private channel, by nobody", w.later(t, hidden.Name.String(), file, "", good), 404, "no channel hidden"},
			{"no channel", w.later(t, "nothing", file, tok, good), 404, "no channel nothing"},
			{"publishers only", w.later(t, "closed", file, w.annUploads, good), 403, "trusted publishers only"},
			{"no file", w.later(t, "forge", "tide-9-0.conda", tok, good), 404, "There is no noarch/tide-9-0.conda"},
			{"no file name", w.later(t, "forge", "tide.zip", tok, good), 404, "There is no"},
			{"a deleted file", w.later(t, "forge", gone, tok, w.sign(extensions, gone, goneBody, here)), 404, "There is no"},
			{"nothing", w.later(t, "forge", file, tok, nil), 400, "required"},
			{"not JSON", w.later(t, "forge", file, tok, []byte("{")), 422, "bundle_malformed"},
			{"an empty array", w.later(t, "forge", file, tok, []byte("[]")), 422, "bundle_malformed"},
			{"nine", w.later(t, "forge", file, tok, list(good, good, good, good, good, good, good, good, good)), 422, "too_many_bundles"},
			{"a large one", w.later(t, "forge", file, tok, []byte(`{"x":"`+strings.Repeat("x", 300<<10)+`"}`)), 413, "too_large"},
			{"another run", w.later(t, "forge", file, tok, w.sign(otherRun, file, body, here)), 422, "signer_mismatch"},
			{"another workflow, by a person", w.later(t, "forge", file, w.annUploads, w.sign(strange, file, body, here)), 422, "signer_mismatch"},
			{"another channel", w.later(t, "forge", file, tok, w.sign(extensions, file, body, w.URL+"/closed")), 422, "target_mismatch"},
			{"another file", w.later(t, "forge", file, tok, w.sign(extensions, other, body, here)), 422, "subject_name"},
			{"other bytes", w.later(t, "forge", file, tok, w.sign(extensions, file, otherBody, here)), 422, "wrong_artifact"},
			{"one good and one bad", w.later(t, "forge", file, tok, list(good, w.sign(otherRun, file, body, here))), 422, "signer_mismatch"},
		} {
			if status, said := w.do(t, tt.req); status != tt.status || !strings.Contains(said, tt.says) {
				t.Errorf("%s: %d %s, want %d and %q", tt.name, status, said, tt.status, tt.says)
			}
		}
		req := w.later(t, "forge", file, tok, good)
		req.Header.Set("Content-Type", "text/plain") // as a form of another site's page could
		if status, _ := w.do(t, req); status != http.StatusBadRequest {
			t.Errorf("another media type: %d", status)
		}
		if status, _, _ := w.Get(t, "/forge/noarch/"+file+".sigs", ""); status != http.StatusNotFound || len(w.events(t, audit.Attested)) != 0 {
			t.Errorf("something was stored: %d", status)
		}
		w.consistent(t)
	})
}

// Fifty that come at once are all kept, in some order, and every state that there was can be fetched by its hash.
func TestAttestationsAddedTogether(t *testing.T) {
	t.Parallel()
	attestedBoth(t, func(t *testing.T, w *attested) {
		tok, extensions := w.run(t, standin.Run{})
		const files, each = 5, 10
		names, bodies := make([]string, files), make([][]byte, files)
		for i := range files {
			names[i], bodies[i] = packageOf(t, "tide", func(p *build.Package) { p.Version = fmt.Sprint(i) })
			w.publish(t, tok, names[i], bodies[i])
		}
		var taken atomic.Int32
		var all sync.WaitGroup
		for n := range files * each {
			i := n % files
			req := w.later(t, "forge", names[i], tok, w.sign(extensions, names[i], bodies[i], w.URL+"/forge"))
			all.Go(func() {
				if status, said := w.do(t, req); status == http.StatusCreated {
					taken.Add(1)
				} else {
					t.Errorf("%d %s", status, said)
				}
			})
		}
		all.Wait()
		if taken.Load() != files*each {
			t.Errorf("%d were taken", taken.Load())
		}
		for _, name := range names {
			newest := w.sidecar(t, name, each)
			var bundles []json.RawMessage
			if err := json.Unmarshal([]byte(newest), &bundles); err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= each; n++ {
				state := "["
				for i, b := range bundles[:n] {
					if i > 0 {
						state += ","
					}
					state += string(b)
				}
				state += "]\n"
				status, _, got := w.Get(t, fmt.Sprintf("/forge/noarch/%s.sigs.%x", name, sha256.Sum256([]byte(state))), "")
				if status != http.StatusOK || got != state {
					t.Errorf("the state of %d: %d", n, status)
				}
			}
		}
		w.consistent(t)
	})
}
