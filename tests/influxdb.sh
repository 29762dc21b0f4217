#!/usr/bin/env bash
# Make sure that an InfluxDB is here for the candle store's tests, and an nginx for the 2.x write
# path in front of it. On Debian and its relatives both are unpacked from its packages into
# .venv/influxdb: nothing is installed, no service is started. Elsewhere their absence is only
# told: the tests then skip, and say why.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.venv/influxdb

[ -x "$folder/usr/bin/influxd" ] && [ -x "$folder/usr/sbin/nginx" ] && exit 0
command -v influxd >/dev/null && PATH=$PATH:/usr/sbin command -v nginx >/dev/null && exit 0

missing() {
  echo "There is no influxd or no nginx here ($1): tests of the candle store in InfluxDB are skipped." >&2
  exit 0
}
for tool in apt-get dpkg; do command -v "$tool" >/dev/null || missing "and no $tool"; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() { (cd "$work" && apt-get download -qq influxdb nginx >/dev/null 2>&1); }
fetch || { [ "$(id -u)" -eq 0 ] && apt-get update -qq >/dev/null 2>&1 && fetch; } || missing "none to download"
mkdir -p "$folder"
for package in "$work"/*.deb; do dpkg -x "$package" "$folder"; done
"$folder/usr/sbin/nginx" -v 2>/dev/null || { rm -rf "$folder"; missing "nginx doesn't run"; }
