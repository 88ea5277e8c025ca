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

func TestAttestedWords(t *testing.T) {
	page := Package(frame(""), attestedPackage())
	says(t, page, "4 of 5 files carry an attestation, which this server checked when it came; 1 does not.", "attested", "Signed by", "Signed by, attestation 1 of 2",
		"none in particular: the same attestation could stand in any channel", "no: a run of a trusted publisher of this channel",
		"An attestation proves which run signed. It does not prove that what the run built is good.",
		"sluice attestation check ripgrep-15.1.0-h7f3a2c1_0.conda --issuer https://token.actions.githubusercontent.com --identity https://github.com/acme/forge/.github/workflows/build.yml@refs/heads/main"+
			" --channel https://conda.acme.dev/forge",
		"--trusted-root trusted_root.json", "12 <U+202E><b>")
	got := hrefs(t, page)
	for _, want := range []string{"https://search.sigstore.dev/?logIndex=456119071", "/forge/linux-64/ripgrep-15.1.0-h7f3a2c1_0.conda.sigs"} {
		if !slices.Contains(got, want) {
			t.Errorf("page has no link to %s", want)
		}
	}
	for _, to := range got {
		if strings.Contains(to, "logIndex=12") {
			t.Errorf("page links to %s, made of text that was not checked", to)
		}
	}
}

// What holds no more is said in words, counts for no file, and is not said of what holds.
func TestDistrustedWords(t *testing.T) {
	v := distrustedPackage()
	says(t, Package(frame(""), v), "3 of 5 files carry an attestation, which this server checked when it came; 2 do not.", "1 file carries an attestation that is no longer trusted.",
		"No longer trusted since ", "have changed, and by the new ones, 7b7b7b7b7b7b, it does not hold: ", "here <b>.", "What stands below was found when it came.")
	v.Files = v.Files[:1]
	says(t, Package(frame(""), v), "No file of this version carries an attestation that holds.", "no longer trusted")
	if got := readPage(t, Package(frame(""), attestedPackage())); strings.Contains(got, "longer trusted") {
		t.Error("a page of what holds speaks of what holds no more")
	}
}

func ExampleVersionPath() {
	fmt.Println(VersionPath("forge", "ripgrep", "1!15.1.0+a"))
	// Output: /channels/forge/packages/ripgrep/versions/1%2115.1.0+a
}
