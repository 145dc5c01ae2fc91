"""evaluate.py on all ranks: the same arguments, the same output (from rank 0)."""

import sys

from evaluate import Program, heading, read
from mpi4py import MPI

command, batch, *derived = sys.argv[1:]
world = MPI.COMM_WORLD
points = read(batch) if world.rank == 0 else None
# Every rank takes each size-th point.
own = world.scatter([points[k :: world.size] for k in range(world.size)] if world.rank == 0 else None)
program = Program(command)
answers = world.gather([f"{name},{program.evaluate(parameters)}" for name, parameters in own])
if world.rank == 0:
    print(heading(*derived), *(line for part in answers for line in part), sep="\n")
