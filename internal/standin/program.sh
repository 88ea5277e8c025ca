#!/bin/sh
# {{.Name}} of Sluice's local stand-in for a CI service: it hands on its arguments, and prints the identity token.
for argument do
  set -- "$@" --data-urlencode "argument=$argument"
  shift
done
answer=$(curl -q -sS --max-time 30 --noproxy '*' -w '\n%{http_code}' -H 'Authorization: Bearer {{.Secret}}' \
  --data-urlencode "BUILDKITE_OIDC_TOKEN_CLAIMS=$BUILDKITE_OIDC_TOKEN_CLAIMS" "$@" {{.URL}}) || exit 1
status=${answer##*
}
answer=${answer%
*}
if [ "$status" != 200 ]; then
  printf '{{.Name}}: %s\n' "$answer" >&2
  exit 1
fi
printf '%s\n' "$answer"
