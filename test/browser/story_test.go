package browser_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/cijob"
	"sluice/internal/conda/build"
	"sluice/internal/servertest"
	"sluice/internal/standin"
	"sluice/internal/token"
	"sluice/test/browser"
)

// shots is where the pictures go.
const shots = "../out/screenshots"

// story is the person of the story at the browser.
type story struct {
	*browser.Tab
	server *servertest.Server
	t      *testing.T
}

// page looks at the page that is shown: it keeps pictures under the name, light and dark, wide and narrow, and
// makes sure that nothing has to be scrolled sideways.
func (s story) page(name string) {
	s.Helper()
	for _, l := range []browser.Look{{Width: 390, Dark: true}, {Width: 390}, {Width: 1440, Dark: true}, {Width: 1440}} {
		light, size := "light", "wide"
		if l.Dark {
			light = "dark"
		}
		if l.Width == 390 {
			size = "narrow"
		}
		s.Shoot(filepath.Join(shots, name+"-"+light+"-"+size+".png"), l, 0)
	}
	for _, width := range []int64{320, 390, 768, 1440} {
		s.Fits(width)
	}
}

// TestBrowserStory is the first paragraph of what Sluice is for, clicked through by somebody who has just started
// a server: from the one-time link to a package whose page names the run that published it, and to the run that
// was refused. No page runs a script, because the browser lets none.
func TestBrowserStory(t *testing.T) {
	server := servertest.New(t, servertest.Options{})
	s := story{browser.Open(t, false), server, t}

	s.Go(server.URL+"/", 200)
	s.Says("Nothing is published here yet")
	s.page("01-fresh")
	s.Click("Sign in")
	s.Says("There is no account yet.")
	s.page("02-sign-in-nobody")

	s.setUp()
	s.makeChannel()
	s.addPublisher()
	s.publish()
	s.refuse()
	s.change()
	s.lookAround()
	s.signOutAndIn()
	s.tokens()
	s.takeBack()
	s.label()
	s.remove()

	host := strings.TrimPrefix(server.URL, "http://")
	s.Clean(host, strings.TrimPrefix(server.CI.URL(), "http://"))
}

