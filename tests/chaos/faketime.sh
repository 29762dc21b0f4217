#!/usr/bin/env bash
# Make sure that a libfaketime is here for the tests in which clocks jump. On Debian and its
# relatives it is unpacked from its package into .venv/faketime: nothing is installed. Elsewhere
# its absence is only told: those tests then skip, and say why.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=.venv/faketime

compgen -G "$folder/usr/lib/*/faketime/libfaketime.so.1" >/dev/null && exit 0

missing() {
  echo "There is no libfaketime here ($1): the tests in which clocks jump are skipped." >&2
  exit 0
}
for tool in apt-get dpkg; do command -v "$tool" >/dev/null || missing "and no $tool"; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() { (cd "$work" && apt-get download -qq libfaketime >/dev/null 2>&1); }
fetch || { [ "$(id -u)" -eq 0 ] && apt-get update -qq >/dev/null 2>&1 && fetch; } || missing "none to download"
mkdir -p "$folder"
for package in "$work"/*.deb; do dpkg -x "$package" "$folder"; done
