# Sourced by tidecli. PREFIX is the environment that the caller is installed in.
tide_version() { cat "$PREFIX/share/tidelib/version"; }
tide_level() { echo "the tide at $1 is high (tidelib $(tide_version))"; }