// setUp opens the one-time link and makes the first account.
func (s story) setUp() {
	s.Go(s.server.URL+"/setup", 200)
	s.Says("sluice admin user add NAME --admin")
	s.page("03-setup-locked")
	link, err := s.server.Accounts.SetupLink(s.t.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.Go(s.server.URL+"/setup?secret="+link.Reveal(), 200)
	s.page("04-setup")
	s.Fill("Name", "mara", "Password", "too short")
	s.ClickFor("Make the account", 422)
	s.Says("at least 10 characters")
	s.page("05-setup-wrong")
	s.Fill("Password", servertest.Password)
	s.Click("Make the account")
	s.Says("This server has no channel yet", "mara")
	s.page("06-home-no-channel")
	s.Go(s.server.URL+"/setup?secret="+link.Reveal(), 200)
	s.Says("It has an account already")
	s.page("07-setup-done")
}

func (s story) makeChannel() {
	s.Go(s.server.URL+"/", 200)
	s.Click("Make a channel")
	s.page("08-new-channel")
	s.Fill("Name", "linux-64")
	s.ClickFor("Make the channel", 422)
	s.Says("clients would take it for a subdir")
	s.page("09-new-channel-wrong")
	s.Fill("Name", "forge", "Description", "Command line tools and libraries that Acme builds for every platform it ships on.")
	s.Click("Make the channel")
	s.Says("Nothing is published here yet", "0 keys stored")
	s.page("10-channel-empty")
}

// addPublisher fills the form as people do, with what stands in another window's address bar.
func (s story) addPublisher() {
	s.Click("Add a trusted publisher")
	s.Says("Nobody can publish without a key yet", "No bootstrap token is needed")
	s.page("11-publishers-none")
	s.Fill("Owner", "https://github.com/acme/forge/actions", "Repository", "forge", "Workflow file", ".github/workflows/build yml")
	s.ClickFor("Add publisher", 422)
	s.Says("Needs the name of a file in .github/workflows")
	s.page("12-publishers-wrong")
	s.Fill("Workflow file", "https://github.com/acme/forge/blob/main/.github/workflows/build.yml")
	s.Click("Add publisher")
	s.Says("Nothing was saved yet.", "We understood: owner acme, repository forge, workflow file build.yml.", "Runs of build.yml in acme/forge may publish every package of forge")
	s.page("13-publishers-confirm")
	s.Fill("Environment", "release")
	s.Click("Add publisher")
	s.Says("Nothing was saved yet.", "with environment release")
	s.Click("Add publisher")
	s.Says("acme/forge, build.yml may publish now.", "No run has asked yet.", "id-token: write")
	s.page("14-publishers-added")
	if address := s.Address(); !strings.HasSuffix(address, "/channels/forge/publishers/1#publisher-1") {
		s.Errorf("after adding the browser is at %s", address)
	}
	s.Click("As plain text")
	s.Says("environment: release", "--channel forge")
}

// publish lets a run of the workflow publish, and follows its package's page to the run.
func (s story) publish() {
	job := s.run(standin.Run{Workflow: "build.yml", Environment: "release", RunNumber: 1234, RunID: 10191234})
	files := packages(s.t)
	if err := cijob.New(job.Env()).Publish(s.t.Context(), s.server.URL, "forge", files); err != nil {
		s.Fatal(err)
	}
	for name := range files {
		job.Log("uploaded " + name)
	}
	s.Go(s.server.URL+"/forge", 200) // as people type it
	s.Says("tidelib", "5 packages", "0 keys stored", "build.yml")
	s.page("15-channel")
	s.Fill("Name or word", "ripgrep")
	s.Click("Filter")
	s.Says("1–1 of 1")
	s.page("16-channel-filter")
	s.Click("ripgrep")
	s.Says("Published by build.yml of acme/forge, run 1234 attempt 1, commit "+job.SHA[:7]+" on main.", "No stored key was used.", "pixi add ripgrep")
	s.Unfold("osx-arm64")
	s.Says("Trusted publisher", "SHA-256")
	s.page("17-package")
	if commit := s.Href(job.SHA[:7]); commit != s.server.CI.URL()+"/acme/forge/commit/"+job.SHA {
		s.Errorf("the commit leads to %s", commit)
	}
	s.Click("run 1234")
	if s.Address() != job.PageURL() {
		s.Errorf("the run leads to %s, want %s", s.Address(), job.PageURL())
	}
	s.Says("Run 1234, attempt 1", "uploaded ripgrep-15.1.0-h7f3a2c1_0.conda")
	s.Go(s.server.URL+"/channels/forge/packages/tidelib", 200)
	s.page("18-package-needs")
	s.Click("Versions 1")
	s.page("19-versions")
}

func (s story) run(r standin.Run) *standin.Job {
	r.Owner, r.Repository = "acme", "forge"
	return s.server.CI.Start(r)
}

// refuse lets the same repository try with another workflow file, twice.
func (s story) refuse() {
	for n := range 2 {
		job := cijob.New(s.run(standin.Run{Workflow: "release.yml", Environment: "release", RunNumber: 88 + n, RunID: 1019088 + n}).Env())
		if err := job.Publish(s.t.Context(), s.server.URL, "forge", nil); err == nil || !strings.Contains(err.Error(), "workflow_mismatch") {
			s.Fatalf("another workflow file: %v", err)
		}
	}
	s.Go(s.server.URL+"/channels/forge/publishers", 200)
	s.Says("2 times since", "Run 89", "token has release.yml, this publisher wants build.yml", "All else fits, the pinned ids too.", "Last used", "Pinned to owner")
	s.Unfold("Rule by rule")
	s.Says("workflow_ref")
	s.page("20-publishers-refused")
	s.Click("Audit log")
	s.Says("Refused.", "run 89", "Uploaded osx-arm64/ripgrep-15.1.0-h93d1c2f_0.conda", "mara", "in a browser", "Pinned publisher 1")
	s.page("21-audit")
	s.Choose("Show", "Refusals")
	s.Click("Filter")
	s.Says("2 events")
	s.SaysNot("got a publish token")
	s.page("22-audit-filter")
}

// lookAround sees the other pages as somebody who is not signed in.
func (s story) lookAround() {
	s.Go(s.server.URL+"/", 200)
	s.Says("forge", "of 9 by CI", "build.yml of acme/forge · run 1234")
	s.page("23-home")
	s.Go(s.server.URL+"/search?q=tide", 200)
	s.Says("Packages for “tide”", "in 1 channel")
	s.page("24-search")
	s.Go(s.server.URL+"/search?q=tidlib", 200)
	s.Says("No package matches “tidlib”", "Close to it: tidelib")
	s.page("25-search-none")
	s.Go(s.server.URL+"/channels/forge/packages/ripgre", 404)
	s.Says("There is no package ripgre in forge", "Did you mean ripgrep?")
	s.page("26-not-found")
}

func (s story) signOutAndIn() {
	s.Click("mara")
	s.Says("Your account", "You have no API token")
	s.page("27-tokens-none")
	s.Click("Sign out")
	s.Go(s.server.URL+"/channels/forge/publishers", 401)
	s.Says("Sign in to see this")
	s.page("28-not-signed-in")
	s.Click("Sign in")
	s.page("29-sign-in")
	s.Fill("Name", "mara", "Password", "not the password")
	s.ClickFor("Sign in", 401)
	s.Says("Name and password do not fit.")
	s.page("30-sign-in-wrong")
	s.Fill("Password", servertest.Password)
	s.Click("Sign in")
	s.Says("Who may publish without a key")
}

// tokens makes a token, which is shown once, and revokes it.
func (s story) tokens() {
	s.Click("mara")
	s.Fill("Name", "laptop")
	s.Choose("May", "read and publish")
	s.Choose("Ends after", "7 days")
	s.Click("Make token")
	s.Says("Token laptop is made", "Copy it now.", "in 7 days")
	secret := regexp.MustCompile(token.Pattern).FindString(s.Text())
	if secret == "" {
		s.Fatal("no token is shown")
	}
	s.page("31-token-made")
	s.Go(s.server.URL+"/channels/forge", 200)
	s.Says("1 key can publish here")
	s.Go(s.server.URL+"/account/tokens", 200)
	s.Says("laptop", "1, of which 1 can still be used", "ends soon")
	s.SaysNot(secret)
	s.Click("Revoke laptop")
	s.Says("Revoke laptop?")
	s.page("32-revoke")
	s.Click("Revoke")
	s.Says("revoked")
	s.page("33-tokens")
	s.Go(s.server.URL+"/channels/forge", 200)
	s.Says("0 keys stored")
}

// takeBack yanks everything that a run published, from its line in the audit log, and undoes that.
func (s story) takeBack() {
	s.Go(s.server.URL+"/channels/forge/audit?kind=upload", 200)
	s.Click("Take back what this run published")
	s.Says("Yank 9 files?", "First end the run's publish tokens for this channel", "ripgrep-15.1.0-h7f3a2c1_0.conda")
	s.page("35-take-back")
	s.Fill("Reason", "the run was taken over")
	s.Click("Yank 9 files")
	s.Says("9 files, the newest first", "the run was taken over — by mara", "With all files that match")
	s.page("36-files")
	s.Go(s.server.URL+"/channels/forge/packages/ripgrep", 200)
	s.Says("Yanked.", "the run was taken over. Lock files that name them keep working. No other version is left.", "Take the yanks back")
	s.SaysNot("pixi add")
	s.page("37-package-yanked")
	s.Go(s.server.URL+"/channels/forge/files?state=yanked", 200)
	s.Choose("With all files", "Take the yank back")
	s.Click("Show what would change")
	s.Says("Take back the yank of 9 files?")
	s.Click("Take back the yank of 9 files")
	s.SaysNot("taken over")
	s.Go(s.server.URL+"/channels/forge/packages/ripgrep", 200)
	s.Says("pixi add ripgrep")
}

// label lists a file in a label of its own, which the channel's page then names.
func (s story) label() {
	s.Go(s.server.URL+"/channels/forge/packages/tidewatch", 200)
	s.Unfold("noarch")
	s.Click("List in a label")
	s.Fill("Label", "rc/1")
	s.page("38-which-label")
	s.Click("Show what would change")
	s.Says("List tidewatch-0.9.0rc1-pyhd8ed1ab_0.conda in rc/1?")
	s.Click("List 1 file")
	s.Says("rc/1")
	s.Go(s.server.URL+"/channels/forge", 200)
	s.Says("main · 9 files", "rc/1 · 1 file", s.server.URL+"/forge/label/rc/1")
	s.page("39-channel-labels")
}

// remove takes the publisher away again.
func (s story) remove() {
	s.Go(s.server.URL+"/channels/forge/publishers", 200)
	s.Click("Remove acme/forge, build.yml")
	s.Says("Remove acme/forge, build.yml?", "What was published stays.")
	s.page("34-remove")
	s.Click("Remove publisher")
	s.Says("Nobody can publish without a key yet")
	s.Go(s.server.URL+"/channels/forge/packages/ripgrep", 200)
	s.Says("Published by build.yml of acme/forge")
}

// packages are what the run builds.
func packages(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	add := func(p build.Package) {
		body, err := p.Conda()
		if err != nil {
			t.Fatal(err)
		}
		files[p.Stem()+".conda"] = body
	}
	for subdir, hash := range hashes {
		add(build.Package{
			Name: "ripgrep", Version: "15.1.0", Build: "h" + hash + "_0", Subdir: subdir, License: "MIT OR Unlicense", Noise: 190_000, TimestampMS: 1_787_000_000_000,
			Depends: []string{"pcre2 >=10.44,<10.45.0a0"},
			About:   build.About{Summary: "Search a directory tree for lines that match a pattern, fast, and skip what git ignores.", Home: "https://github.com/BurntSushi/ripgrep"},
		})
	}
	noarch := func(name, version, summary string, depends ...string) {
		add(build.Package{Name: name, Version: version, Build: "pyhd8ed1ab_0", Subdir: "noarch", Noarch: "python", License: "BSD-3-Clause", Depends: depends,
			About: build.About{Summary: summary}})
	}
	noarch("tidelib", "2.4.1", "Tide tables and water levels for Python", "libtide >=2.4,<3", "python >=3.10", "numpy")
	noarch("libtide", "2.4.1", "The part of tidelib that counts")
	noarch("libtide-devel-static-with-openmp-and-mkl-and-every-other-thing", "2.4.1", "Static libtide for the cluster images")
	noarch("tidewatch", "0.9.0rc1", "Rings a bell at high water", "tidelib")
	return files
}
