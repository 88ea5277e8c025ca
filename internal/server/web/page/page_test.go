package page

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"sluice/internal/server/web/static"
)

// TestPages renders every page in every state and holds what all of them promise. The pages are kept as
// test output, beside their style sheet, so that they can be opened in a browser.
func TestPages(t *testing.T) {
	dir := t.ArtifactDir()
	name, css := static.CSS()
	if err := os.WriteFile(filepath.Join(dir, name), css, 0o600); err != nil {
		t.Fatal(err)
	}
	all := states()
	for _, state := range slices.Sorted(maps.Keys(all)) {
		t.Run(state, func(t *testing.T) {
			out := render(t, all[state])
			if err := os.WriteFile(filepath.Join(dir, state+".html"), out, 0o600); err != nil {
				t.Fatal(err)
			}
			checkDocument(t, out)
			if sent := zipped(t, out) + zipped(t, css); sent > 100<<10 {
				t.Errorf("page and style sheet take %d bytes, want at most 100 KiB", sent)
			}
		})
	}
}

func render(t *testing.T, c templ.Component) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, b []byte) int {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// document is what checks need of a page.
type document struct {
	nodes []*html.Node
	ids   map[string]int
	// labelled are the ids that a label names.
	labelled map[string]bool
}

func parse(t *testing.T, page []byte) document {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	d := document{ids: map[string]int{}, labelled: map[string]bool{}}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		d.nodes = append(d.nodes, n)
		if id := attr(n, "id"); id != "" {
			d.ids[id]++
		}
		if n.Data == "label" && attr(n, "for") != "" {
			d.labelled[attr(n, "for")] = true
		}
	}
	return d
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func inside(n *html.Node, tag string) bool {
	for p := range n.Ancestors() {
		if p.Data == tag {
			return true
		}
	}
	return false
}

// content is the text of n without that of drawings.
func content(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func checkDocument(t *testing.T, page []byte) {
	t.Helper()
	if !bytes.HasPrefix(page, []byte("<!doctype html><html lang=\"en\">")) {
		t.Errorf("page begins with %q", page[:min(60, len(page))])
	}
	d := parse(t, page)
	d.checkStructure(t)
	d.checkPolicy(t)
	for _, n := range d.nodes {
		d.checkNode(t, n)
	}
}

func (d document) checkStructure(t *testing.T) {
	t.Helper()
	for id, n := range d.ids {
		if n > 1 {
			t.Errorf("id %q is used %d times", id, n)
		}
	}
	count := map[string]int{}
	level := 0
	for _, n := range d.nodes {
		count[n.Data]++
		if len(n.Data) == 2 && n.Data[0] == 'h' && '1' <= n.Data[1] && n.Data[1] <= '6' {
			if l := int(n.Data[1] - '0'); l > level+1 {
				t.Errorf("heading %q of level %d follows level %d", content(n), l, level)
			}
			level = int(n.Data[1] - '0')
		}
	}
	for _, tag := range []string{"h1", "main", "title"} {
		if count[tag] != 1 {
			t.Errorf("page has %d of <%s>, want 1", count[tag], tag)
		}
	}
}

// checkPolicy holds what the Content-Security-Policy would block, and what would be a third request.
func (d document) checkPolicy(t *testing.T) {
	t.Helper()
	for _, n := range d.nodes {
		switch n.Data {
		case "script", "style", "iframe", "img", "object", "embed", "base":
			t.Errorf("page has <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
			}
		}
		if n.Data == "form" && !strings.HasPrefix(attr(n, "action"), "/") {
			t.Errorf("form leads to %q", attr(n, "action"))
		}
		if n.Data == "form" && attr(n, "method") == "" && attr(n, "role") != "search" {
			t.Error("a form without method is no search")
		}
	}
}

func (d document) checkNode(t *testing.T, n *html.Node) {
	t.Helper()
	switch n.Data {
	case "a":
		d.checkLink(t, n)
	case "use":
		if id, ok := strings.CutPrefix(attr(n, "href"), "#"); !ok || d.ids[id] == 0 {
			t.Errorf("drawing %q does not exist", attr(n, "href"))
		}
	case "input", "select", "textarea":
		if attr(n, "type") != "hidden" && !d.labelled[attr(n, "id")] && !inside(n, "label") {
			t.Errorf("<%s name=%q> has no label", n.Data, attr(n, "name"))
		}
	case "th":
		if s := attr(n, "scope"); s == "" {
			t.Errorf("table head %q has no scope", content(n))
		}
	case "summary":
		for c := range n.Descendants() {
			if c.Data == "a" {
				t.Error("a row that opens holds a link")
			}
		}
	case "time":
		if attr(n, "datetime") == "" || content(n) == "" {
			t.Errorf("time %q has datetime %q", content(n), attr(n, "datetime"))
		}
	case "h1", "h2", "h3", "button", "option", "label", "title":
		if content(n) == "" {
			t.Errorf("<%s> is empty", n.Data)
		}
	}
	for _, key := range []string{"aria-describedby", "aria-labelledby"} {
		if id := attr(n, key); id != "" && d.ids[id] == 0 {
			t.Errorf("%s names %q, which does not exist", key, id)
		}
	}
}

func (d document) checkLink(t *testing.T, n *html.Node) {
	t.Helper()
	href := attr(n, "href")
	u, err := url.Parse(href)
	switch {
	case err != nil || href == "" || href == "about:invalid#TemplFailedSanitizationURL":
		t.Errorf("link %q leads to %q", content(n), href)
	case u.Host == "" && u.Path == "" && d.ids[u.Fragment] == 0:
		t.Errorf("link %q leads to %q, which is not on the page", content(n), href)
	case u.Host != "" && attr(n, "rel") != "nofollow ugc":
		t.Errorf("link to %q has rel %q", href, attr(n, "rel"))
	case u.Host == "" && u.Path != "" && !strings.HasPrefix(u.Path, "/"):
		t.Errorf("link %q leads to %q", content(n), href)
	}
	if content(n) == "" && attr(n, "aria-label") == "" {
		t.Errorf("link to %q has no words", href)
	}
	if has(n, "target") {
		t.Errorf("link to %q opens a window", href)
	}
}

// says fails unless the text of the page, with white space folded, holds every one of the parts.
func says(t *testing.T, c templ.Component, parts ...string) {
	t.Helper()
	got := readPage(t, c)
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("page does not say %q:\n%s", p, got)
		}
	}
}

