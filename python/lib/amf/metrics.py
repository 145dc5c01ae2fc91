"""Distances between samples of two distributions."""

from __future__ import annotations

from numpy.typing import ArrayLike

from . import _amf
from ._data import rows

__all__ = ["mmd", "sliced_w2", "w2"]


def w2(x: ArrayLike, y: ArrayLike) -> float:
    """The exact Wasserstein-2 distance of two samples of equal size (n, d), by optimal assignment.

    >>> w2([[0.0], [1.0]], [[1.0], [2.0]])
    1.0
    """
    return _amf.w2(rows(x), rows(y))


def sliced_w2(x: ArrayLike, y: ArrayLike) -> float:
    """The sliced Wasserstein-2 distance of two samples of equal size, over fixed directions."""
    return _amf.sliced_w2(rows(x), rows(y))


def mmd(x: ArrayLike, y: ArrayLike, sigma: float = 1.0) -> float:
    """The maximum mean discrepancy with a Gaussian kernel of width ``sigma`` (root of the unbiased estimate, at least 0)."""
    return _amf.mmd(rows(x), rows(y), float(sigma))
