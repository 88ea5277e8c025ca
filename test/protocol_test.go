package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/internal/account"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/test/clients"
)

// smallMax is how large a package may be on the server of TestProtocol, in bytes.
const smallMax = 1 << 20

// TestProtocol speaks the upload protocol by hand: the forms of old clients and of scripts, and what no client
// of today sends.
func TestProtocol(t *testing.T) {
	t.Parallel()
	for _, postgres := range []bool{false, true} {
		t.Run(map[bool]string{false: "sqlite", true: "postgres"}[postgres], func(t *testing.T) {
			w := newWorld(t, servertest.New(t, servertest.Options{
				Postgres: postgres, Configure: func(c *config.Config) { c.UploadMax = smallMax },
			}))
			w.Publisher(t, w.forge, trust.PublisherSpec{})
			t.Run("forms", w.forms)
			t.Run("broken forms", w.brokenForms)
			t.Run("exchange", w.exchanges)
			t.Run("larger than the server takes", w.tooLarge)
			if left := tree(w.Data, "staging"); len(left) != 0 {
				t.Errorf("left in the staging area: %q", left)
			}
		})
	}
}

// send posts an upload with headers given as name, value, name, value.
func (w *world) send(t *testing.T, method, path string, body io.Reader, headers ...string) (status int, h http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return servertest.Do(t, req)
}

const uploadPath = "/api/v1/upload/forge"

// part is one part of a multipart form.
type part struct {
	headers textproto.MIMEHeader
	body    []byte
}

// multipartOf writes a form, and returns it with its content type.
func multipartOf(t *testing.T, parts ...part) (form *bytes.Buffer, kind string) {
	t.Helper()
	form = &bytes.Buffer{}
	w := multipart.NewWriter(form)
	for _, p := range parts {
		to, err := w.CreatePart(p.headers)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return form, w.FormDataContentType()
}

// filePart is the part of a package, with headers as rattler_upload spells them.
func filePart(p parcel) part {
	return part{textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, p.file)},
		"Content-Type":        {"application/octet-stream"},
		"content-length":      {fmt.Sprint(len(p.body))},
		"x-file-name":         {p.file},
		"x-file-sha256":       {fmt.Sprintf("%x", sha256.Sum256(p.body))},
	}, p.body}
}

// hidden hides the length of a body, so that it is sent in chunks.
type hidden struct{ io.Reader }

// forms uploads by each form that there is, and finds the file afterwards.
func (w *world) forms(t *testing.T) {
	sum := func(p parcel) string { return fmt.Sprintf("%x", sha256.Sum256(p.body)) }
	bearer := "Bearer " + w.PublishToken(t)
	for i, send := range []func(p parcel) (int, http.Header, string){
		func(p parcel) (int, http.Header, string) { // rattler-build before 0.36, pixi before 0.61
			return w.send(t, http.MethodPost, uploadPath, bytes.NewReader(p.body), "Authorization", bearer,
				"Content-Type", "application/octet-stream", "X-File-Name", p.file, "X-File-SHA256", sum(p))
		},
		func(p parcel) (int, http.Header, string) { // a script with the least that will do
			return w.send(t, http.MethodPost, uploadPath, hidden{bytes.NewReader(p.body)}, "Authorization", bearer, "x-file-name", p.file)
		},
		func(p parcel) (int, http.Header, string) { // rattler_upload of today
			form, kind := multipartOf(t, filePart(p))
			return w.send(t, http.MethodPost, uploadPath, form, "Authorization", bearer, "Content-Type", kind)
		},
		func(p parcel) (int, http.Header, string) { // in chunks, the name in the disposition alone, an API token as Basic
			form, kind := multipartOf(t, part{textproto.MIMEHeader{
				"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename=%q`, p.file)},
			}, p.body})
			req := w.request(t, http.MethodPost, uploadPath, "", nil)
			req.Body, req.ContentLength = io.NopCloser(hidden{form}), -1
			req.Header.Set("Content-Type", kind)
			req.SetBasicAuth("ann", w.key)
			return servertest.Do(t, req)
		},
	} {
		for _, p := range tide(t, fmt.Sprintf("1.%d", i)) {
			status, h, answer := send(p)
			if want := p.file + " is published in channel forge."; status != http.StatusOK || answer != want || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
				t.Errorf("form %d: %d %q, want 200 %q", i, status, answer, want)
			}
			if body := w.must(t, "/forge/noarch/"+p.file); !bytes.Equal(body, p.body) {
				t.Errorf("form %d: %d bytes came back of %d", i, len(body), len(p.body))
			}
			if status, _, answer := send(p); status != http.StatusOK || answer != p.file+" is in channel forge already, with these same bytes." {
				t.Errorf("form %d, once more: %d %q", i, status, answer)
			}
		}
	}
}

