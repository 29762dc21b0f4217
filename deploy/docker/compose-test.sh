#!/usr/bin/env bash
# Proof that the compose stack works: engine, images, all healthy, the demo through the gateway
# twice with the same executions, the launcher's containers, then everything is taken down again,
# its volumes included.
# Needs the built web terminal and the Python environment (`make compose-test` makes both).
set -euo pipefail
cd "$(dirname "$0")/../.."

DOCKER_HOST=$(deploy/docker/engine.sh start)
if [ -n "$DOCKER_HOST" ]; then export DOCKER_HOST; else unset DOCKER_HOST; fi
# A project of its own: a stack that somebody runs here keeps its containers and volumes.
export COMPOSE_PROJECT_NAME=trading-test
# And ports of its own, below the ephemeral range.
export API_GATEWAY_PUBLISH_PORT=18400 WEBSOCKET_PUBLISH_PORT=18401
export WEBSOCKET_PUBLIC_URL=ws://127.0.0.1:$WEBSOCKET_PUBLISH_PORT/v1/stream
gateway=http://127.0.0.1:$API_GATEWAY_PUBLISH_PORT
passed=0

finish() {
  status=$?
  if [ $status -ne 0 ]; then
    echo "--- logs of the services" >&2
    deploy/docker/compose.sh logs --tail 40 >&2 || true
  fi
  deploy/docker/compose.sh down --volumes --remove-orphans >/dev/null 2>&1 || true
  [ -z "${CI:-}" ] || deploy/docker/engine.sh stop
  if [ $status -eq 0 ]; then echo "$passed passed, 0 failed"; else echo "$passed passed, 1 failed"; fi
  exit $status
}
trap finish EXIT

check() { # name, command...
  local name=$1
  shift
  "$@" || { echo "FAILED: $name" >&2; return 1; }
  echo "ok: $name"
  passed=$((passed + 1))
}

quietly() { # what it says is shown only when it fails
  "$@" >"$work/output" 2>&1 || { tail -40 "$work/output" >&2; return 1; }
}

field() { .venv/bin/python -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$@"; }

demo() { # output file
  DEMO_ADMIN_PASSWORD=$ADMIN_PASSWORD .venv/bin/tradectl demo --url "$gateway" \
    --admin-email "$ADMIN_EMAIL" --json >"$1"
}

same_digest() { [ "$(field "$1" executions_digest)" = "$(field "$2" executions_digest)" ]; }
traded() { [ "$(field "$1" executions)" -gt 0 ]; }
not_root() { [ "$(docker run --rm trading-base id -u)" != 0 ]; }
terminal_is_served() { curl -sf "$gateway/" | grep -qi '<div id="root"'; }

work=$(mktemp -d)
check "images build and every container becomes healthy" quietly deploy/docker/compose.sh up
set -a
# shellcheck disable=SC1091
. ./.env.docker
set +a
check "services don't run as root" not_root
check "the gateway serves the web terminal" terminal_is_served
check "the demo runs through the gateway" demo "$work/first.json"
check "it traded" traded "$work/first.json"
check "the demo runs again" demo "$work/second.json"
check "the same input gave the same executions" same_digest "$work/first.json" "$work/second.json"
check "strategy workers are launched as containers, replaced and drained" quietly \
  .venv/bin/python -m pytest -q -k "containers or image" tests/strategy_workers/launchers
check "the stack stops" quietly deploy/docker/compose.sh down --volumes
rm -rf "$work"
