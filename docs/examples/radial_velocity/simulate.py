"""Writes data.csv: velocities of a star with two planets, 50 nights, errors of 2 m/s."""

import random

from orbit import velocity

# Period (days), semi-amplitude (m/s), eccentricity, argument and phase (radians).
PLANETS = [(11.3, 14.0, 0.25, 1.1, 2.6), (57.0, 9.0, 0.12, 4.0, 3.9)]
OFFSET, ERROR = 3.0, 2.0

rng = random.Random(1)
nights = sorted(rng.uniform(-75, 75) for _ in range(50))
with open("data.csv", "w") as file:
    file.write("day,velocity,error\n")
    for t in nights:
        v = OFFSET + sum(velocity(t, *planet) for planet in PLANETS) + rng.gauss(0, ERROR)
        file.write(f"{t:.4f},{v:.3f},{ERROR}\n")
