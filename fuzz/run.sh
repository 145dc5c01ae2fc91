#!/usr/bin/env bash
# Errors of `anyhow` collect backtraces if they are asked to, which takes most of the time.
# Fuzzes one target: ./run.sh TARGET [SECONDS]. No panic, no NaN, no input beyond 10 s, no allocation beyond 256 MB, from a file of up to 1 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=$1
seconds=${2:-600}
[[ -d corpus/$target ]] || cargo run --quiet --example seeds
case $target in
    protocol | study | amortised_study | settings | record) dictionary=ron ;;
    table*) dictionary=table ;;
    density | expert | flow | checkpoint | unit) dictionary=model ;;
    *) dictionary= ;;
esac
RUST_BACKTRACE=0 cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" ${dictionary:+-dict=dict/$dictionary.dict} \
    -max_len=1000000 -malloc_limit_mb=256 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1
