package attacks

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/servertest"
	"sluice/internal/trust"
)

// checkUpload holds the answer to an upload, a plain sentence, to what was wanted.
func (a answer) checkUpload(t *testing.T, status int, says string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, says) || len(a.body) > 512 || strings.ContainsAny(a.body, "\n\r") {
		t.Errorf("answered %d %q, want %d with %q", a.status, a.body, status, says)
	}
}

// TestScope has what a publish token cannot do beyond its publisher: rows 68 to 70, 73 to 77.
func TestScope(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		repository := w.fresh()
		w.trusts(t, w.tools, repository, func(s *trust.PublisherSpec) { s.Packages, s.Subdirs = []string{"tide*"}, []string{"noarch"} })
		w.trusts(t, w.extra, repository, func(s *trust.PublisherSpec) { s.Packages = []string{"zlib"} })
		w.trusts(t, w.vault, repository, func(s *trust.PublisherSpec) { s.Right = "read" })
		other := w.Channel(t, w.ann, "other", channel.Private)
		tok := w.publishToken(t, repository)
		try := func(channelName, name, subdir string) answer {
			file, body := pack(t, name, "1.0", subdir)
			return w.upload(t, channelName, tok, file, body)
		}
		t.Run("68 another channel", func(t *testing.T) {
			try("other", "tide", "noarch").checkUpload(t, 403, "are in tools, extra and vault, not here")
			try("nowhere", "tide", "noarch").checkUpload(t, 403, "not here")
		})
		t.Run("69 another package", func(t *testing.T) {
			try("tools", "ebb", "noarch").checkUpload(t, 403, "is of package ebb, the trusted publisher may publish tide*")
			file, body := pack(t, "ebb", "1.0", "noarch")
			w.upload(t, "tools", tok, strings.Replace(file, "ebb", "tide", 1), body).checkUpload(t, 422, "ebb")
			try("tools", "tide", "linux-64").checkUpload(t, 403, "is for linux-64, the trusted publisher may publish into noarch")
		})
		t.Run("70 what one channel allows, in another", func(t *testing.T) {
			try("tools", "zlib", "noarch").checkUpload(t, 403, "may publish tide*")
			try("extra", "tide", "noarch").checkUpload(t, 403, "may publish zlib")
		})
		t.Run("69 its own", func(t *testing.T) {
			try("tools", "tide", "noarch").checkUpload(t, 200, "is published")
			try("extra", "zlib", "linux-64").checkUpload(t, 200, "is published")
		})
		bearer := map[string]string{"Authorization": "Bearer " + tok, "Content-Type": "application/json"}
		t.Run("74 anything but publishing", func(t *testing.T) {
			for _, req := range []struct{ method, path, body string }{
				{"POST", "/api/v1/channels/tools/trusted-publishers", `{"repository":"evil/x","workflow":"x.yml"}`},
				{"DELETE", "/api/v1/channels/tools/trusted-publishers/1", ""},
				{"PUT", "/api/v1/channels/tools/members/eve", `{"role":"owner"}`},
				{"GET", "/api/v1/channels/tools/audit", ""},
				{"GET", "/api/v1/tokens", ""},
				{"POST", "/api/v1/tokens", `{"name":"x","scopes":["upload"]}`},
				{"POST", "/api/v1/channels", `{"name":"mine"}`},
				{"GET", "/api/v1/users", ""},
			} {
				if a := w.send(t, req.method, req.path, bearer, []byte(req.body)); a.status != http.StatusForbidden || a.code != "not_permitted" {
					t.Errorf("%s %s: %d %s", req.method, req.path, a.status, a.body)
				}
			}
			file, body := pack(t, "tide", "1.0", "noarch")
			a := w.send(t, http.MethodPost, "/api/v1/upload/tools?force=true", map[string]string{
				"Authorization": "Bearer " + tok, "Content-Type": "application/octet-stream", "X-File-Name": file}, append([]byte{}, body[:len(body)-1]...))
			if a.status == http.StatusOK {
				t.Error("a file was replaced")
			}
		})
		t.Run("75 another private channel", func(t *testing.T) {
			for path, status := range map[string]int{
				"/vault/noarch/repodata.json": 200, "/other/noarch/repodata.json": 404, "/tools/noarch/repodata.json": 200, "/t/" + tok + "/vault/noarch/repodata.json": 200,
				"/t/" + tok + "/other/noarch/repodata.json": 404,
			} {
				if got, _, body := w.Get(t, path, tok); got != status {
					t.Errorf("%s: %d %s, want %d", path, got, body, status)
				}
			}
			if got, _, _ := w.Get(t, "/vault/noarch/repodata.json", ""); got != 401 {
				t.Errorf("vault without a token: %d", got)
			}
			try("vault", "tide", "noarch").checkUpload(t, 403, "may only read")
			_ = other
		})
		t.Run("76 a token where none belongs", func(t *testing.T) {
			file, body := pack(t, "tide", "2.0", "noarch")
			raw := map[string]string{"Content-Type": "application/octet-stream", "X-File-Name": file}
			a := w.send(t, http.MethodPost, "/api/v1/upload/tools?token="+tok, raw, body)
			if a.status != 401 || strings.Contains(w.Log.String(), tok) {
				t.Errorf("in the query: %d; in the log: %v", a.status, strings.Contains(w.Log.String(), tok))
			}
			raw["Cookie"] = "sluice_session=" + tok
			if a := w.send(t, http.MethodPost, "/api/v1/upload/tools", raw, body); a.status != 401 {
				t.Errorf("in a cookie: %d %s", a.status, a.body)
			}
			delete(raw, "Cookie")
			raw["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+tok+"x"))
			if a := w.send(t, http.MethodPost, "/api/v1/upload/tools", raw, body); a.status != 401 {
				t.Errorf("mistyped, as a password: %d %s", a.status, a.body)
			}
			raw["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte("whoever:"+tok))
			if a := w.send(t, http.MethodPost, "/api/v1/upload/tools", raw, body); a.status != 200 {
				t.Errorf("as a password: %d %s", a.status, a.body)
			}
		})
	})
}

