package server_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/token"
)

// want is what an upload is answered.
type want struct {
	name   string
	req    *http.Request
	status int
	says   string
}

// refuse checks that each request is refused as it says, in one sentence, and that nothing stays of it.
func (w *world) refuse(t *testing.T, cases []want) {
	t.Helper()
	before := w.state(t)
	for _, tt := range cases {
		status, said := w.do(t, tt.req)
		if status != tt.status || !strings.Contains(said, tt.says) || len(said) > 512 || strings.Contains(said, "\n") {
			t.Errorf("%s: %d %q, want %d with %q", tt.name, status, said, tt.status, tt.says)
		}
		if after := w.state(t); after != before {
			t.Fatalf("%s left something:\n%s\nbefore:\n%s", tt.name, after, before)
		}
	}
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		name, good := packageOf(t, "tide", nil)
		sum := fmt.Sprintf("%x", sha256.Sum256(good))
		file := filePart(name, sum, good)
		_, ebb := packageOf(t, "ebb", nil)
		_, v3 := packageOf(t, "tide", func(p *build.Package) { p.Depends = []string{"ebb >=1[when=\"__unix\"]"} })
		oversize := filePart(name, "", make([]byte, uploadMax+1))
		up := func(bearer string, parts ...part) *http.Request { return w.post(t, "forge", bearer, parts...) }
		w.refuse(t, []want{
			{"a digest of other bytes", up(w.ci, filePart(name, strings.Repeat("ab", 32), good)), 422, "but abababab"},
			{"a digest that is none", up(w.ci, filePart(name, "abc", good)), 400, "X-File-SHA256 is no SHA-256"},
			{"no file name", up(w.ci, part{"file", nil, good}), 400, "X-File-Name"},
			{"a file name that is none", up(w.ci, filePart("tide.conda", "", good)), 422, "file name"},
			{"a file name that climbs", up(w.ci, filePart("../../etc/tide-1.0-0.conda", "", good)), 422, "file name"},
			{"another version in the file name", up(w.ci, filePart("tide-2.0-0.conda", sum, good)), 422, "tide-2.0-0.conda"},
			{"another format in the file name", up(w.ci, filePart("tide-1.0-0.tar.bz2", sum, good)), 422, "bzip2"},
			{"a name outside of the publisher's", up(w.ci, filePart("ebb-1.0-0.conda", "", ebb)), 403, "ebb"},
			{"a package of another name under one that is allowed", up(w.ci, filePart("tide-1.0-0.conda", "", ebb)), 422, "ebb"},
			{"revision 3, in no form that its readers take", up(w.ci, filePart(name, "", v3)), 422, "revision 3"},
			{"two files", up(w.ci, file, file), 400, "two parts named file"},
			{"a part that nobody knows", up(w.ci, file, part{"subdir", nil, []byte("noarch")}), 400, `a part "subdir"`},
			{"an attestation", up(w.ci, file, part{"attestation", nil, []byte("{}")}), 422, "attestation"},
			{"an attestation alone", up(w.ci, part{"attestation", nil, []byte("{}")}), 400, "without a part named file"},
			{"no part", up(w.ci), 400, "without a part named file"},
			{"an empty file", up(w.ci, filePart(name, "", nil)), 422, "is empty"},
			{"too large, and says so", up(w.ci, oversize), 413, "at most 1048576 bytes"},
			{"too large, in chunks", chunked(up(w.ci, oversize)), 413, "at most 1048576 bytes"},
			{"far too large, and says so", up(w.ci, filePart(name, "", make([]byte, 3*uploadMax))), 413, "larger than"},
			{"far too large, in chunks", chunked(up(w.ci, filePart(name, "", make([]byte, 3*uploadMax)))), 413, "at most 1048576 bytes"},
			{"a form that ends early", cut(up(w.ci, file)), 400, "broken or was cut off"},
			{"a form without a boundary", kind(up(w.ci, file), "multipart/form-data"), 400, "boundary"},
			{"a form with another boundary", kind(up(w.ci, file), "multipart/form-data; boundary=x"), 400, "without a part named file"},
			{"raw and empty", w.raw(t, w.ci, name, nil), 422, "is empty"},
			{"raw without a name", w.raw(t, w.ci, "", bytes.NewReader(good)), 400, "X-File-Name"},
			{"raw and too large", w.raw(t, w.ci, name, bytes.NewReader(make([]byte, uploadMax+1))), 413, "at most 1048576 bytes"},
			{"raw with a form's body", kind(up(w.ci, file), "text/plain"), 400, "X-File-Name"},
		})
		w.publish(t, w.ci, name, good)
		_, other := packageOf(t, "tide", func(p *build.Package) { p.License = "GPL" })
		w.refuse(t, []want{
			{"other bytes", up(w.ci, filePart(name, "", other)), 409, "Raise the build number"},
			{"other bytes with force", forced(up(w.ci, filePart(name, "", other))), 403, "force"},
			{"the same bytes by another right", up(w.annUploads, file), 409, "these same bytes"},
		})
	})
}

