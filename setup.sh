#!/usr/bin/env bash
# Make the Python environment in .venv, exactly as locked. Safe to repeat; a warm call only compares stamps.
#   setup.sh            what is needed to run the platform and its tests
set -euo pipefail
cd "$(dirname "$0")"

PYTHON=${PYTHON:-python3.11}
UV_VERSION=0.13.8
stamp=.venv/.installed
wanted=$(cat requirements.lock pyproject.toml setup.sh | sha256sum | cut -d' ' -f1)

[ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && exit 0

command -v "$PYTHON" >/dev/null || {
  echo "setup.sh: $PYTHON not found; install Python 3.11, or name it with PYTHON=/path/to/python3.11" >&2
  exit 1
}
echo "Setting up the Python environment in .venv ..."
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -e .
echo "$wanted" > "$stamp"