// brokenForms are refused with a sentence, by a status after which no client sends the file again.
func (w *world) brokenForms(t *testing.T) {
	p := tide(t, "2.0")[0]
	other := tide(t, "2.1")[0]
	bearer := w.PublishToken(t)
	raw := []string{"Authorization", "Bearer " + bearer, "Content-Type", "application/octet-stream"}
	form, kind := multipartOf(t, filePart(p))
	two, kindOfTwo := multipartOf(t, filePart(p), filePart(other))
	none, kindOfNone := multipartOf(t, part{textproto.MIMEHeader{"Content-Disposition": {`form-data; name="comment"`}}, []byte("hello")})
	reader := w.Token(t, w.ann, nil, account.Read)
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		body               []byte
		status             int
		want               string
	}{
		{"no token", "POST", uploadPath, []string{"X-File-Name", p.file}, p.body, 401, "An upload needs a token."},
		{"no Bearer", "POST", uploadPath, []string{"Authorization", bearer, "X-File-Name", p.file}, p.body, 401, "An upload needs a token."},
		{"token without the scope", "POST", uploadPath, []string{"Authorization", "Bearer " + reader, "X-File-Name", p.file}, p.body, 403, "lacks the scope upload"},
		{"no file name", "POST", uploadPath, raw, p.body, 400, "The upload names no file: send the header X-File-Name."},
		{"no such file name", "POST", uploadPath, append(raw, "X-File-Name", "../tide.conda"), p.body, 422, `file name "../tide.conda" is not of the form NAME-VERSION-BUILD.conda`},
		{"wrong digest", "POST", uploadPath, append(raw, "X-File-Name", p.file, "X-File-SHA256", strings.Repeat("ab", 32)), p.body, 422, "was announced: the file was changed or cut on its way, send it again."},
		{"no digest", "POST", uploadPath, append(raw, "X-File-Name", p.file, "X-File-SHA256", "abc"), p.body, 400, "is no SHA-256: it has 64 hexadecimal digits."},
		{"no bytes", "POST", uploadPath, append(raw, "X-File-Name", p.file), nil, 422, "is empty: no bytes came."},
		{"no package", "POST", uploadPath, append(raw, "X-File-Name", p.file), []byte("hello"), 422, p.file + " is refused: "},
		{"another package", "POST", uploadPath, append(raw, "X-File-Name", p.file), other.body, 422, p.file + " is refused: "},
		{"two files", "POST", uploadPath, []string{"Authorization", "Bearer " + bearer, "Content-Type", kindOfTwo}, two.Bytes(), 400, "two parts named file"},
		{"no file", "POST", uploadPath, []string{"Authorization", "Bearer " + bearer, "Content-Type", kindOfNone}, none.Bytes(), 400, `The form has a part "comment"`},
		{"form cut off", "POST", uploadPath, []string{"Authorization", "Bearer " + bearer, "Content-Type", kind}, form.Bytes()[:form.Len()-100], 400, "The multipart form is broken or was cut off"},
		{"form without its boundary", "POST", uploadPath, []string{"Authorization", "Bearer " + bearer, "Content-Type", "multipart/form-data"}, form.Bytes(), 400, "names no boundary"},
		{"channel of somebody", "POST", "/api/v1/upload/nowhere", append(raw, "X-File-Name", p.file), p.body, 403, "Publish token is for another channel"},
		{"no channel", "POST", "/api/v1/upload/", append(raw, "X-File-Name", p.file), p.body, 403, "Publish token is for another channel"},
		{"crooked path", "POST", "/api/v1//upload/forge", append(raw, "X-File-Name", p.file), p.body, 404, "There is nothing at this path"},
		{"another method", "PUT", uploadPath, append(raw, "X-File-Name", p.file), p.body, 404, "Upload by POST"},
		{"a look", "GET", uploadPath, raw, nil, 404, "Upload by POST"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, h, answer := w.send(t, tt.method, tt.path, bytes.NewReader(tt.body), tt.headers...)
			if status != tt.status || !strings.Contains(answer, tt.want) {
				t.Errorf("= %d %q, want %d %q", status, answer, tt.status, tt.want)
			}
			if len(answer) > 512 || strings.ContainsAny(answer, "\n\r") || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
				t.Errorf("= %q as %s, want one line of plain text", answer, h.Get("Content-Type"))
			}
		})
	}
	if status, _, _ := w.Get(t, "/forge/noarch/"+p.file, ""); status != http.StatusNotFound {
		t.Errorf("%s is there: %d", p.file, status)
	}
}