func saysNot(t *testing.T, c templ.Component, parts ...string) {
	t.Helper()
	got := readPage(t, c)
	for _, p := range parts {
		if strings.Contains(got, p) {
			t.Errorf("page says %q", p)
		}
	}
}

// readPage is the text of the page's main part.
func readPage(t *testing.T, c templ.Component) string {
	t.Helper()
	d := parse(t, render(t, c))
	i := slices.IndexFunc(d.nodes, func(n *html.Node) bool { return n.Data == "main" })
	return strings.Join(strings.Fields(content(d.nodes[i])), " ")
}

func hrefs(t *testing.T, c templ.Component) []string {
	t.Helper()
	var list []string
	for _, n := range parse(t, render(t, c)).nodes {
		if n.Data == "a" {
			list = append(list, attr(n, "href"))
		}
	}
	return list
}

func TestAttemptsOnlyForOwners(t *testing.T) {
	v := publishersView()
	says(t, Publishers(frame("mara"), v), "acme/tidewatch", "9 times since", "Add a publisher", "Allow this", "Confirm the move", "What is new")
	v.MayManage = false
	saysNot(t, Publishers(frame("jo"), v), "acme/tidewatch", "Add a publisher", "Remove", "Refused", "release.yaml", "Allow this", "What is new", "Edit", "Switch off", "Narrow", "Last exchanges")
}

func TestConfirmSendsTheRuleShown(t *testing.T) {
	v := publishersView()
	v.Form.Rule, v.Form.Confirm = rule(), true
	for _, n := range parse(t, render(t, Publishers(frame("mara"), v))).nodes {
		if attr(n, "name") == "confirmed" {
			if got, want := attr(n, "value"), "Runs of build.yml in acme/tidewatch may publish every package of forge"; got != want {
				t.Errorf("confirmed = %q, want %q", got, want)
			}
			return
		}
	}
	t.Error("the form confirms nothing")
}

func TestSetupHasNoFormWithoutTheSecret(t *testing.T) {
	for state, want := range map[SetupState]bool{SetupLocked: false, SetupOpen: true, SetupDone: false} {
		got := bytes.Contains(render(t, Setup(frame(""), SetupView{State: state})), []byte("<form"))
		if got != want {
			t.Errorf("state %d: form = %v, want %v", state, got, want)
		}
	}
}

func TestMadeTokenIsShownOnce(t *testing.T) {
	v := tokensView()
	v.Made = &MadeToken{ID: "4", Name: "x", Secret: "sluice-api-SECRET"}
	if got := bytes.Count(render(t, Tokens(frame("mara"), v)), []byte("SECRET")); got != 1 {
		t.Errorf("the token stands %d times on the page, want 1", got)
	}
}

