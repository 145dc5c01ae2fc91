#!/usr/bin/env bash
# MPI: one rank for each core of an allocation; rank 0 asks and tells. mpi4py must be installed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/problem.sh"
next_batch
while has_points; do
    ${MPIRUN:-mpirun} "${PYTHON:-python3}" "$here/mpi.py" "$program" "$state/batch.csv" "$derived" > "$state/evaluated.csv"
    next_batch "$state/evaluated.csv"
done
