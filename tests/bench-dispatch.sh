#!/usr/bin/env bash
# Measures live dispatch and tracking on SQLite and on a PostgreSQL that it starts: who is near among 10,000 drivers, how soon
# a ride has its first offer, how long an acceptance takes, and 1,000 streams of positions with their processor time.
# `tests/bench-dispatch.sh`, on a machine that does nothing else; the figures with their spread are on stdout. The PostgreSQL
# that it starts does not wait for the disk; QS_TEST_POSTGRES_URL names another one.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/setup.sh
if [ -z "${QS_TEST_POSTGRES_URL:-}" ]; then
  trap stop_postgres EXIT
  start_postgres
fi
cargo bench -q -p provider --bench tracking -- 1000 60
cargo bench -q -p provider --bench candidates
cargo bench -q -p quickserve --bench dispatch -- 20 30
