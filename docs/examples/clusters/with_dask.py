"""evaluate.py on the workers of Dask: the same arguments, the same output."""

import os
import sys

from dask.distributed import Client
from evaluate import Program, heading, read


def evaluate(command, points):
    program = Program(command)
    return [f"{name},{program.evaluate(parameters)}" for name, parameters in points]


if __name__ == "__main__":
    command, batch, *derived = sys.argv[1:]
    here = os.path.dirname(os.path.abspath(__file__))
    with Client(os.environ.get("DASK_SCHEDULER"), dashboard_address=None) as client:
        client.upload_file(os.path.join(here, "evaluate.py"))
        points = read(batch)
        pieces = 4 * max(len(client.scheduler_info()["workers"]), 1)
        futures = client.map(lambda k: evaluate(command, points[k::pieces]), range(pieces), pure=False)
        print(heading(*derived))
        for lines in client.gather(futures):
            print(*lines, sep="\n")