// TestLimits has row 77: what one run may do, by all its tokens and attempts.
func TestLimits(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		repository := w.fresh()
		w.trusts(t, w.tools, repository, func(s *trust.PublisherSpec) { s.PerRun = trust.Limits{Files: 3, Names: 2} })
		run := w.run(repository)
		again := func(attempt string) map[string]any {
			claims := w.run(repository)
			claims["run_id"], claims["run_attempt"] = run["run_id"], attempt
			return claims
		}
		tok := w.mint(t, w.sign(t, run)).body
		try := func(tok, name, version string) answer {
			file, body := pack(t, name, version, "noarch")
			return w.upload(t, "tools", tok, file, body)
		}
		t.Run("77 names", func(t *testing.T) {
			try(tok, "one", "1").checkUpload(t, 200, "is published")
			try(tok, "one", "1").checkUpload(t, 200, "already") // the same bytes count once
			try(tok, "two", "1").checkUpload(t, 200, "is published")
			try(tok, "three", "1").checkUpload(t, 403, "it would come to 3 new package names, and its publisher lets one run have 2")
		})
		t.Run("77 files, by another token of another attempt", func(t *testing.T) {
			next := w.mint(t, w.sign(t, again("2"))).body
			try(next, "one", "2").checkUpload(t, 200, "is published")
			try(next, "one", "3").checkUpload(t, 403, "it would come to 4 files")
		})
		t.Run("77 another run", func(t *testing.T) {
			try(w.publishToken(t, repository), "one", "3").checkUpload(t, 200, "is published")
		})
		t.Run("77 no new names at all", func(t *testing.T) {
			old := w.fresh()
			no := false
			w.trusts(t, w.tools, old, func(s *trust.PublisherSpec) { s.NewNames = &no })
			tok := w.publishToken(t, old)
			try(tok, "four", "1").checkUpload(t, 403, "has no package four yet, and the trusted publisher may not create names")
			try(tok, "one", "4").checkUpload(t, 200, "is published")
		})
	})
}

