package page

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What the workflow file stands on. rattler-build names this server in its identity tokens since 0.67.0;
// older ones ask for a token for another service whatever address they upload to.
const (
	checkoutAction     = "actions/checkout@v5"
	rattlerBuildAction = "prefix-dev/rattler-build-action@v0.2.38"
	rattlerBuild       = "v0.74.0"
)

// Workflow is what a ready workflow file is made from.
type Workflow struct {
	// URL is the public URL of this server, Channel the channel to publish to.
	URL, Channel string
	// Provider is the CI service that runs it.
	Provider string
	// Reads says that the runs may only read the channel.
	Reads bool
	// Private says that the build needs a token to read the channel.
	Private bool
	// Repository is "owner/name", File the workflow's name in .github/workflows.
	Repository, File string
	// Environment is the one that the publisher asks for; empty for none.
	Environment string
}

// Text is the workflow file: it builds what the channel does not have yet and publishes it without a stored key.
func (w Workflow) Text() string {
	var b strings.Builder
	for _, l := range w.lines() {
		b.WriteString(read(l.spans) + "\n")
	}
	return b.String()
}

// lines are the same with what was filled in marked. A service without a file of its own, and a reader, get the
// requests to make, as a shell script.
func (w Workflow) lines() []line {
	files := map[string]func() []line{"github": w.github, "gitlab": w.gitlab, "forgejo": w.forgejo}
	if file, ok := files[w.Provider]; ok && !w.Reads {
		return file()
	}
	return w.requests()
}

// builds reports whether the file builds recipes.
func (w Workflow) builds() bool {
	return !w.Reads && (w.Provider == "github" || w.Provider == "gitlab" || w.Provider == "forgejo")
}

// github is a workflow of GitHub Actions.
func (w Workflow) github() []line {
	list := []line{
		comment("# .github/workflows/" + show(w.File) + " in " + show(w.Repository)),
		code("name: publish"),
		code("on:"),
		code("  push:"),
		code("    branches: [main]"),
		code("  workflow_dispatch:"),
		code("permissions:"),
		code("  contents: read"),
		code("jobs:"),
		code("  publish:"),
		code("    runs-on: ubuntu-latest"),
	}
	if w.Environment != "" {
		list = append(list, code("    environment: ", scalar(w.Environment)))
	}
	list = append(list,
		code("    permissions:"),
		code("      contents: read"),
		line{spans: []span{words("      "), {text: "id-token: write", style: accent}, {text: "   # lets the job say who it is", style: remark}}},
		code("    steps:"),
		code("      - uses: "+checkoutAction),
		code("      - uses: "+rattlerBuildAction),
		code("        with:"),
		code("          setup-only: true"),
		line{spans: []span{words("          rattler-build-version: " + rattlerBuild), {text: "   # 0.67.0 or newer", style: remark}}},
	)
	list = append(list, w.readPrivate()...)
	return append(list, w.buildAndPublish()...)
}

// readPrivate is a step that lets the build read the channel that it publishes to, where that needs a token: who may
// publish to a private channel may read it.
func (w Workflow) readPrivate() []line {
	if !w.Private {
		return nil
	}
	list := []line{comment("      # " + show(w.Channel) + " is private: who may publish there may read it, for 30 minutes. Nothing is stored."), code("      - run: |")}
	list = append(list, indented("          ", w.identity())...)
	return append(list, indented("          ", slices.Insert(w.login("$identity"), 1, code(`echo "::add-mask::$token"`)))...)
}

// login exchanges the identity token that a variable of the shell holds, and has rattler-build read with what it gets.
func (w Workflow) login(identity string) []line {
	return []line{
		code(`token=$(curl -sS --fail-with-body --json "{\"token\": \"`+identity+`\"}" `, shell(w.URL+"/api/oidc/mint_token"), ")"),
		code("rattler-build auth login ", shell(hostname(w.URL)), ` --token "$token"`),
	}
}

// indented puts blanks before every line.
func indented(by string, list []line) []line {
	out := make([]line, len(list))
	for i, l := range list {
		out[i] = line{spans: append([]span{words(by)}, l.spans...)}
	}
	return out
}

func (w Workflow) buildAndPublish() []line {
	channel := shell(w.Channel)
	return []line{
		comment("      # Builds what the channel does not have yet."),
		code("      - run: |"),
		code(`          rattler-build build --recipe-dir recipes --skip-existing=all \`),
		code("            -c ", shell(w.URL+"/"+w.Channel), " -c conda-forge"),
		comment("      # Publishes it; nothing to publish is no error."),
		code("      - run: |"),
		code("          mkdir -p output"),
		code(`          find output -maxdepth 2 -name '*.conda' -exec \`),
		code("            rattler-build upload prefix --url ", shell(w.URL), ` \`),
		code("              --channel ", channel, " --skip-existing {} +"),
	}
}

// code is a line whose second, fourth … pieces were filled in.
func code(pieces ...string) line {
	var l line
	for i, p := range pieces {
		s := words(p)
		if i%2 == 1 {
			s.style = accent
		}
		l.spans = append(l.spans, s)
	}
	return l
}

func comment(s string) line { return line{spans: []span{{text: s, style: remark}}} }

var plainScalar = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/-]*$`)

// scalar writes s as a YAML scalar. What could be read as something else than a string, or would end the
// line, is quoted; Go's quoting to ASCII uses no escape that YAML's double quotes do not know.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return strconv.QuoteToASCII(s)
	}
	if plainScalar.MatchString(s) {
		return s
	}
	return strconv.QuoteToASCII(s)
}
