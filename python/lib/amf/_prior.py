"""Priors with independent coordinates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _amf
from ._data import Array


@dataclass(frozen=True)
class Prior:
    """The prior of one parameter.

    >>> Prior.normal(0, 5)
    Prior('normal(0.0, 5.0)')
    """

    text: str
    periodic: bool = False

    def __repr__(self) -> str:
        return f"Prior({self.text!r})"

    @classmethod
    def _of(cls, name: str, *numbers: float, periodic: bool = False) -> Prior:
        prior = cls(f"{name}({', '.join(repr(float(v)) for v in numbers)})", periodic)
        # Numbers out of range are refused here, where they are written.
        _amf.quantile(f"x = {prior.text}", np.array([0.5]))
        return prior

    @classmethod
    def uniform(cls, low: float, high: float, *, periodic: bool = False) -> Prior:
        """Between two ends; ``periodic`` if both are the same point, as of an angle."""
        return cls._of("uniform", low, high, periodic=periodic)

    @classmethod
    def log_uniform(cls, low: float, high: float) -> Prior:
        """Uniform in the logarithm, between two positive ends."""
        return cls._of("log_uniform", low, high)

    @classmethod
    def normal(cls, mean: float, sd: float) -> Prior:
        """Mean and standard deviation."""
        return cls._of("normal", mean, sd)

    @classmethod
    def log_normal(cls, mu: float, sigma: float) -> Prior:
        """The exponential of a normal variable."""
        return cls._of("log_normal", mu, sigma)

    @classmethod
    def half_normal(cls, sd: float) -> Prior:
        """The absolute value of a normal variable of mean 0."""
        return cls._of("half_normal", sd)

    @classmethod
    def truncated_normal(cls, mean: float, sd: float, low: float, high: float) -> Prior:
        """A normal variable between two ends."""
        return cls._of("truncated_normal", mean, sd, low, high)

    @classmethod
    def exponential(cls, rate: float) -> Prior:
        """Mean ``1 / rate``."""
        return cls._of("exponential", rate)

    @classmethod
    def gamma(cls, shape: float, rate: float) -> Prior:
        """Mean ``shape / rate``."""
        return cls._of("gamma", shape, rate)

    @classmethod
    def beta(cls, a: float, b: float) -> Prior:
        """Between 0 and 1, mean ``a / (a + b)``."""
        return cls._of("beta", a, b)

    @classmethod
    def cauchy(cls, location: float, scale: float) -> Prior:
        """Cauchy's distribution."""
        return cls._of("cauchy", location, scale)

    @classmethod
    def student_t(cls, df: float, location: float, scale: float) -> Prior:
        """Student's t-distribution."""
        return cls._of("student_t", df, location, scale)

    def ppf(self, u: Any) -> Array:
        """Quantiles."""
        u = np.asarray(u, dtype=np.float64)
        return _amf.quantile(f"x = {self.text}", u.ravel()).reshape(u.shape)


def native(distribution: Any) -> Prior | None:
    """The same prior as a frozen distribution of scipy.stats, if there is one."""
    name = getattr(getattr(distribution, "dist", None), "name", None)
    if name is None:
        return None
    shapes, loc, scale = distribution.dist._parse_args(*distribution.args, **distribution.kwds)
    known: dict[str, Callable[[], Prior | None]] = {
        "norm": lambda: Prior.normal(loc, scale),
        "uniform": lambda: Prior.uniform(loc, loc + scale),
        "cauchy": lambda: Prior.cauchy(loc, scale),
        "t": lambda: Prior.student_t(shapes[0], loc, scale),
        "expon": lambda: Prior.exponential(1 / scale) if loc == 0 else None,
        "halfnorm": lambda: Prior.half_normal(scale) if loc == 0 else None,
        "gamma": lambda: Prior.gamma(shapes[0], 1 / scale) if loc == 0 else None,
        "beta": lambda: Prior.beta(*shapes) if (loc, scale) == (0, 1) else None,
        "lognorm": lambda: Prior.log_normal(float(np.log(scale)), shapes[0]) if loc == 0 else None,
        "loguniform": lambda: Prior.log_uniform(*shapes) if (loc, scale) == (0, 1) else None,
        "reciprocal": lambda: Prior.log_uniform(*shapes) if (loc, scale) == (0, 1) else None,
        "truncnorm": lambda: Prior.truncated_normal(loc, scale, loc + shapes[0] * scale, loc + shapes[1] * scale)
        if np.isfinite(shapes).all()
        else None,
    }
    return known[name]() if name in known else None


@dataclass
class Coordinates:
    """A prior as the engine takes it: lines of text, or a transform of the unit cube."""

    names: list[str]
    periodic: list[bool]
    lines: list[str] | None
    transform: Callable[[Array], Array] | None
    supports: list[tuple[float | None, float | None]]


def coordinates(prior: Mapping[str, Any]) -> Coordinates:
    """From a dict of :class:`Prior`, or of frozen distributions of scipy.stats."""
    if not isinstance(prior, Mapping) or not prior:
        raise TypeError("prior must be a dict from names to amf.Prior or frozen distributions of scipy.stats")
    parts: dict[str, Any] = {}
    for name, given in prior.items():
        part = given if isinstance(given, Prior) else native(given)
        if part is None and not callable(getattr(given, "ppf", None)):
            raise TypeError(f"the prior of {name!r} must be an amf.Prior or a frozen distribution of scipy.stats, not {given!r}")
        parts[name] = given if part is None else part
    periodic = [isinstance(p, Prior) and p.periodic for p in parts.values()]
    ends = [_ends(p) for p in parts.values()]
    if all(isinstance(p, Prior) for p in parts.values()):
        lines = [f"{name} = {p.text}{' periodic' if p.periodic else ''}" for name, p in parts.items()]
        return Coordinates(list(parts), periodic, lines, None, ends)

    def transform(u: Array) -> Array:
        return np.column_stack([p.ppf(u[:, j]) for j, p in enumerate(parts.values())])

    return Coordinates(list(parts), periodic, None, transform, ends)


def _ends(part: Any) -> tuple[float | None, float | None]:
    if isinstance(part, Prior):
        low, high = _amf.prior_support(f"x = {part.text}")
    else:
        low, high = (float(v) for v in part.support())
    return (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
