"""Radial velocity of a star with planets on Keplerian orbits."""

from math import cos, fmod, pi, sin, sqrt


def eccentric_anomaly(mean_anomaly, e):
    """Kepler's equation E - e sin E = M, by Newton's method."""
    m = fmod(mean_anomaly, 2 * pi)
    anomaly = m + e * sin(m)
    for _ in range(50):
        step = (anomaly - e * sin(anomaly) - m) / (1 - e * cos(anomaly))
        anomaly -= step
        if abs(step) < 1e-12:
            break
    return anomaly


def velocity(t, period, amplitude, e, argument, phase):
    """Velocity in m/s at t days after the reference time, where the mean longitude is `phase`."""
    mean_anomaly = 2 * pi * t / period + phase - argument
    anomaly = eccentric_anomaly(mean_anomaly, e)
    # Cosine and sine of the true anomaly.
    c = (cos(anomaly) - e) / (1 - e * cos(anomaly))
    s = sqrt(1 - e * e) * sin(anomaly) / (1 - e * cos(anomaly))
    return amplitude * (c * cos(argument) - s * sin(argument) + e * cos(argument))


def mass(period, amplitude, e):
    """Minimum mass in masses of Jupiter, for a star like the Sun."""
    return amplitude / 28.4329 * (period / 365.25) ** (1 / 3) * sqrt(1 - e * e)