func TestProvenanceLinks(t *testing.T) {
	got := hrefs(t, Package(frame("mara"), packageView()))
	for _, want := range []string{
		"https://github.com/acme/forge",
		"https://github.com/acme/forge/actions/runs/10191234/attempts/1",
		"https://github.com/acme/forge/commit/abc1234def5678abc1234def5678abc1234def56",
		"https://github.com/acme/forge/blob/abc1234def5678/.github/workflows/build.yml",
		"/channels/forge/publishers/1",
		"/forge/linux-64/ripgrep-15.1.0-h7f3a2c1_0.conda",
		"/api/v1/channels/forge/packages/linux-64/ripgrep-15.1.0-h7f3a2c1_0.conda",
		"/channels/forge/packages/ripgrep/versions/14.1.1#in-linux-64",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("page has no link to %s", want)
		}
	}
}

func TestPackageWords(t *testing.T) {
	says(t, Package(frame("mara"), packageView()),
		"Published by build.yml of acme/forge, run 1234 attempt 1, commit abc1234 on main. No stored key was used.",
		"the same for all 5 files", "15.0.0 came the same way")
	says(t, Package(frame("mara"), tokenPackage()),
		"Uploaded by mara with the API token ci-old. This server cannot say where it was built.",
		"15.0.0 came from build.yml of acme/forge; this version was uploaded with an API token.", "pixi add ripgrep==14.0.3")
	says(t, Package(frame(""), mixedPackage()), "33 of 35 files by CI", "2 files: linux-64, linux-aarch64", "Uploaded by a member of forge with an API token.")
	if got := readPage(t, Package(frame("mara"), packageView())); !strings.Contains(got, "No file of this version carries an attestation.") || strings.Contains(got, "Signed by") {
		t.Error("the page of what is not attested does not say so")
	}
}

// The verdict says how many of how many, in a tone of its own for each state, and nothing where nothing was ever attested.
func TestVerdict(t *testing.T) {
	single := func(v PackageView) PackageView {
		v.Files = v.Files[:1]
		return v
	}
	token := lostPackage()
	for i := range token.Files {
		token.Files[i].Origin = Origin{}
	}
	distrusted := distrustedPackage()
	distrusted.Files[1].Attestations = distrusted.Files[1].Attestations[:1]
	const means = " Either the workflow no longer signs, or somebody publishes past it: ask the owners of forge, or stay with 15.0.0 until you know."
	for _, tt := range []struct {
		name               string
		v                  PackageView
		tone               tone
		verdict            string
		noticed, noticeHas string
	}{
		{"all", attestedPackage(), told, "5 of 5 files carry an attestation. This server checked each one when it came. See how", "", ""},
		{"the only one", single(attestedPackage()), told, "1 of 1 file carries an attestation. This server checked it when it came. See how", "", ""},
		{"some", partlyAttested(), look, "3 of 5 files carry an attestation. This server checked each one when it came. 2 do not carry one." + means + " See how",
			"Fewer files are attested than of the version before.", "5 of 5 files of 15.0.0 carry an attestation; of this version 3 of 5 do."},
		{"none any more", lostPackage(), look, "None of 5 files carries an attestation. Versions published earlier do, 15.0.0 the last." + means,
			"Not attested, unlike the version before.", "5 of 5 files of 15.0.0 carry an attestation; no file of this version does."},
		{"none any more, nor by CI", token, look, "None of 5 files carries an attestation. Versions published earlier do, 15.0.0 the last." + means,
			"Published another way than the version before.", "uploaded with an API token. 5 of 5 files of 15.0.0 carry an attestation; no file of this version does."},
		{"only such as do not count", uncountedPackage(), look, "None of 2 files carries an attestation that counts here. 2 files carry one that does not; each says why. See how",
			"Not attested, unlike the version before.", "no file of this version does."},
		{"no longer trusted", single(distrustedPackage()), stop, "The attestation of 1 of 1 file is no longer trusted since 23 Nov 2026, 14:03. The keys of a sigstore instance have changed. The only file carries no attestation that holds. See how",
			"Not attested, unlike the version before.", "no file of this version does."},
		{"some no longer trusted", distrusted, stop, "The attestations of 2 of 5 files are no longer trusted since 23 Nov 2026, 14:03. The keys of a sigstore instance have changed. 1 of 5 files carries an attestation that holds. See how",
			"Fewer files are attested than of the version before.", "of this version 1 of 5 does."},
		{"never", packageView(), quiet, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tone, bold, rest := tt.v.verdict()
			if got := bold + read(rest); got != tt.verdict || tone != tt.tone {
				t.Errorf("verdict = %s %q, want %s %q", tone, got, tt.tone, tt.verdict)
			}
			if bold, rest := tt.v.notice(); bold != tt.noticed || !strings.HasSuffix(rest, tt.noticeHas) {
				t.Errorf("notice = %q, %q; want %q, …%q", bold, rest, tt.noticed, tt.noticeHas)
			}
			if bold != "" {
				says(t, Package(frame(""), tt.v), bold)
				saysNot(t, Package(frame(""), tt.v), "No file of this version carries an attestation.")
			}
		})
	}
}

