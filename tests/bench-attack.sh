#!/usr/bin/env bash
# Attacks a QuickServe of its own, pinned to one processor, from the other, and prints what a neighbour notices and what
# each attack makes the program hold. `tests/bench-attack.sh [OPTION ...]`, such as `--only slow`.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/quickserve
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
cargo build --profile dist --workspace --bins
taskset -c 1 "$CARGO_TARGET_DIR/dist/attack-bench" --server "$CARGO_TARGET_DIR/dist/quickserve" --pin 0 \
  --json "$cache/bench-attack.json" "$@"
echo "all figures: $cache/bench-attack.json"
