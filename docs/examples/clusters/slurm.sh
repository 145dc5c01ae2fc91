#!/usr/bin/env bash
# Slurm: one job array for each batch. On the login node: ./slurm.sh
# The tasks of an array take every TASKS-th point of the batch. A task that fails is no loss: its points are asked for again.
#SBATCH --job-name=amf-infer
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=01:00:00
set -euo pipefail
# Slurm runs a copy of this file elsewhere: the folder is handed on.
export CLUSTERS="${CLUSTERS:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}"
. "$CLUSTERS/problem.sh"
tasks="${TASKS:-16}"
if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    part="$state/part-$SLURM_ARRAY_TASK_ID.csv"
    awk -v k="$SLURM_ARRAY_TASK_ID" -v n="$tasks" 'NR == 1 || NR % n == k' "$state/batch.csv" > "$part"
    # Under its last name only when it is whole.
    python3 "$here/evaluate.py" "$program" "$part" "$derived" > "$part.partial"
    mv "$part.partial" "$state/evaluated-$SLURM_ARRAY_TASK_ID.csv"
    exit
fi
next_batch
while has_points; do
    rm -f "$state"/part-*.csv* "$state"/evaluated-*.csv
    STATE="$state" TASKS="$tasks" "${SBATCH:-sbatch}" --wait --array="0-$((tasks - 1))" "${BASH_SOURCE[0]}" ||
        echo "some tasks failed: their points are asked for again" >&2
    next_batch "$state"/evaluated-*.csv
done