// A file without an attestation is marked where files before it have one, and says what that means; what was never attested, or
// carries one that holds no more, is not.
func TestStepBack(t *testing.T) {
	const mark, note = "attestation missing", "Earlier files of ripgrep are attested, this one is not. Either the workflow no longer signs, or somebody publishes past it: ask the owners of forge, or "
	all := lostPackage()
	says(t, Package(frame(""), all), mark, note+"stay with 15.0.0 until you know.", "What to make of it")
	some := partlyAttested()
	for i := range some.Files {
		some.Files[i].StepsBack = some.Version
	}
	some.Before = nil
	if got := strings.Count(readPage(t, Package(frame(""), some)), mark); got != 2 {
		t.Errorf("%d files are marked, want the two without an attestation", got)
	}
	says(t, Package(frame(""), some), note+"take a file that is attested.")
	for _, v := range []PackageView{packageView(), attestedPackage(), uncountedPackage(), distrustedPackage()} {
		for i := range v.Files {
			if len(v.Files[i].Attestations) > 0 {
				v.Files[i].StepsBack = "15.0.0"
			}
		}
		saysNot(t, Package(frame(""), v), mark, "Earlier files of")
	}
}

// Who signed is measured by who uploaded, and what does not count says why.
func TestSignerWarning(t *testing.T) {
	ci, token := run("acme/forge", "build.yml", "1", "1"), Origin{}
	of := func(change func(*Attested)) Attested {
		a := signed()
		change(&a)
		return a
	}
	denied := func(a *Attested) { a.Counts, a.Why = false, "It is denied." }
	publisher := func(a *Attested) { a.ByRun, a.ByPublisher = false, true }
	other := func(a *Attested) { a.ByRun = false }
	const another = "Signed by another run than the one that uploaded it."
	for _, tt := range []struct {
		name string
		a    Attested
		o    Origin
		want string
	}{
		{"by the run", signed(), ci, ""},
		{"by the run, contents", of(func(a *Attested) { a.Counts, a.Predicate = false, "https://spdx.dev/Document" }), ci, ""},
		{"by the run, denied", of(denied), ci, "Does not count here. It is denied."},
		{"by a publisher's run", of(publisher), ci, another + " A trusted publisher of this channel lets that run in, too."},
		{"by a publisher's run, denied", of(func(a *Attested) { publisher(a); denied(a) }), ci, another + " It does not count here. It is denied."},
		{"by a publisher's run, token", of(publisher), token, ""},
		{"by a publisher's run, token, denied", of(func(a *Attested) { publisher(a); denied(a) }), token, "Does not count here. It is denied."},
		{"by another", of(func(a *Attested) { other(a); denied(a) }), ci, another + " No demand of this channel is satisfied by it."},
		{"by another, taken", of(other), ci, another + " This channel takes what anybody has signed."},
		{"by another, token", of(func(a *Attested) { other(a); denied(a) }), token, "Signed by a run that no trusted publisher of this channel lets in. No demand of this channel is satisfied by it."},
		{"no longer trusted", of(func(a *Attested) { other(a); a.Distrusted = &Distrusted{} }), ci, ""},
	} {
		if bold, rest := tt.a.warning(tt.o); bold+rest != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, bold+rest, tt.want)
		}
	}
}