func forced(req *http.Request) *http.Request {
	req.URL.RawQuery = "force=true"
	return req
}

// chunked sends the body without saying how long it is.
func chunked(req *http.Request) *http.Request {
	req.ContentLength = -1
	return req
}

// kind sends another content type.
func kind(req *http.Request, to string) *http.Request {
	req.Header.Set("Content-Type", to)
	return req
}

// cut leaves out the end of the body, the closing boundary in it.
func cut(req *http.Request) *http.Request {
	req.ContentLength -= 40
	req.Body = io.NopCloser(io.LimitReader(req.Body, req.ContentLength))
	return req
}

func TestUploadAsksWhoIsCalling(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		name, good := packageOf(t, "tide", nil)
		file := filePart(name, "", good)
		session, err := w.Accounts.OpenSession(t.Context(), w.ann)
		if err != nil {
			t.Fatal(err)
		}
		cookie := w.post(t, "forge", "", file)
		cookie.AddCookie(&http.Cookie{Name: "sluice_session", Value: session.Reveal()})
		query := w.post(t, "forge", "", file)
		query.URL.RawQuery = "token=" + w.annUploads + "&access_token=" + w.annUploads
		basic := w.post(t, "forge", "", file)
		basic.SetBasicAuth("ann", servertest.Password)
		inPath := w.request(t, http.MethodPost, "/t/"+w.annUploads+"/api/v1/upload/forge", bytes.NewReader(good))
		w.refuse(t, []want{
			{"nobody", w.post(t, "forge", "", file), 401, "An upload needs a token"},
			{"no token at all", w.post(t, "forge", "secret", file), 401, "not a token of this server"},
			{"a token with a typo", w.post(t, "forge", typo(w.annUploads), file), 401, "checksum"},
			{"a token of another server", w.post(t, "forge", token.New(token.API).Reveal(), file), 401, "unknown"},
			{"a publish token of another server", w.post(t, "forge", token.New(token.Publish).Reveal(), file), 401, "unknown"},
			{"a session in the cookie", cookie, 401, "An upload needs a token"},
			{"a session as Bearer", w.post(t, "forge", session.Reveal(), file), 401, "not taken here"},
			{"a password", basic, 401, "not a token of this server"},
			{"a token in the query", query, 401, "An upload needs a token"},
			{"a token in the path", inPath, 404, "nothing at this address"},
			{"a token that only reads", w.post(t, "forge", w.annReads, file), 403, "scope upload"},
			{"a token limited to another channel", w.post(t, "forge", w.Token(t, w.ann, &w.hidden, account.Upload), file), 403, "limited to channel hidden"},
			{"somebody who is no member", w.post(t, "forge", w.bobUploads, file), 403, "bob may not upload to channel forge"},
			{"a channel that is not there", w.post(t, "none", w.annUploads, file), 404, "no channel none"},
			{"a channel that cannot be", w.post(t, "conda", w.annUploads, file), 404, "conda"},
			{"a run in another channel", w.post(t, "hidden", w.ci, file), 403, "forge"},
		})
		// What a caller was told of other channels is not for the owners of this one.
		events, err := w.DB.Events(t.Context(), audit.Query{Kinds: []audit.Kind{audit.UploadRefused}, Limit: 100})
		if err != nil || len(events) == 0 {
			t.Fatalf("%d refusals are in the audit log, %v", len(events), err)
		}
		for _, e := range events {
			if other := map[string]string{"forge": "hidden", "hidden": "forge"}[e.Channel]; strings.Contains(e.Sentence, other) {
				t.Errorf("the log of %s says %q", e.Channel, e.Sentence)
			}
		}
		bearers := w.post(t, "forge", "", file)
		bearers.SetBasicAuth("whoever", w.annUploads)
		if status, said := w.do(t, bearers); status != http.StatusOK {
			t.Errorf("a token as the password of Basic: %d %s", status, said)
		}
	})
}

// typo changes the last character.
func typo(s string) string {
	last := byte('a')
	if s[len(s)-1] == last {
		last = 'b'
	}
	return s[:len(s)-1] + string(last)
}

// A private channel answers those who may not know of it exactly as one that is not there.
func TestPrivateChannelsCannotBeFound(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		name, good := packageOf(t, "tide", nil)
		for who, bearer := range map[string]string{"nobody": "", "a run": w.ci, "a stranger's token": token.New(token.API).Reveal()} {
			var answers [2]string
			for i, ch := range []string{"hidden", "hiddem"} {
				status, said := w.do(t, w.post(t, ch, bearer, filePart(name, "", good)))
				answers[i] = anonymous(fmt.Sprint(status, " ", said), ch)
			}
			if answers[0] != answers[1] {
				t.Errorf("upload by %s:\n%s\n%s", who, answers[0], answers[1])
			}
		}
		for path, bearer := range map[string]string{"/noarch/repodata.json": w.ci, "/noarch/tide-1.0-0.conda": w.ci, "/notices.json": w.ci, "": w.ci} {
			var answers [2]string
			for i, ch := range []string{"hidden", "hiddem"} {
				status, h, said := w.Get(t, "/"+ch+path, bearer)
				h.Del("X-Request-Id")
				h.Del("Date")
				h.Del("Content-Length")
				answers[i] = anonymous(fmt.Sprint(status, h, said), ch)
			}
			if answers[0] != answers[1] {
				t.Errorf("%s by a run:\n%s\n%s", path, answers[0], answers[1])
			}
		}
	})
}

