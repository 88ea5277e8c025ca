package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"sluice/internal/account"
	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/policy"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/trust"
	"sluice/internal/verify"
)

// world is a server with a channel in which attested files lie, and ways to damage them.
type world struct {
	*servertest.Server
	instance *attesttest.Instance
	forge    channel.Channel
	token    string
	// run is what the certificate of the usual run says.
	run map[int]string
}

func both(t *testing.T, do func(t *testing.T, w *world)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			do(t, newWorld(t, name == "postgres"))
		})
	}
}

func newWorld(t testing.TB, postgres bool) *world {
	t.Helper()
	w := &world{instance: attesttest.New(t)}
	root := filepath.Join(t.TempDir(), "ours.json")
	w.check(t, os.WriteFile(root, w.instance.Root, 0o600))
	w.Server = servertest.New(t, servertest.Options{Postgres: postgres, Configure: func(c *config.Config) { c.SigstoreRoots = []string{root} }})
	ann := w.User(t, "ann", false)
	w.forge = w.Channel(t, ann, "forge", channel.Public)
	w.Publisher(t, w.forge, trust.PublisherSpec{Packages: []string{"tide*"}})
	w.token = w.Token(t, ann, nil, account.Upload)
	w.run = w.Certificate(w.CI.Start(standin.Run{Owner: "acme", Repository: "forge"}))
	return w
}

func (w *world) check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file is a package file.
type file struct {
	name string
	body []byte
}

func packageOf(t testing.TB, name string) file {
	t.Helper()
	p := build.Package{Name: name, Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: "MIT", Files: map[string][]byte{"share/x": []byte("x")}}
	body, err := p.Conda()
	if err != nil {
		t.Fatal(err)
	}
	return file{p.Stem() + ".conda", body}
}

// sign makes a statement that the file is published in a channel.
func (w *world) sign(by map[int]string, f file, target string) []byte {
	return w.signs(by, attesttest.Statement(f.name, sha256.Sum256(f.body), target))
}

// states makes a statement with another predicate.
func (w *world) states(by map[int]string, f file) []byte {
	return w.signs(by, strings.Replace(attesttest.Statement(f.name, sha256.Sum256(f.body), "https://x.example.com/y"), attest.PredicateType, "https://slsa.dev/provenance/v1", 1))
}

func (w *world) signs(by map[int]string, statement string) []byte {
	return w.instance.Sign(attesttest.Signing{PayloadType: "application/vnd.in-toto+json", Statement: statement, URIs: []string{by[9]}, Extensions: by, At: time.Now()})
}

// publish uploads a file with attestations.
func (w *world) publish(t testing.TB, f file, bundles ...[]byte) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", f.name)
	w.check(t, err)
	_, err = part.Write(f.body)
	w.check(t, err)
	if len(bundles) > 0 {
		w.check(t, form.WriteField("attestation", string(attest.Sidecar(bundles))))
	}
	w.check(t, form.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/api/v1/upload/forge", &body)
	w.check(t, err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+w.token)
	if status, _, said := servertest.Do(t, req); status != http.StatusOK {
		t.Fatalf("%s: %d %s", f.name, status, said)
	}
}

// demand sets what the channel demands: the usual, but for what f changes.
func (w *world) demand(t testing.TB, f func(*policy.Policy)) {
	t.Helper()
	p := policy.Default()
	f(&p)
	ch, err := w.DB.ChannelByName(t.Context(), w.forge.Name)
	w.check(t, err)
	w.forge, err = w.Channels.Change(t.Context(), audit.Actor{Kind: audit.Operator}, ch, channel.Revision{Attestations: &p})
	w.check(t, err)
}

// hurt runs a statement that changes exactly one row.
func (w *world) hurt(t testing.TB, query string, args ...any) {
	t.Helper()
	driver, address := "sqlite", "file:"+filepath.Join(w.Data, "sluice.db")+"?_pragma=busy_timeout(10000)"
	if w.Address != "" {
		driver, address = "pgx", w.Address
	}
	d, err := sql.Open(driver, address)
	w.check(t, err)
	defer func() { _ = d.Close() }()
	res, err := d.ExecContext(t.Context(), query, args...)
	w.check(t, err)
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%s changed %d rows: %v", query, n, err)
	}
}

// blob is where the bytes of a file lie.
func (w *world) blob(f file) string {
	name := fmt.Sprintf("%x", sha256.Sum256(f.body))
	return filepath.Join(w.Data, "blobs", name[:2], name[2:])
}

// own is what looks at the data of the server.
func (w *world) own(t testing.TB) *verify.Own {
	t.Helper()
	blobs := w.blobs(t)
	return &verify.Own{Store: w.DB, Blobs: blobs, Packages: check.New(w.DB, blobs), Attest: w.checker(t), URL: w.URL}
}

func (w *world) blobs(t testing.TB) *blob.Folder {
	t.Helper()
	root, err := os.OpenRoot(w.Data)
	w.check(t, err)
	t.Cleanup(func() { _ = root.Close() })
	blobs, err := blob.NewFolder(root, w.DB.Referenced)
	w.check(t, err)
	return blobs
}

func (w *world) checker(t testing.TB) *attest.Checker {
	t.Helper()
	p, err := attest.NewProfile("ours", w.instance.Root)
	w.check(t, err)
	return attest.NewChecker(p)
}

// look tells of each file its verdict and the codes of what is wrong, in the order in which they are told.
func look(t testing.TB, channel func(ctx context.Context, hand func(verify.Report) error) error) (lines []string, reports []verify.Report) {
	t.Helper()
	err := channel(t.Context(), func(r verify.Report) error {
		line := fmt.Sprintf("%s %s", strings.TrimSuffix(r.File, "-1.0-0.conda"), r.Verdict)
		for _, f := range r.Failures {
			line += " " + f.Code
		}
		lines, reports = append(lines, line), append(reports, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, reports
}