func TestAttestedWords(t *testing.T) {
	page := Package(frame(""), partlyAttested())
	says(t, page, "attested", "not attested", "Signed by", "Attestation 1 of 4", "this file was published (CEP 27)", "how this file was built (SLSA provenance v1)", "https://acme.dev/contents/v2",
		"no channel in particular: the same attestation could stand in any", "no, a run of a trusted publisher of this channel", "yes, the run that uploaded signed it",
		"Signed by another run than the one that uploaded it.", "signature, log entry and statement checked by this server, sigstore instance sigstore", "signature and log entry checked by this server, sigstore instance sigstore",
		"An attestation proves which run signed. It does not prove that what the run built is good",
		`sluice attestation check \ --issuer https://token.actions.githubusercontent.com \ --identity https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main`+
			` \ --channel https://conda.acme.dev/forge \ ripgrep-15.1.0-h7f3a2c1_0.conda`,
		"12 <U+202E><b>")
	says(t, Package(frame(""), attestedPackage()), "5 of 5 files carry an attestation.", "by CI, attestation verified")
	got := hrefs(t, page)
	for _, want := range []string{
		"https://search.sigstore.dev/?logIndex=456119071", "/forge/linux-64/ripgrep-15.1.0-h7f3a2c1_0.conda.sigs",
		"/api/v1/channels/forge/packages/linux-aarch64/ripgrep-15.1.0-h7f3c1b0_0.conda/attestations/4", "https://github.com/acme/forge/actions/runs/9876543210/attempts/1",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("page has no link to %s", want)
		}
	}
	for _, to := range got {
		if strings.Contains(to, "logIndex=12") {
			t.Errorf("page links to %s, made of text that was not checked", to)
		}
	}
	private := partlyAttested()
	for i := range private.Files {
		for j := range private.Files[i].Attestations {
			private.Files[i].Attestations[j].Instance = "ours"
		}
	}
	says(t, Package(frame(""), private), "--trusted-root trusted_root.json")
}

// Each program is handed the whole of what it needs; cosign only where there is a log entry to look at.
func TestCheckThisYourself(t *testing.T) {
	v := attestedPackage()
	v.Files = v.Files[:1]
	const (
		file   = "ripgrep-15.1.0-h7f3a2c1_0.conda"
		bundle = `-o ` + file + `.sigstore.json \ https://conda.acme.dev/api/v1/channels/forge/packages/linux-64/` + file + `/attestations/1`
		cosign = `cosign verify-blob-attestation \ --bundle ` + file + `.sigstore.json \ --certificate-identity https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main \ ` +
			`--certificate-oidc-issuer https://token.actions.githubusercontent.com \ --type https://schemas.conda.org/attestations-publish-1.schema.json \ `
	)
	says(t, Package(frame(""), v), `curl -fL -O https://conda.acme.dev/forge/linux-64/`+file, `curl -fL `+bundle, cosign+file)
	v.Private = true
	says(t, Package(frame(""), v), `curl -fL -H "Authorization: Bearer $SLUICE_TOKEN" `+bundle, "SLUICE_TOKEN is a token that may read forge")
	v.Files[0].Attestations[0].Instance = "ours"
	says(t, Package(frame(""), v), cosign+`--trusted-root trusted_root.json \ `+file)
	v.Files[0].Attestations[0].Log = ""
	saysNot(t, Package(frame(""), v), "cosign")
}

// What holds no more is said in words, and is not said of what holds.
func TestDistrustedWords(t *testing.T) {
	says(t, Package(frame(""), distrustedPackage()), "No longer trusted since ", "have changed, and by the new ones, 7b7b7b7b7b7b, it does not hold: ", "here <b>.", "What stands below was found when it came.")
	saysNot(t, Package(frame(""), partlyAttested()), "longer trusted")
}

// A cell shows its worst build: a disc only where CI built all of them and all are attested.
func TestCellMark(t *testing.T) {
	for want, c := range map[string]Cell{
		"by CI, attestation verified":           {ByCI: 1, Attested: 1},
		"by CI, attestation verified, 2 builds": {ByCI: 2, Attested: 2},
		"by CI, 2 builds":                       {ByCI: 2, Attested: 1},
		"by CI":                                 {ByCI: 1},
		"with an API token, 2 builds":           {ByCI: 1, Attested: 1, ByToken: 1},
		"imported, 2 builds":                    {ByCI: 1, Attested: 1, Imported: 1},
		"yanked":                                {ByCI: 1, Attested: 1, Yanked: 1},
	} {
		if got := c.words("14.1.1", "linux-64"); got != "14.1.1, linux-64, "+want {
			t.Errorf("%+v reads %q, want …%q", c, got, want)
		}
	}
}

func ExampleVersionPath() {
	fmt.Println(VersionPath("forge", "ripgrep", "1!15.1.0+a"))
	// Output: /channels/forge/packages/ripgrep/versions/1%2115.1.0+a
}
