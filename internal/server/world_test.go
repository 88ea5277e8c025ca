package server_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/token"
	"sluice/internal/trust"
)

// uploadMax is the limit of every server here, in bytes.
const uploadMax = 1 << 20

// clock is a time that can be moved.
type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 11, 23, 14, 6, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.us.Add(d.Microseconds()) }

// world is a server with people: ann owns the public channel forge and the private channel hidden, bob owns
// nothing, and build.yml of acme/forge may publish tide* into forge.
type world struct {
	*servertest.Server
	clock         *clock
	ann, bob      account.User
	forge, hidden channel.Channel
	publisher     trust.Publisher
	// Bearer strings: of ann, of ann for reading alone, of bob, of a CI run.
	annUploads, annReads, bobUploads, ci string
}

// both runs a test in a world on SQLite and in one on PostgreSQL.
func both(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newWorld(t, name == "postgres"))
		})
	}
}

func newWorld(t *testing.T, postgres bool) *world {
	t.Helper()
	w := &world{clock: newClock()}
	w.Server = servertest.New(t, servertest.Options{
		Postgres: postgres, Now: w.clock.now,
		Configure: func(c *config.Config) { c.UploadMax, c.StallTimeout = uploadMax, 5*time.Second },
	})
	w.ann, w.bob = w.robot(t, "ann"), w.robot(t, "bob")
	w.forge, w.hidden = w.Channel(t, w.ann, "forge", channel.Public), w.Channel(t, w.ann, "hidden", channel.Private)
	w.publisher = w.Publisher(t, w.forge, trust.PublisherSpec{Packages: []string{"tide*"}})
	w.annUploads, w.annReads = w.Token(t, w.ann, nil, account.Upload), w.Token(t, w.ann, nil, account.Read)
	w.bobUploads, w.ci = w.Token(t, w.bob, nil, account.Upload), w.PublishToken(t)
	return w
}

// robot makes an account without a password, whose hash would take longer than most tests here.
func (w *world) robot(t *testing.T, name string) account.User {
	t.Helper()
	u, err := w.Accounts.Create(t.Context(), audit.Actor{Kind: audit.Operator}, name, "", false, token.Token{})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// packageOf makes a small package; change may be nil.
func packageOf(t testing.TB, name string, change func(*build.Package)) (filename string, body []byte) {
	t.Helper()
	p := build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT", Files: map[string][]byte{"share/x": []byte("x")}}
	if change != nil {
		change(&p)
	}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	return p.Stem() + ".conda", body
}

// part is one part of a form.
type part struct {
	name   string
	header map[string]string
	body   []byte
}

func filePart(filename, sum string, body []byte) part {
	h := map[string]string{"X-File-Name": filename, "Content-Type": "application/octet-stream"}
	if sum != "" {
		h["X-File-SHA256"] = sum
	}
	return part{"file", h, body}
}

// form writes parts as rattler_upload does.
func form(t testing.TB, parts ...part) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, p.name)}}
		for k, v := range p.header {
			h.Set(k, v)
		}
		to, err := w.CreatePart(h)
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
	return b.Bytes(), w.FormDataContentType()
}

// post is an upload of parts to a channel.
func (w *world) post(t testing.TB, channel, bearer string, parts ...part) *http.Request {
	t.Helper()
	body, kind := form(t, parts...)
	req := w.request(t, http.MethodPost, "/api/v1/upload/"+channel, bytes.NewReader(body))
	req.Header.Set("Content-Type", kind)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return req
}

// raw is an upload in the old form.
func (w *world) raw(t testing.TB, bearer, filename string, body io.Reader) *http.Request {
	t.Helper()
	req := w.request(t, http.MethodPost, "/api/v1/upload/forge", body)
	req.Header.Set("Authorization", "Bearer "+bearer)
	if filename != "" {
		req.Header.Set("X-File-Name", filename)
	}
	return req
}

func (w *world) request(t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// do sends a request and returns status and sentence.
func (w *world) do(t testing.TB, req *http.Request) (int, string) {
	t.Helper()
	status, _, said := servertest.Do(t, req)
	return status, said
}

// publish uploads a package that must be taken.
func (w *world) publish(t testing.TB, bearer, filename string, body []byte) {
	t.Helper()
	if status, said := w.do(t, w.post(t, "forge", bearer, filePart(filename, "", body))); status != http.StatusOK {
		t.Fatalf("%s: %d %s", filename, status, said)
	}
}

// state is everything that an upload may change: the store, the counts, and the validators of every index.
func (w *world) state(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, folder := range []string{"staging", "blobs"} {
		fmt.Fprintf(&b, "%s %q\n", folder, w.files(t, folder))
	}
	for _, ch := range []channel.Channel{w.forge, w.hidden} {
		totals, err := w.DB.Totals(t.Context(), ch.ID)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %+v\n", ch.Name, totals)
		for _, subdir := range []string{"noarch", "linux-64"} {
			status, h, _ := w.Get(t, "/"+ch.Name.String()+"/"+subdir+"/repodata.json", w.annReads)
			fmt.Fprintf(&b, "%s %d %s\n", subdir, status, h.Get("ETag"))
		}
	}
	return b.String()
}

// files lists the files below a folder of the data.
func (w *world) files(t testing.TB, folder string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(w.Data, folder), func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it went while we looked
		}
		if err == nil && !d.IsDir() {
			out = append(out, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