// TestEnds has what ends a publish token: rows 71 to 73.
func TestEnds(t *testing.T) {
	t.Parallel()
	owner := audit.Actor{Kind: audit.User, Name: "ann"}
	both(t, func(t *testing.T, w *world) {
		try := func(t *testing.T, tok string) answer {
			file, body := pack(t, "tide", fmt.Sprint(w.repositories), "noarch")
			return w.upload(t, "tools", tok, file, body)
		}
		t.Run("71 past its end", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			tok := w.publishToken(t, repository)
			file, body := pack(t, "tide", "9", "noarch")
			slow := newSlow(body)
			done := make(chan answer)
			go func() { done <- w.uploadSlowly(t, tok, file, slow) }()
			<-slow.begun // the headers are there
			w.clock.advance(31 * time.Minute)
			slow.goOn()
			(<-done).checkUpload(t, 200, "is published")
			try(t, tok).checkUpload(t, 401, "Publish token is expired [expired]: it ended 60 s ago and lived 30 min")
		})
		for name, end := range map[string]func(p trust.Publisher) error{
			"removed": func(p trust.Publisher) error { return w.Publishers.Remove(t.Context(), owner, w.tools, p.ID) },
			"switched off": func(p trust.Publisher) error {
				_, err := w.Publishers.Switch(t.Context(), owner, w.tools, p.ID, false)
				return err
			},
			"changed": func(p trust.Publisher) error {
				changed := p
				changed.Environment = "release"
				now, err := w.Publishers.Store.Publisher(t.Context(), w.tools.ID, p.ID)
				if err != nil {
					return err
				}
				changed.Version = now.Version
				_, err = w.Publishers.Save(t.Context(), owner, now, changed)
				return err
			},
		} {
			t.Run("72 its publisher was "+name, func(t *testing.T) {
				repository := w.fresh()
				p := w.trusts(t, w.tools, repository)
				tok := w.publishToken(t, repository)
				try(t, tok).checkUpload(t, 200, "is published")
				if err := end(p); err != nil {
					t.Fatal(err)
				}
				w.repositories++ // another version
				try(t, tok).checkUpload(t, 401, "[revoked]")
			})
			t.Run("72 its publisher was "+name+" while a file was on its way", func(t *testing.T) {
				repository := w.fresh()
				p := w.trusts(t, w.tools, repository)
				tok := w.publishToken(t, repository)
				file, body := pack(t, "tide", fmt.Sprint(w.repositories), "noarch")
				slow := newSlow(body)
				done := make(chan answer)
				go func() { done <- w.uploadSlowly(t, tok, file, slow) }()
				<-slow.begun
				if err := end(p); err != nil {
					t.Fatal(err)
				}
				slow.goOn()
				(<-done).checkUpload(t, 401, "nothing was stored")
			})
		}
		t.Run("72 its holder ended it", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			tok := w.publishToken(t, repository)
			if a := w.send(t, http.MethodDelete, "/api/oidc/token", map[string]string{"Authorization": "Bearer " + tok}, nil); a.status != http.StatusNoContent {
				t.Fatalf("DELETE: %d %s", a.status, a.body)
			}
			try(t, tok).checkUpload(t, 401, "[revoked]")
		})
		t.Run("73 a channel that takes no API tokens any more", func(t *testing.T) {
			repository := w.fresh()
			w.trusts(t, w.extra, repository)
			file, body := pack(t, "ebb", "1", "noarch")
			w.upload(t, "extra", w.key, file, body).checkUpload(t, 200, "is published")
			closed := w.extra
			closed.PublisherOnly = true
			if err := w.DB.ChangeChannel(t.Context(), w.extra, closed, audit.Event{Kind: audit.ChannelChanged, ChannelID: closed.ID}); err != nil {
				t.Fatal(err)
			}
			file, body = pack(t, "ebb", "2", "noarch")
			w.upload(t, "extra", w.key, file, body).checkUpload(t, 403, "from trusted publishers only")
			w.upload(t, "extra", w.publishToken(t, repository), file, body).checkUpload(t, 200, "is published")
		})
	})
}

// slow is a body that stops after its first byte until it may go on.
type slow struct {
	body  []byte
	sent  int
	begun chan struct{}
	on    chan struct{}
}

func newSlow(body []byte) *slow {
	return &slow{body: body, begun: make(chan struct{}), on: make(chan struct{})}
}

func (s *slow) goOn() { close(s.on) }

// Read gives one byte, waits, and gives the rest.
func (s *slow) Read(p []byte) (int, error) {
	if s.sent == 1 {
		<-s.on
	}
	if s.sent == len(s.body) {
		return 0, io.EOF
	}
	n := copy(p[:1], s.body[s.sent:])
	if s.sent >= 1 {
		n = copy(p, s.body[s.sent:])
	}
	s.sent += n
	return n, nil
}

// uploadSlowly sends the body and tells when the server has begun to read it.
func (w *world) uploadSlowly(t *testing.T, bearer, file string, body *slow) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req := must(http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/api/v1/upload/tools", body))(t)
	req.ContentLength = int64(len(body.body))
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-File-Name", file)
	go func() {
		// A staged file is there as soon as the right was looked at.
		for len(w.staged(t)) == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		close(body.begun)
	}()
	a := answer{}
	a.status, a.header, a.body = servertest.Do(t, req)
	return a
}

