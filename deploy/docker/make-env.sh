#!/usr/bin/env bash
# Write .env.docker with fresh secrets, unless it is there: the first admin's sign-in included.
set -euo pipefail
cd "$(dirname "$0")/../.."
file=.env.docker
[ -s "$file" ] && exit 0

secret() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
cat >"$file.new" <<ENV
DB_PASSWORD=$(secret 16)
REDIS_PASSWORD=$(secret 16)
JWT_SECRET=$(secret 32)
INTERNAL_TOKEN=$(secret 32)
INFLUXDB_PASSWORD=$(secret 16)
INFLUXDB_TOKEN=$(secret 32)
ADMIN_EMAIL=admin@localhost.localdomain
ADMIN_PASSWORD=A1!$(secret 10)
ENV
mv "$file.new" "$file"
echo "Secrets and the first admin's sign-in are in $file."
