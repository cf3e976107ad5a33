#!/usr/bin/env bash
# Measures QuickServe on SQLite and on PostgreSQL, and a peer on PostgreSQL in the same run. The program that is
# measured, ours or the peer, is pinned to processor 0; the load and the PostgreSQL that serves both, over a Unix
# socket, to processor 1. `tests/bench.sh [PEER-COMMAND]`: the command starts a peer with the seed's routes on
# 127.0.0.1:9000, with PIN and DATABASE_URL in its environment.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/quickserve
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
peer=${1:-}
programs=$(pg_config --bindir 2>/dev/null || true)
[ -x "$programs/initdb" ] || programs=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

cargo build --profile dist --workspace --bins
folder=$(mktemp -d)
[ "$(id -u)" != 0 ] || chown postgres "$folder"
started=()
finish() {
  [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
  as_postgres "$programs/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap finish EXIT
as_postgres "$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C >/dev/null
port=$((20000 + RANDOM % 20000))
as_postgres taskset -c 1 "$programs/pg_ctl" -D "$folder/data" -l "$folder/log" -w start \
  -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c max_connections=300" >/dev/null
sql() { psql -q -h 127.0.0.1 -p "$port" -U postgres -c "$1"; }
sql "CREATE DATABASE quickserve"
sql "CREATE DATABASE peer"
bench=(taskset -c 1 "$CARGO_TARGET_DIR/dist/bench" --server "$CARGO_TARGET_DIR/dist/quickserve" --pin 0)
against=()
if [ -n "$peer" ]; then
  PIN=0 DATABASE_URL="postgresql+asyncpg://postgres@/peer?host=$folder&port=$port" $peer >/dev/null 2>&1 &
  started+=($!)
  for _ in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:9000/docs && break || sleep 0.3; done
  against=(--peer http://127.0.0.1:9000)
fi
"${bench[@]}" --database-url "postgres://postgres@localhost:$port/quickserve?host=$folder" "${against[@]}" \
  --json "$cache/bench-postgres.json"
"${bench[@]}" --json "$cache/bench-sqlite.json"
echo "all figures: $cache/bench-sqlite.json and $cache/bench-postgres.json"