// TestDoors has the mint by other means and in a flood: rows 79, 80.
func TestDoors(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		repository := w.fresh()
		w.trusts(t, w.tools, repository)
		tok := w.sign(t, w.run(repository))
		body := []byte(`{"token":"` + tok + `"}`)
		t.Run("80 by GET", func(t *testing.T) {
			if a := w.send(t, http.MethodGet, "/api/oidc/mint_token?token="+tok, nil, nil); a.status != http.StatusNotFound || !strings.Contains(a.body, "POST") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
		t.Run("80 as a form", func(t *testing.T) {
			a := w.send(t, http.MethodPost, "/api/oidc/mint_token", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte("token="+tok))
			if a.status != http.StatusBadRequest {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
		t.Run("80 from a page of another site", func(t *testing.T) {
			a := w.send(t, http.MethodOptions, "/api/oidc/mint_token", map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}, nil)
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%d lets %q in", a.status, a.header.Get("Access-Control-Allow-Origin"))
			}
			a = w.send(t, http.MethodPost, "/api/oidc/mint_token", map[string]string{"Origin": "https://evil.example", "Content-Type": "application/json"}, body)
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("the answer may be read by %q", a.header.Get("Access-Control-Allow-Origin"))
			}
		})
		t.Run("79 a flood of one repository", func(t *testing.T) {
			flood := w.fresh()
			claims := w.run(flood) // nobody trusts it
			limited := 0
			for range 120 {
				a := w.mint(t, w.sign(t, claims))
				switch {
				case a.status == http.StatusTooManyRequests && a.code == "rate_limited" && a.header.Get("Retry-After") != "":
					limited++
				case a.status != http.StatusForbidden:
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			if limited < 10 {
				t.Errorf("%d of 120 refusals were limited", limited)
			}
			w.mint(t, w.sign(t, w.run(repository))).check(t, passes) // another repository does not notice
		})
	})
}

// TestTiming has row 81: what a stranger learns of private channels from the answers.
func TestTiming(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		t.Run("81 private and missing channels answer alike", func(t *testing.T) {
			file, body := pack(t, "tide", "1", "noarch")
			stranger := w.Token(t, w.User(t, "eve", false), nil, account.Upload, account.Read)
			for _, bearer := range []string{"", stranger} {
				a, b := w.upload(t, "vault", bearer, file, body), w.upload(t, "nowhere", bearer, file, body)
				said := func(a answer) string { s, _, _ := strings.Cut(a.body, " (request"); return s }
				if bearer == "" && (a.status != b.status || strings.ReplaceAll(said(a), "vault", "C") != strings.ReplaceAll(said(b), "nowhere", "C")) {
					t.Errorf("vault: %d %s\nnowhere: %d %s", a.status, a.body, b.status, b.body)
				}
			}
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			tok := w.publishToken(t, repository)
			a, b := w.upload(t, "vault", tok, file, body), w.upload(t, "nowhere", tok, file, body)
			if cut(a.body) != cut(b.body) || a.status != b.status {
				t.Errorf("by a publish token: %d %s and %d %s", a.status, a.body, b.status, b.body)
			}
		})
		t.Run("91 a rule for somebody else's repository", func(t *testing.T) {
			// It gives that repository a right here, and its maker none there.
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			claims := w.run(repository, set("repository_owner", "acme"))
			w.mint(t, w.sign(t, claims)).check(t, passes)
		})
		t.Run("78 a token from somewhere else", func(t *testing.T) {
			// Taken while the run lives; it is in the audit log, and can be ended by whoever finds it.
			repository := w.fresh()
			w.trusts(t, w.tools, repository)
			tok := w.publishToken(t, repository)
			file, body := pack(t, "tide", "3", "noarch")
			w.upload(t, "tools", tok, file, body).checkUpload(t, 200, "is published")
			a := w.send(t, http.MethodPost, "/api/oidc/revoke", map[string]string{"Content-Type": "application/json"}, []byte(`{"tokens":["`+tok+`"]}`))
			if a.status/100 != 2 {
				t.Fatalf("revoke: %d %s", a.status, a.body)
			}
			file, body = pack(t, "tide", "4", "noarch")
			w.upload(t, "tools", tok, file, body).checkUpload(t, 401, "[revoked]")
		})
	})
}

func cut(s string) string { s, _, _ = strings.Cut(s, " (request"); return s }
