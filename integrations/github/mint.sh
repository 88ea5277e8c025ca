#!/bin/sh
# Exchanges the identity token of a CI job for a token of a Sluice server. Needs a POSIX shell, curl, sed and tr.
# Everything comes by the environment: SLUICE_URL, SLUICE_CHANNEL, SLUICE_EXPORT, SLUICE_RATTLER_AUTH, SLUICE_NETRC,
# and what the runner sets. No secret is written to a command line, where other processes could read it.
# shellcheck disable=SC2154 # action.yml and the runner set them
set -eu
umask 077
LC_ALL=C
export LC_ALL

newline='
'
work=$(mktemp -d "$RUNNER_TEMP/sluice.XXXXXX")
trap 'rm -rf "$work"' EXIT

# fail SENTENCE: shows it as the job's error and ends. A runner reads commands from lines of the output, so what a
# server said must stay within its line.
fail() {
  printf '::error title=Sluice::%s\n' "$(printf '%s' "$1" | tr '\r\n' '  ' | sed 's/%/%25/g')"
  exit 1
}

# yes INPUT VALUE: whether a file is wanted.
yes() {
  case $2 in
    true) return 0 ;;
    false | '') return 1 ;;
    *) fail "The input $1 is \"true\" or \"false\", not \"$2\"." ;;
  esac
}

# ask ARGUMENTS…: curl with deadlines, which prints the status and leaves the answer in a file, where a second try
# replaces the first. No redirect is followed: tokens go where the job sends them.
ask() {
  curl --silent --show-error --connect-timeout 10 --max-time 60 --max-filesize 65536 --retry 3 \
    --output "$work/answer" --write-out '%{http_code}' "$@"
}

# The host is also the audience: lower case, without port, as the clients ask for it. It is not taken from the
# server, which could name another service's audience and use the token there.
url=${SLUICE_URL%/}
case $url in
  *"$newline"*) url= ;; # the patterns below look at lines
esac
host=$(printf '%s\n' "$url" | tr '[:upper:]' '[:lower:]' | sed -n \
  -e 's|^https://\([a-z0-9.-]\{1,\}\)\(:[0-9]\{1,5\}\)\{0,1\}$|\1|p' \
  -e 's|^http://\(127\.0\.0\.1\)\(:[0-9]\{1,5\}\)\{0,1\}$|\1|p' \
  -e 's|^http://\(localhost\)\(:[0-9]\{1,5\}\)\{0,1\}$|\1|p')
[ -n "$host" ] || fail "The input url is not the address of a server: write it without a path, such as https://conda.example.com."
for_channel=${SLUICE_CHANNEL:+ for channel $SLUICE_CHANNEL}

export_as=${SLUICE_EXPORT:-}
case $export_as in
  [!A-Za-z_]* | *[!A-Za-z0-9_]*) fail "The input env is not the name of a variable: use letters, digits and _, such as SLUICE_TOKEN." ;;
  GITHUB_* | RUNNER_* | ACTIONS_*) fail "The input env names a variable that the runner keeps for itself: choose another, such as SLUICE_TOKEN." ;;
esac
rattler_auth=
if yes rattler-auth "${SLUICE_RATTLER_AUTH:-}"; then
  rattler_auth=$RUNNER_TEMP/sluice-auth.json
  [ "${RATTLER_AUTH_FILE:-$rattler_auth}" = "$rattler_auth" ] ||
    fail "RATTLER_AUTH_FILE names a file already, which rattler-auth would hide: leave one of them out."
fi
netrc=
if yes netrc "${SLUICE_NETRC:-}"; then
  netrc=$RUNNER_TEMP/sluice-netrc
  [ "${NETRC:-$netrc}" = "$netrc" ] || fail "NETRC names a file already, which the input netrc would hide: leave one of them out."
fi

# 1. Who is this job? Only its runner can have that signed.
if [ -z "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] || [ -z "${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-}" ]; then
  fail "This job may not ask for an identity token: give it \"permissions:\" with \"id-token: write\" (on Forgejo \"enable-openid-connect: true\"). Pull requests from forks never may."
fi
status=$(printf 'header = "Authorization: Bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
  ask --config - "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$host") ||
  fail "The CI service could not be asked for an identity token: see curl's message above. Try again."
# The value is a JSON Web Token, in which JSON escapes nothing.
identity=$(tr -d '\r\n' < "$work/answer" | sed -n 's/.*"value"[[:space:]]*:[[:space:]]*"\([A-Za-z0-9_.-]\{1,\}\)".*/\1/p')
[ -z "$identity" ] || printf '::add-mask::%s\n' "$identity"
case $status in
  2??) [ -n "$identity" ] || fail "The CI service answered without an identity token. Try again." ;;
  *) fail "The CI service gave no identity token (HTTP $status). Try again; on GitHub see whether Actions has an outage." ;;
esac

# 2. The exchange. The answer is the token and nothing else, or one sentence.
status=$(printf '{"token":"%s"}' "$identity" |
  ask --header 'Content-Type: application/json' --data-binary @- "$url/api/oidc/mint_token") ||
  fail "$url could not be asked for a token$for_channel: see curl's message above. Runners must reach the server, and its certificate must be one that they know."
token=$(tr -d '\r\n' < "$work/answer")
case $status in
  2??) printf '::add-mask::%s\n' "$token" ;;
  *) fail "$url refused a token$for_channel (HTTP $status): $token" ;;
esac
case $token in
  *[!A-Za-z0-9-]*) fail "What $url answered is no token of a Sluice server: see whether the input url is right." ;;
  sluice-*-*) ;;
  *) fail "What $url answered is no token of a Sluice server: see whether the input url is right." ;;
esac

# 3. To whoever shall have it.
printf 'token=%s\n' "$token" >> "$GITHUB_OUTPUT"
if [ -n "$export_as" ]; then
  printf '%s=%s\n' "$export_as" "$token" >> "$GITHUB_ENV"
fi
if [ -n "$rattler_auth" ]; then
  printf '{"%s": {"BearerToken": "%s"}}\n' "$host" "$token" > "$rattler_auth"
  printf 'RATTLER_AUTH_FILE=%s\n' "$rattler_auth" >> "$GITHUB_ENV"
fi
if [ -n "$netrc" ]; then
  printf 'machine %s login token password %s\n' "$host" "$token" > "$netrc"
  printf 'NETRC=%s\n' "$netrc" >> "$GITHUB_ENV"
fi
echo "Got a token of $host$for_channel. It ends by itself, or when it is taken back: see the action's README."
