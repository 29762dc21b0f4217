#!/usr/bin/env bash
# Make sure that a Docker engine answers, and print the DOCKER_HOST to use (empty: the default).
#
# Where none answers, root on Debian installs one and starts it in a folder of its own; its
# process id is in $folder/pid, for `engine.sh stop`.
set -euo pipefail

folder=${DOCKER_ENGINE_FOLDER:-/var/tmp/trading-docker}
socket=unix://$folder/docker.sock

answers() { DOCKER_HOST=${1:-} timeout 20 docker version >/dev/null 2>&1; }

start() {
  if command -v docker >/dev/null; then
    if answers "${DOCKER_HOST:-}"; then echo "${DOCKER_HOST:-}"; return; fi
    if answers "$socket"; then echo "$socket"; return; fi
  fi
  [ "$(id -u)" -eq 0 ] || { echo "engine.sh: no Docker engine answers, and only root can start one" >&2; return 1; }
  if ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null ||
    { ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; }; then
    echo "Installing the Docker engine ..." >&2
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      docker.io docker-compose debootstrap iptables >/dev/null
  fi
  mkdir -p "$folder"
  setsid nohup dockerd --host "$socket" --data-root "$folder/data" --exec-root "$folder/exec" \
    --pidfile "$folder/pid" >"$folder/log" 2>&1 </dev/null &
  for _ in $(seq 120); do
    if answers "$socket"; then echo "$socket"; return; fi
    sleep 0.5
  done
  echo "engine.sh: the Docker engine did not start; see $folder/log" >&2
  tail -5 "$folder/log" >&2
  return 1
}

stop() { # only the engine that start() made
  [ -s "$folder/pid" ] || return 0
  local pid
  pid=$(cat "$folder/pid")
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 60); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.5; done
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  *) echo "usage: engine.sh start|stop" >&2; exit 2 ;;
esac
