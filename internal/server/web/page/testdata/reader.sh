#!/bin/sh
# In a job of acme/forge. It takes curl, and jq where a service answers in JSON.
set -eu
server=https://conda.acme.dev channel=forge
# Who the job is, said for this server alone.
identity=$(curl -sS --fail-with-body -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
  "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=conda.acme.dev" | jq -r .value)
# A token of this server for it. It lives for 30 minutes.
token=$(curl -sS --fail-with-body --json "{\"token\": \"$identity\"}" "$server/api/oidc/mint_token")
# It may read the channel.
pixi auth login conda.acme.dev --token "$token"
