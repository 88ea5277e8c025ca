package page

import "sluice/internal/trust/provider"

// requests are the three requests of trusted publishing as a shell script, for jobs of any service.
func (w Workflow) requests() []line {
	list := []line{
		comment("#!/bin/sh"),
		comment("# In a job of " + show(w.Repository) + ". It takes curl, and jq where a service answers in JSON."),
		code("set -eu"),
		code("server=", shell(w.URL), " channel=", shell(w.Channel)),
		comment("# Who the job is, said for this server alone."),
	}
	list = append(list, w.identity()...)
	list = append(list,
		comment("# A token of this server for it. It lives for 30 minutes."),
		code(`token=$(curl -sS --fail-with-body --json "{\"token\": \"$identity\"}" "$server/api/oidc/mint_token")`),
	)
	if w.Reads {
		return append(list,
			comment("# It may read the channel."),
			code("pixi auth login ", shell(hostname(w.URL)), ` --token "$token"`),
		)
	}
	return append(list,
		comment("# Publishes what was built; nothing to publish is no error."),
		code(`for file in output/*/*.conda; do`),
		code(`  [ -e "$file" ] || continue`),
		code(`  curl -sS --fail-with-body -H "Authorization: Bearer $token" -F "file=@$file" "$server/api/v1/upload/$channel"`),
		code("done"),
	)
}

// identity asks the service for the job's identity token.
func (w Workflow) identity() []line {
	host := show(hostname(w.URL))
	switch w.Provider {
	case "github", "forgejo":
		return []line{
			code(`identity=$(curl -sS --fail-with-body -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \`),
			code(`  "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=`, host, `" | jq -r .value)`),
		}
	case "gitlab":
		return []line{
			comment("# The job's id_tokens give it, with aud: " + host + "."),
			code(`identity="$` + provider.GitLabVariable(host) + `"`),
		}
	case "buildkite":
		return []line{code("identity=$(buildkite-agent oidc request-token --audience ", shell(host), ")")}
	case "circleci":
		return []line{code(`identity=$(circleci run oidc get --root-issuer --claims '{"aud": "`, host, `"}')`)}
	case "google":
		return []line{
			code(`identity=$(curl -sS --fail-with-body -H "Metadata-Flavor: Google" \`),
			code(`  "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience=`, host, `&format=full")`),
		}
	}
	return []line{
		comment("# Ask your CI service for a token with the audience " + host + "."),
		code(`identity="$ID_TOKEN"`),
	}
}
