#!/usr/bin/env bash
# Measures what the edge itself costs: the generic mode on one processor before a gRPC service on the other, beside the
# service without an edge and a bare handler. `tests/bench-edge.sh [COMMAND [OPTION ...]]`: the command is a program
# with the command line of `quickserve transcode` to compare with, such as a wrapper of Envoy; options go to the bench.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/quickserve
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
against=()
[ -z "${1:-}" ] || against=(--envoy "$1")
shift || true
cargo build --profile dist --workspace --bins
taskset -c 1 "$CARGO_TARGET_DIR/dist/edge-bench" --server "$CARGO_TARGET_DIR/dist/quickserve" \
  "${against[@]}" --json "$cache/bench-edge.json" "$@"
echo "all figures: $cache/bench-edge.json"
