#!/usr/bin/env bash
# GNU parallel: each batch is split among JOBS programs, here or on other machines (parallel --sshlogin).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/problem.sh"
jobs="${JOBS:-$(nproc)}"
next_batch
while has_points; do
    lines=$(($(wc -l < "$state/batch.csv") / jobs + 1))
    parallel --jobs "$jobs" --pipe -N "$lines" --header : \
        "cat > '$state/part-{#}.csv' && python3 '$here/evaluate.py' '$program' '$state/part-{#}.csv' $derived > '$state/evaluated-{#}.csv'" \
        < "$state/batch.csv"
    next_batch "$state"/evaluated-*.csv
    rm "$state"/part-*.csv "$state"/evaluated-*.csv
done
