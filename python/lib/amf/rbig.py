"""Measures of dependence by rotation-based iterative Gaussianisation (RBIG).

Each gives an estimate and its standard error, in nats.
"""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from . import _amf
from ._data import rows

__all__ = ["Estimate", "entropy", "kl_divergence", "mutual_information", "total_correlation"]


class Estimate(NamedTuple):
    """A number with its standard error."""

    value: float
    standard_error: float


def total_correlation(x: ArrayLike, seed: int = 1) -> Estimate:
    """The dependence between the columns of ``x`` (n, d): ``sum_i H(x_i) - H(x)``."""
    return Estimate(*_amf.total_correlation(rows(x), seed))


def entropy(x: ArrayLike, seed: int = 1) -> Estimate:
    """The differential entropy of the distribution that the rows of ``x`` are draws of."""
    return Estimate(*_amf.entropy(rows(x), seed))


def mutual_information(x: ArrayLike, y: ArrayLike, seed: int = 1) -> Estimate:
    """The dependence between two sets of columns, row by row."""
    return Estimate(*_amf.mutual_information(rows(x), rows(y), seed))


def kl_divergence(x: ArrayLike, y: ArrayLike, seed: int = 1) -> Estimate:
    """``KL(p || q)`` of the distributions that the rows of ``x`` (p) and of ``y`` (q) are draws of."""
    return Estimate(*_amf.kl_divergence(rows(x), rows(y), seed))
