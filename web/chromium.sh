#!/usr/bin/env bash
# Make sure that a Chromium is here for the browser tests; root on Debian installs one.
# Elsewhere its absence is only told: the tests then skip, and say why.
set -euo pipefail
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium for the browser tests ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
else
  echo "There is no chromium here: the browser tests will be skipped. Install it to run them." >&2
fi
