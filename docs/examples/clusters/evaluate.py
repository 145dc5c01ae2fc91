"""Evaluates a batch of `amf infer --ask` with a program of the kind that `amf infer --command` starts.

    evaluate.py 'python3 model.py' batch.csv > evaluated.csv           names of derived quantities follow: mass_1,mass_2
    evaluate.py 'python3 model.py' batch.csv mass_1,mass_2 > evaluated.csv

The table that it writes, id,log_likelihood,derived quantities, is what `amf infer --tell` reads. An id
is text, such as 12-0f3a5c7e9b1d2468: its second part says which run the point belongs to.
"""

import csv
import shlex
import subprocess
import sys


class Program:
    """A program that stays up: a line of parameters in, a line of numbers out."""

    def __init__(self, command):
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def evaluate(self, parameters):
        self.process.stdin.write(",".join(parameters) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"the program ended at {','.join(parameters)}")
        return answer


def read(path):
    """The points of a batch: (id, [parameter, ...]), as text, which loses no digit."""
    with open(path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [(row[0], row[1:]) for row in rows]


def heading(derived=""):
    return "id,log_likelihood" + ("," + derived if derived else "")


if __name__ == "__main__":
    command, batch, *derived = sys.argv[1:]
    program = Program(command)
    print(heading(*derived))
    for name, parameters in read(batch):
        print(f"{name},{program.evaluate(parameters)}", flush=True)
