#!/bin/bash
# Installs the Debian packages that the tests stand on, as far as their programs are not there yet.
# RATTLER is where the rattler command is built to; where it is, nothing is needed to build it.
set -euo pipefail

missing=()
# need PACKAGES COMMAND…: PACKAGES are missing unless COMMAND succeeds.
need() {
  local packages=$1
  shift
  # shellcheck disable=SC2206 # several packages are several words
  "$@" >/dev/null 2>&1 || missing+=($packages)
}
has() { command -v "$1"; }
postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' || has initdb; }
node18() { [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge 18 ]; }
# The rattler command needs a newer Rust than a stable release has; Debian carries one for browsers.
rust191() {
  has cargo && [ "$(rustc --version | sed 's/^rustc 1\.\([0-9]*\).*/\1/')" -ge 91 ]
}

need "gcc g++ libc6-dev" has g++ # the race detector is C
need "python3 python3-venv" python3 -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))'
need "nodejs npm" node18
need npm has npm
need postgresql postgres
need chromium has chromium
need zstd has zstd
need curl has curl # programs of stand-ins and workflow files call it
need jq has jq # and this
need shellcheck has shellcheck
if [ ! -x "${RATTLER:-}" ]; then
  need "cargo-web rustc-web" rust191
  need "cmake pkg-config" has cmake
fi

[ ${#missing[@]} -gt 0 ] || exit 0

if ! has apt-get >/dev/null; then
  echo "The tests need programs that Debian has in these packages, and this machine has no apt-get" >&2
  echo "to install them; please install them in its own way: ${missing[*]}" >&2
  exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
  if ! has sudo >/dev/null; then
    echo "The tests need Debian packages, and there is no sudo to install them with. As root, run:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
  sudo=sudo
fi
echo "installing Debian packages: ${missing[*]}"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
