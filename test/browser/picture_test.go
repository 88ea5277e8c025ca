package browser_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/account"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda/build"
	"sluice/internal/config"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/token"
	"sluice/internal/trust"
	"sluice/test/browser"
)

// picture is the one of the README. It is made anew by "make picture" alone, so that a test run does
// not change a file of the repository.
const picture = "../../docs/images/package.png"

// limits of the picture.
const (
	pictureWidth, pictureHeight = 1248, 1086
	maxPicture                  = 200_000
)

// TestBrowserPicture takes the picture of a package's page as a forge of some months has it.
func TestBrowserPicture(t *testing.T) {
	file := filepath.Join(shots, "readme-package.png")
	if os.Getenv("SLUICE_PICTURE") != "" {
		file = picture
	}
	f := newForge(t)
	tab := browser.Open(t, false)
	tab.Go(f.URL+"/channels/forge/packages/ripgrep", 200)
	tab.Says("conda.acme.dev", "Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on main.", "2 hours ago", "14.1.1")
	tab.Shoot(file, browser.Look{Width: pictureWidth}, pictureHeight)
	if info, err := os.Stat(file); err != nil || info.Size() > maxPicture {
		t.Errorf("%s: %v bytes, want at most %d (%v)", file, info.Size(), maxPicture, err)
	}
}

// forge is a server with a history.
type forge struct {
	*servertest.Server
	t   *testing.T
	now *atomic.Int64
}

func newForge(t *testing.T) *forge {
	f := &forge{t: t, now: &atomic.Int64{}}
	f.Server = servertest.New(t, servertest.Options{
		Configure: func(c *config.Config) { c.URL = "https://conda.acme.dev" },
		Now:       func() time.Time { return time.Unix(f.now.Load(), 0).UTC() },
	})
	f.at(2026, 6, 18, 9)
	mara, err := f.Accounts.Create(t.Context(), audit.Actor{Kind: audit.Operator}, "mara", "", false, token.Token{})
	if err != nil {
		t.Fatal(err)
	}
	ch := f.Channel(t, mara, "forge", channel.Public)
	f.Publisher(t, ch, trust.PublisherSpec{Conditions: trust.Conditions{Environment: "release"}})
	five := []string{"linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64"}
	f.byHand(mara, "13.0.0", "linux-64")
	for i, r := range []struct {
		version     string
		month, day  int
		subdirs     []string
		run, commit string
	}{
		{"14.0.3", 7, 2, five[:4], "811", "5e0c9d2"}, {"14.1.0", 8, 18, five, "902", "77b2c40"}, {"14.1.1", 9, 2, five, "961", "d03fe18"},
		{"15.0.0", 11, 12, five, "1199", "0c5d9aa"}, {"15.1.0", 11, 23, five, "1234", "abc1234"},
	} {
		f.at(2026, time.Month(r.month), r.day, 12)
		f.publish(r.version, r.run, r.commit, i, r.subdirs...)
	}
	f.at(2026, 11, 23, 14)
	return f
}

func (f *forge) at(year int, month time.Month, day, hour int) {
	f.now.Store(time.Date(year, month, day, hour, 2, 41, 0, time.UTC).Unix())
}

func (f *forge) ripgrep(version, subdir string) build.Package {
	return build.Package{
		Name: "ripgrep", Version: version, Build: "h" + hashes[subdir] + "_0", Subdir: subdir, License: "MIT OR Unlicense", Noise: int64(1_700_000 + 41_000*len(subdir)),
		TimestampMS: (f.now.Load() - 240) * 1000, Depends: []string{"pcre2 >=10.44,<10.45.0a0"},
		About: build.About{
			Summary: "Search a directory tree for lines that match a pattern, fast, and skip what git ignores.", Home: "https://github.com/BurntSushi/ripgrep",
		},
	}
}

// publish lets a run of the workflow publish a version.
func (f *forge) publish(version, run, commit string, n int, subdirs ...string) {
	ctx := f.t.Context()
	number := 0
	for _, digit := range run {
		number = 10*number + int(digit-'0')
	}
	job := f.Job(standin.Run{Owner: "acme", Repository: "forge", Environment: "release", RunNumber: number, RunID: 10_190_000 + n, SHA: (commit + "def5678abc1234def5678abc1234def56789abcd")[:40]})
	id, err := job.IdentityToken(ctx, "conda.acme.dev")
	if err != nil {
		f.t.Fatal(err)
	}
	bearer, err := job.Mint(ctx, f.URL, id)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, subdir := range subdirs {
		f.upload(bearer, f.ripgrep(version, subdir))
	}
}

// hashes are what builders put into build strings.
var hashes = map[string]string{"linux-64": "7f3a2c1", "linux-aarch64": "21b8e04", "osx-64": "0c5d9aa", "osx-arm64": "93d1c2f", "win-64": "b90cc52"}

// byHand uploads a version with an API token, from the time before there was CI.
func (f *forge) byHand(who account.User, version, subdir string) {
	f.upload(f.Token(f.t, who, nil, account.Upload), f.ripgrep(version, subdir))
}

func (f *forge) upload(bearer string, p build.Package) {
	body, err := p.Conda()
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.Job(standin.Run{}).Upload(f.t.Context(), f.URL, "forge", bearer, p.Stem()+".conda", body); err != nil {
		f.t.Fatal(err)
	}
}
