#!/usr/bin/env bash
# Regenerates every table and figure and compares them with the committed results.
#
#   ./reproduce.sh               everything, into target/reproduce/
#   ./reproduce.sh --smoke       everything at a small scale, into target/smoke/
#   ./reproduce.sh --papers      only what the two papers report
#   ./reproduce.sh --only banana --protocol held_out --threads 2
#   ./reproduce.sh --help        all options
#
# An interrupted run goes on where it was: the same command computes only what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec cargo run --release --locked --quiet --package paper -- reproduce "$@"
