#!/usr/bin/env bash
# Writes the configuration from the environment, then becomes pgbouncer.
set -euo pipefail
cd /run/pgbouncer
umask 077
printf '"%s" "%s"\n' "${DB_USER:?}" "${DB_PASSWORD:?}" >userlist.txt
cat >pgbouncer.ini <<INI
[databases]
* = host=${DB_HOST:?} port=${DB_PORT:-5432}
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = 6432
auth_type = scram-sha-256
auth_file = /run/pgbouncer/userlist.txt
pool_mode = transaction
default_pool_size = ${PGBOUNCER_POOL_SIZE:-40}
max_client_conn = ${PGBOUNCER_MAX_CLIENTS:-1000}
ignore_startup_parameters = extra_float_digits
idle_transaction_timeout = 60
unix_socket_dir =
log_connections = 0
log_disconnections = 0
INI
exec pgbouncer pgbouncer.ini