// anonymous is an answer without the name of the channel and the id of the request.
func anonymous(s, channel string) string {
	s = strings.ReplaceAll(s, channel, "CHANNEL")
	if at := strings.Index(s, "(request "); at >= 0 {
		s = s[:at]
	}
	return s
}

func TestSameBytesAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		name, good := packageOf(t, "tide", nil)
		w.publish(t, w.ci, name, good)
		before := w.state(t)
		w.publish(t, w.ci, name, good)
		w.publish(t, w.PublishToken(t), name, good) // another run of the same publisher
		if status, said := w.do(t, w.raw(t, w.ci, name, bytes.NewReader(good))); status != http.StatusOK || !strings.Contains(said, "already") {
			t.Errorf("raw: %d %s", status, said)
		}
		if after := w.state(t); after != before {
			t.Errorf("the same bytes again changed something:\n%s\nbefore:\n%s", after, before)
		}
	})
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		name, good := packageOf(t, "tide", nil)
		file := filePart(name, "", good)
		short := w.Token(t, w.ann, nil, account.Upload)
		kept, err := w.Accounts.Tokens.APITokens(t.Context(), w.ann.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Accounts.RevokeToken(t.Context(), audit.Actor{}, w.ann, kept[0].ID); err != nil {
			t.Fatal(err)
		}
		late := w.ci
		w.clock.advance(31 * time.Minute)
		w.refuse(t, []want{
			{"a publish token past its end", w.post(t, "forge", late, file), 401, "ended"},
			{"an API token that was revoked", w.post(t, "forge", short, file), 401, "revoked"},
		})
		w.ci = w.PublishToken(t)
		if err := w.Publishers.Remove(t.Context(), audit.Actor{}, w.forge, w.publisher.ID); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(91 * 24 * time.Hour)
		w.annReads = w.Token(t, w.ann, nil, account.Read)
		w.refuse(t, []want{
			{"an API token past its end", w.post(t, "forge", w.annUploads, file), 401, "ended on"},
		})
	})
}

// What the right rests on may go while the body is still on its way: the commit looks again.
func TestRightsThatGoDuringTheUpload(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, w *world) {
		name, good := packageOf(t, "tide", nil)
		w.refuse(t, []want{
			{"the publisher is removed", w.meanwhile(t, w.ci, name, good, func() {
				if err := w.Publishers.Remove(t.Context(), audit.Actor{}, w.forge, w.publisher.ID); err != nil {
					t.Error(err)
				}
			}), 401, "changed or removed while tide-1.0-0.conda was being uploaded"},
			{"and afterwards", w.post(t, "forge", w.ci, filePart(name, "", good)), 401, "revoked"},
			{"the API token is revoked", w.meanwhile(t, w.annUploads, name, good, func() {
				for _, k := range apiTokens(t, w) {
					if err := w.Accounts.RevokeToken(t.Context(), audit.Actor{}, w.ann, k.ID); err != nil {
						t.Error(err)
					}
				}
				w.annReads = w.Token(t, w.ann, nil, account.Read)
			}), 401, "revoked while tide-1.0-0.conda was being uploaded"},
		})
	})
}

func apiTokens(t *testing.T, w *world) []account.APIToken {
	t.Helper()
	list, err := w.Accounts.Tokens.APITokens(t.Context(), w.ann.ID)
	if err != nil {
		t.Error(err)
	}
	return list
}

// meanwhile is an upload that does something when half of its body is with the server.
func (w *world) meanwhile(t *testing.T, bearer, filename string, body []byte, do func()) *http.Request {
	t.Helper()
	half := len(body) / 2
	second := &trigger{r: bytes.NewReader(body[half:]), do: func() {
		for end := time.Now().Add(10 * time.Second); len(w.files(t, "staging")) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the body is not being staged")
				break
			}
		}
		do()
	}}
	req := w.raw(t, bearer, filename, io.MultiReader(bytes.NewReader(body[:half]), second))
	req.ContentLength = int64(len(body))
	return req
}

// trigger does something before its first byte is read.
type trigger struct {
	r  io.Reader
	do func()
}

func (t *trigger) Read(p []byte) (int, error) {
	if t.do != nil {
		t.do()
		t.do = nil
	}
	return t.r.Read(p)
}
