package page

import "strings"

// forgejo is a workflow of Forgejo Actions, which Codeberg runs, too. It has no environments.
func (w Workflow) forgejo() []line {
	file := show(w.File)
	if !strings.Contains(file, "/") {
		file = ".forgejo/workflows/" + file
	}
	list := []line{
		comment("# " + file + " in " + show(w.Repository)),
		comment("# Forgejo 16 with Forgejo Runner 12.5, or newer."),
		code("name: publish"),
		code("on:"),
		code("  push:"),
		code("    branches: [main]"),
		code("  workflow_dispatch:"),
		code("jobs:"),
		code("  publish:"),
		{spans: []span{words("    runs-on: docker"), {text: "   # the label of your runners", style: remark}}},
		{spans: []span{words("    "), {text: "enable-openid-connect: true", style: accent}, {text: "   # lets the job say who it is", style: remark}}},
		code("    steps:"),
		code("      - uses: " + forgejoCheckout),
	}
	list = append(list,
		comment("      # 0.67.0 or newer"),
		code("      - run: |"),
		code(`          mkdir -p "$HOME/bin"`),
		code(`          curl --fail --silent --show-error --location --retry 3 --output "$HOME/bin/rattler-build" \`),
		code(`            "https://github.com/prefix-dev/rattler-build/releases/download/`+rattlerBuild+`/rattler-build-$(uname -m)-unknown-linux-musl"`),
		code(`          chmod 755 "$HOME/bin/rattler-build"`),
		code(`          echo "$HOME/bin" >> "$GITHUB_PATH"`),
	)
	list = append(list, w.readPrivate()...)
	return append(list, w.buildAndPublish()...)
}

// forgejoCheckout fetches the repository; it is pinned, for a tag can be moved.
const forgejoCheckout = "https://data.forgejo.org/actions/checkout@fbc6f3992d24b796d5a048ff273f7fcc4a7b6c09"