// exchanges speaks with the mint endpoint, whose answer clients put into a header as it is.
func (w *world) exchanges(t *testing.T) {
	const mint = "/api/oidc/mint_token"
	jwt := func() string {
		token, err := w.Job(standin.Run{}).IdentityToken(t.Context(), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	status, h, answer := w.send(t, http.MethodPost, mint, strings.NewReader(`{"token":"`+jwt()+`"}`), "Content-Type", "application/json")
	if status != 200 || !strings.HasPrefix(answer, "sluice-pub-") || strings.Trim(answer, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		t.Errorf("= %d %q, want the token alone, without a newline", status, answer)
	}
	if h.Get("Cache-Control") != "no-store" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("headers = %v, want no-store and text/plain", h)
	}
	for body, want := range map[string]int{
		"": 400, "{}": 400, "hello": 400, `{"token":7}`: 400, `{"token":"a.b.c"}`: 400, `{"token":"` + jwt() + `x"}`: 400,
		`{"token":"` + signedBy(jwt(), jwt()) + `"}`:      401,
		`{"token":"` + strings.Repeat("x", 70_000) + `"}`: 413,
	} {
		status, h, answer := w.send(t, http.MethodPost, mint, strings.NewReader(body))
		if status != want || len(answer) > 512 || strings.ContainsAny(answer, "\n\r") || strings.Contains(h.Get("Content-Type"), "json") {
			t.Errorf("%.40q = %d %q, want %d and one line of plain text", body, status, answer, want)
		}
	}
	if status, _, _ := w.send(t, http.MethodGet, mint, nil); status != 404 {
		t.Errorf("GET = %d, want 404", status)
	}
	var audience struct{ Audience string }
	if err := json.Unmarshal(w.must(t, "/api/oidc/audience"), &audience); err != nil || audience.Audience != "127.0.0.1" {
		t.Errorf("audience = %+v, %v, want 127.0.0.1", audience, err)
	}
}

// signedBy is a token with the signature of another one.
func signedBy(token, other string) string {
	return token[:strings.LastIndex(token, ".")] + other[strings.LastIndex(other, "."):]
}

// bulky writes so many bytes under the name of a package and returns the path. Clients do not look inside.
func bulky(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bulky-1.0-0.conda")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	return path
}

// tooLarge sends more than the server takes: the client must see why, and not a broken line.
func (w *world) tooLarge(t *testing.T) {
	for name, size := range map[string]int64{"by little": smallMax + 1, "by far": 24 * smallMax} {
		ran := w.upload(t, w.inJob(t, standin.Run{}), bulky(t, size))
		if ran.Status == 0 || !shows(ran.String(), "HTTP 413") {
			t.Errorf("%s: %s", name, ran)
		}
	}
}

// TestRefusalOfLargeFile sends much to a server that knows from the first line that it will not take it. Clients
// send first and listen afterwards, so it reads all of it before it answers.
func TestRefusalOfLargeFile(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	w := newWorld(t, servertest.New(t, servertest.Options{}))
	var body *counting
	via := w.proxy(t, func(r *http.Request) {
		body = &counting{ReadCloser: r.Body}
		r.Body = body
	})
	key := strings.Replace(w.key, w.key[len(w.key)-3:], "zzz", 1)
	ran := clients.NewUser(t).Rattler(t, "upload", "prefix", "--url", via, "--channel", "forge", "--api-key", key, bulky(t, size))
	if ran.Status == 0 || !shows(ran.String(), "authentication failed (HTTP 401)") {
		t.Error(ran)
	}
	if n := body.n.Load(); n < size {
		t.Errorf("the server answered when it had read %d bytes, or fewer", n)
	}
}

// counting counts the bytes of a body that pass.
type counting struct {
	io.ReadCloser
	n atomic.Int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// TestLegacyAudience lets clients in that ask for the audience prefix.dev, whatever the server: where the
// operator said so.
func TestLegacyAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servertest.New(t, servertest.Options{Configure: func(c *config.Config) { c.Audiences = []string{"prefix.dev"} }}))
	w.Publisher(t, w.forge, trust.PublisherSpec{})
	u := clients.NewUser(t).InGitHubJob(w.always(t, "prefix.dev"), "any")
	p := tide(t, "1.0")[0]
	if ran := w.upload(t, u, filepath.Join(folderOf(t, []parcel{p}), p.subdir, p.file)); ran.Status != 0 {
		t.Error(ran)
	}
}
