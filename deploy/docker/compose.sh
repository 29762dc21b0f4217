#!/usr/bin/env bash
# Docker Compose with our secrets: the v2 plugin where it is, else docker-compose.
#   compose.sh up      build the images, start everything, wait until all of it is healthy
#   compose.sh down    stop and remove the containers; data stays in the volumes
#   compose.sh ...     anything else that Docker Compose takes
set -euo pipefail
cd "$(dirname "$0")/../.."

compose() {
  if docker compose version >/dev/null 2>&1; then
    docker compose --env-file .env.docker "$@"
  else
    docker-compose --env-file .env.docker "$@"
  fi
}

SERVICES=(api_gateway websocket_service market_data_engine order_processor analytics_service strategy_workers)

wait_until_healthy() {
  local deadline=$((SECONDS + ${COMPOSE_WAIT_S:-180})) service id state waiting
  while true; do
    waiting=()
    for service in "${SERVICES[@]}" pgbouncer postgres redis influxdb; do
      for id in $(compose ps -q "$service"); do
        state=$(docker inspect --format '{{.State.Health.Status}}' "$id")
        [ "$state" = healthy ] || waiting+=("$service: $state")
      done
      [ -n "$(compose ps -q "$service")" ] || waiting+=("$service: not started")
    done
    [ ${#waiting[@]} -eq 0 ] && return 0
    if [ $SECONDS -ge $deadline ]; then
      printf 'not healthy in time: %s\n' "${waiting[@]}" >&2
      return 1
    fi
    sleep 0.5
  done
}

case ${1:-} in
  up)
    deploy/docker/make-env.sh
    deploy/docker/base-images.sh
    docker build --quiet --tag trading-base --file Dockerfile.base . >/dev/null
    compose build --quiet "${SERVICES[@]}" pgbouncer
    compose up --detach --no-build "${@:2}"
    wait_until_healthy
    echo "All six services are healthy: http://127.0.0.1:${API_GATEWAY_PUBLISH_PORT:-8000} (sign-in in .env.docker)"
    ;;
  *) compose "$@" ;;
esac
