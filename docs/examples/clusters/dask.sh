#!/usr/bin/env bash
# Dask: workers of this machine, or of a cluster whose scheduler DASK_SCHEDULER names (tcp://host:8786).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/problem.sh"
next_batch
while has_points; do
    "${PYTHON:-python3}" "$here/with_dask.py" "$program" "$state/batch.csv" "$derived" > "$state/evaluated.csv"
    next_batch "$state/evaluated.csv"
done
