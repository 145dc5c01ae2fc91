"""The log-likelihood of two planets: parameters in, a line each; log-likelihood and masses out.

The line protocol of `amf infer --command`: numbers separated by commas in the order of prior.ron. Only Python's standard library is used.
"""

import csv
import math
import os
import sys

from orbit import mass, velocity

with open(os.path.join(os.path.dirname(__file__), "data.csv")) as file:
    DATA = [[float(row[name]) for name in ("day", "velocity", "error")] for row in csv.DictReader(file)]


def log_likelihood(offset, *planets):
    first, second = planets[:5], planets[5:]
    total = 0.0
    for t, v, error in DATA:
        residual = (v - offset - velocity(t, *first) - velocity(t, *second)) / error
        total -= 0.5 * residual * residual + math.log(error * math.sqrt(2 * math.pi))
    return total


if __name__ == "__main__":
    for line in sys.stdin:
        theta = [float(field) for field in line.split(",")]
        masses = [mass(*theta[1:4]), mass(*theta[6:9])]
        # amf waits for each answer: flush it.
        print(log_likelihood(*theta), *masses, sep=",", flush=True)
