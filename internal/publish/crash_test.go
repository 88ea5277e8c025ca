package publish_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/access"
	"sluice/internal/account"
	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/audit"
	"sluice/internal/blob"
	"sluice/internal/channel"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/build"
	"sluice/internal/db"
	"sluice/internal/fault"
	"sluice/internal/index"
	"sluice/internal/publish"
	"sluice/internal/token"
)

// site is the data folder of a server, and what is taken pictures of.
type site struct {
	dir   string
	db    *db.DB
	blobs blob.Store
	// pictures are copies of the folder, taken at each step of an upload: what a crash there would leave.
	pictures []picture
}

type picture struct{ step, dir string }

func open(t *testing.T, dir string) *site {
	t.Helper()
	d, err := db.OpenSQLite(t.Context(), filepath.Join(dir, "sluice.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	blobs, err := blob.NewFolder(root, d.Referenced)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &site{dir: dir, db: d, blobs: blobs}
}

func (s *site) picture(t *testing.T, step string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	s.pictures = append(s.pictures, picture{step, dir})
}

// watchedStore takes pictures around the transaction.
type watchedStore struct {
	publish.Store
	t *testing.T
	s *site
}

func (w watchedStore) Publish(ctx context.Context, all []publish.Commit) ([]publish.Result, error) {
	w.s.picture(w.t, "kept, not committed")
	out, err := w.Store.Publish(ctx, all)
	w.s.picture(w.t, "transaction over, hold not ended")
	return out, err
}

// An upload that ends at any of its steps shows everything or nothing after the next start, and leaves
// nothing behind. Inside of the steps it is the same: blob's own tests go through each system call, and a
// transaction is the database's.
func TestCrashBetweenTheSteps(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	right, ch := found(t, s)
	uploads := publish.New(publish.Config{
		Blobs: s.blobs, Store: watchedStore{s.db, t, s}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Limits: artifact.DefaultLimits(), MaxSize: 1 << 20,
	})
	first, other := pkg(t, "MIT"), pkg(t, "GPL")
	s.upload(t, uploads, ch, right, first, "")
	before := len(s.pictures)
	s.upload(t, uploads, ch, right, other, fault.Exists)
	for i, p := range s.pictures {
		again := open(t, p.dir)
		var want []string
		// The first upload counts from its commit on, the refused one never.
		if i >= before || p.step != "received" && p.step != "kept, not committed" {
			want = []string{sum(first)}
		}
		if got := again.stored(t); !slices.Equal(got, want) {
			t.Errorf("%d, %s: blobs %q, want %q", i, p.step, got, want)
		}
		if got := again.listed(t, ch); got != len(want) {
			t.Errorf("%d, %s: %d files are listed, want %d", i, p.step, got, len(want))
		}
		if left, err := os.ReadDir(filepath.Join(p.dir, "staging")); err != nil || len(left) > 0 {
			t.Errorf("%d, %s: staging holds %v (%v)", i, p.step, left, err)
		}
	}
	if len(s.pictures) != 8 {
		t.Errorf("%d pictures, want 8", len(s.pictures))
	}
}

// Attestations that come later are there, and in the record, or neither, wherever the server ends.
func TestCrashWhileAttesting(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	right, ch := found(t, s)
	body, instance := pkg(t, "MIT"), attesttest.New(t)
	profile, err := attest.NewProfile("ours", instance.Root)
	if err != nil {
		t.Fatal(err)
	}
	uploads := publish.New(publish.Config{
		Blobs: s.blobs, Store: watchedStore{s.db, t, s}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Limits: artifact.DefaultLimits(), MaxSize: 1 << 20,
		URL: "https://conda.example.com", Attest: attest.NewChecker(profile), Signers: anybody{},
	})
	s.upload(t, uploads, ch, right, body, "")
	before := len(s.pictures)
	bundle := instance.Sign(attesttest.Signing{
		PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(tide, sha256.Sum256(body), "https://conda.example.com/forge"),
		URIs: []string{attesttest.Job()[9]}, Extensions: attesttest.Job(), At: time.Now(),
	})
	if _, err := uploads.AddAttestations(t.Context(), ch, right, conda.Noarch(), tideFile(t), bundle); err != nil {
		t.Fatal(err)
	}
	after := s.pictures[before:]
	for i, p := range after {
		again := open(t, p.dir)
		want := i // of the two the second is taken after the transaction
		side, err := again.db.Sidecar(t.Context(), mainOf(ch), tideFile(t), nil)
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		if rows := strings.Count(string(side.Body), "mediaType"); rows != want {
			t.Errorf("%s: %d attestations, want %d", p.step, rows, want)
		}
		report, err := check.New(again.db, again.blobs).Channel(t.Context(), ch, check.Options{})
		if err != nil || report.Differences() != 0 {
			t.Errorf("%s: the index differs from what is stored: %v, %v", p.step, report, err)
		}
	}
	if len(after) != 2 {
		t.Errorf("%d pictures, want 2", len(after))
	}
}

// anybody lets every run publish everything.
type anybody struct{}

func (anybody) ByPublisher(context.Context, int64, fulcio.Signer, string, conda.Subdir) error {
	return nil
}

const tide = "tide-1.0-0.conda"

func tideFile(t *testing.T) conda.Filename {
	t.Helper()
	f, err := conda.ParseFilename(tide)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mainOf(ch channel.Channel) index.Place {
	return index.Place{ChannelID: ch.ID, Label: conda.MainLabel(), Subdir: conda.Noarch()}
}

// upload goes through one upload and takes pictures of it; code is how it is refused.
func (s *site) upload(t *testing.T, u *publish.Uploads, ch channel.Channel, right access.Right, body []byte, code fault.Code) {
	t.Helper()
	got, err := u.Receive(t.Context(), publish.Announced{File: tideFile(t)}, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	s.picture(t, "received")
	if _, err = got.Publish(t.Context(), ch, right); code == "" && err != nil || code != "" && !fault.Is(err, code) {
		t.Fatalf("publish: %v, want %q", err, code)
	}
	s.picture(t, "over")
}

// found makes an account with a token, and a channel.
func found(t *testing.T, s *site) (access.Right, channel.Channel) {
	t.Helper()
	accounts := &account.Accounts{Store: s.db, Tokens: s.db, Log: s.db, Now: time.Now, Passwords: account.NewPasswords(1)}
	ann, err := accounts.Create(t.Context(), audit.Actor{}, "ann", "", false, token.Token{})
	if err != nil {
		t.Fatal(err)
	}
	_, kept, err := accounts.CreateToken(t.Context(), audit.Actor{}, ann, account.NewToken{Name: "laptop", Scopes: []account.Scope{account.Upload}})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := (&channel.Channels{Store: s.db, Now: time.Now}).Create(t.Context(), audit.Actor{}, ann.ID, "forge", channel.Public, "")
	if err != nil {
		t.Fatal(err)
	}
	return access.Right{User: &ann, APIToken: &kept}, ch
}

func pkg(t *testing.T, license string) []byte {
	t.Helper()
	b, err := build.Package{Name: "tide", Version: "1.0", Build: "0", Subdir: "noarch", Noarch: "generic", License: license}.Conda()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return string(s[:])
}

// stored is the digests of all blobs.
func (s *site) stored(t *testing.T) (out []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sum(b))
	}
	return out
}

// listed is how many files the index of the channel lists.
func (s *site) listed(t *testing.T, ch channel.Channel) int {
	t.Helper()
	l, _, err := s.db.Pieces(t.Context(), mainOf(ch), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return int(l.Totals[index.Shards].Members)
}
