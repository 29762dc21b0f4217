#!/usr/bin/env bash
# Ends when either server ends; a stop reaches both.
set -euo pipefail
influxd run &
until curl -sf http://127.0.0.1:8087/ping; do sleep 0.1; done
curl -sf -XPOST http://127.0.0.1:8087/query \
  --data-urlencode "q=CREATE DATABASE \"${DOCKER_INFLUXDB_INIT_BUCKET:-candles}\"" >/dev/null
nginx &
trap 'kill $(jobs -p); wait' TERM INT
wait -n
