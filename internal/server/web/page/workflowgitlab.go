package page

import "sluice/internal/trust/provider"

// gitlab is a CI file of GitLab. The job's variable bears the server's host in its name: rattler-build asks for that.
func (w Workflow) gitlab() []line {
	host := show(hostname(w.URL))
	list := []line{
		comment("# " + show(w.File) + " in " + show(w.Repository)),
		code("publish:"),
		code("  image: buildpack-deps:bookworm-scm"),
		code("  rules:"),
		code("    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"),
	}
	if w.Environment != "" {
		list = append(list, code("  environment:"), code("    name: ", scalar(w.Environment)))
	}
	list = append(list,
		code("  id_tokens:"),
		line{spans: []span{words("    "), {text: provider.GitLabVariable(host) + ":", style: accent}, {text: "   # lets the job say who it is", style: remark}}},
		code("      aud: ", scalar(host)),
	)
	if w.Private {
		list = append(list, code("    "+readVariable+":"), code("      aud: ", scalar(host)))
	}
	return append(list, w.scripts("  script:", "    ")...)
}

// readVariable is where the job finds the identity token for reading. Each is taken once, so publishing needs another.
const readVariable = "READ_ID_TOKEN"

// scripts install rattler-build, build what the channel does not have yet, and publish it, as items of a YAML list.
func (w Workflow) scripts(head, indent string) []line {
	list := []line{
		code(head),
		comment(indent + "# 0.67.0 or newer"),
		code(indent + "- curl --fail --silent --show-error --location --retry 3 --output /usr/local/bin/rattler-build"),
		code(indent + `  "https://github.com/prefix-dev/rattler-build/releases/download/` + rattlerBuild + `/rattler-build-x86_64-unknown-linux-musl"`),
		code(indent + "- chmod 755 /usr/local/bin/rattler-build"),
	}
	if w.Private {
		list = append(list, comment(indent+"# "+show(w.Channel)+" is private: who may publish there may read it, for 30 minutes. Nothing is stored."), code(indent+"- |"))
		list = append(list, indented(indent+"  ", w.login("$"+readVariable))...)
	}
	return append(list,
		comment(indent+"# Builds what the channel does not have yet."),
		code(indent+"- rattler-build build --recipe-dir recipes --skip-existing=all -c ", shell(w.URL+"/"+w.Channel), " -c conda-forge"),
		comment(indent+"# Publishes it; nothing to publish is no error."),
		code(indent+"- mkdir -p output"),
		code(indent+"- find output -maxdepth 2 -name '*.conda' -exec"),
		code(indent+"  rattler-build upload prefix --url ", shell(w.URL), " --channel ", shell(w.Channel), " --skip-existing {} +"),
	)
}
