"""Densities fitted to draws."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _amf
from ._data import Array, rows, table
from ._progress import Bar

Support = tuple[float | None, float | None]

#: A recipe of Gaussian mixtures alone: seconds become tenths, and curved densities are less well fitted.
QUICK = """(
    partition: (folds: 5, repeats: 1, validation: 0.125, repeats_up_to: 2000, folds_up_to: 20000),
    experts: [
        (name: "gmm", kind: GaussianMixture((components: Bic(most: 25, patience: 4), em: (restarts: 1, iterations: 100,
            tolerance: 1e-5, floor: 1e-3)))),
        (name: "smm", kind: StudentMixture((components: Bic(most: 25, patience: 4), em: (restarts: 1, iterations: 100,
            tolerance: 1e-5, floor: 1e-6)))),
    ],
    rule: ScreenedStacking(standard_errors: 2.0, tolerance: 1e-8, max_iterations: 1000, batch: 1000),
)"""


class Report(dict[str, Any]):
    """The record of a fit: a dict with the fields of the report; ``print`` shows the verdict."""

    @property
    def trust(self) -> str:
        """``Yes``, ``WithCare`` or ``No``."""
        return str(self["verdict"]["trust"])

    def __str__(self) -> str:
        nll = self["mixture"]
        lines = [
            f"held-out NLL {nll['value']:.4f} ± {nll['standard_error']:.4f} nats, {self['rows_used']} rows used",
            *(f"  {e['name']:16} weight {e['weight']:.3f}" for e in self["experts"] if e["weight"] > 0.005),
            *(f"  gain on {b['name']:10} {b['gain']['value']:+.4f} ± {b['gain']['standard_error']:.4f}" for b in self["baselines"]),
            {"Yes": "trust: yes", "WithCare": "trust: with care", "No": "trust: no"}[self.trust],
            *(f"  - {reason}" for reason in self["verdict"]["reasons"]),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


class Density:
    """A density on named columns: a mixture of experts, exactly normalised, zero outside of its support.

    Made by :func:`fit` or :meth:`load`; can be pickled.
    """

    def __init__(self, inner: _amf.Density) -> None:
        self._inner = inner

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return self._inner.columns

    @property
    def support(self) -> dict[str, Support]:
        """Lower and upper end of each column, ``None`` where there is none."""
        return dict(zip(self.columns, self._inner.supports))

    @property
    def report(self) -> Report:
        """How the fit was made and how good it is."""
        return Report(json.loads(self._inner.report_json()))

    def log_prob(self, x: ArrayLike | Any) -> Array:
        """Natural logarithm of the density.

        Parameters
        ----------
        x : array of shape (n, d)
            Rows; a table with these columns is put in order.

        Returns
        -------
        array of shape (n,)
            Nats; minus infinity outside of the support, NaN for rows that hold NaN.
        """
        if hasattr(x, "columns") or isinstance(x, dict):
            x = table(x, self.columns).values
        return self._inner.log_prob(rows(x, len(self.columns)))

    def sample(self, n: int, seed: int | None = None) -> Array:
        """``n`` independent draws, shape (n, d). The same seed gives the same draws on every machine."""
        return self._inner.sample(_count(n), _seed(seed))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model file that the command ``amf`` and Rust read too."""
        self._inner.save(os.fspath(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Density:
        """Reads a model file and checks all of it."""
        return cls(_amf.Density.load(os.fspath(path)))

    def plot(self, n: int = 20_000, seed: int = 1, **options: Any) -> Any:
        """A corner plot of ``n`` draws by matplotlib; returns the figure."""
        from ._plot import corner

        return corner(self.sample(n, seed), self.columns, **options)

    def __reduce__(self) -> tuple[Callable[[bytes], Density], tuple[bytes]]:
        return _unpickled, (self._inner.to_bytes(),)

    def __repr__(self) -> str:
        return f"<amf.Density of {', '.join(self.columns)}>"


def _unpickled(data: bytes) -> Density:
    return Density(_amf.Density.from_bytes(data))


def _count(n: int) -> int:
    if n != int(n) or n < 0:
        raise ValueError(f"n must be a whole number, not {n}")
    return int(n)


def _seed(seed: int | None) -> int:
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be from 0 to 2**64 - 1, not {seed}")
    return int(seed)


def fit(
    draws: Any,
    *,
    columns: Sequence[str] | None = None,
    support: Mapping[str, Support] | None = None,
    log_weights: ArrayLike | None = None,
    chains: Sequence[int] | NDArray[np.int64] | None = None,
    seed: int = 1,
    config: str | None = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> Density:
    """Fits a density to draws.

    Parameters
    ----------
    draws : array (n, d) or (chains, n, d), pandas or polars table, dict of arrays, ArviZ data
        Rows to fit to. Of ArviZ data the posterior group is taken, with its chains.
    columns : names, optional
        Names for the columns of an array; of other data, the ones to take.
    support : mapping, optional
        Lower and upper end of columns that have them: ``{"tau": (0, None), "p": (0, 1)}``.
    log_weights : array of shape (n,), optional
        Natural logarithms of importance weights, up to a constant.
    chains : n whole numbers, optional
        The Markov chain that each row belongs to; rows are in order.
    seed : int
        Of all random numbers: the same data and seed give the same density on every machine.
    config : str, optional
        A recipe in RON, such as :data:`amf.QUICK`; see :func:`amf.default_config`.
    threads : int, optional
        All cores if not given; the result does not depend on it.
    progress : bool, optional
        A bar on standard error; by default if that is a terminal.

    Returns
    -------
    Density
        Look at ``print(density.report)``: its verdict says whether to trust it.

    Examples
    --------
    >>> import numpy as np, amf
    >>> draws = np.random.default_rng(1).gamma(2.0, size=(300, 1))
    >>> density = amf.fit(draws, columns=["tau"], support={"tau": (0, None)}, config=amf.QUICK)
    >>> density.log_prob([[-1.0]])
    array([-inf])
    """
    found = table(draws, list(columns) if columns is not None else None)
    n = len(found.values)
    supports: list[Support] = [(None, None)] * len(found.columns)
    for name, ends in (support or {}).items():
        if name not in found.columns:
            raise ValueError(f"support: there is no column {name!r}; there are {', '.join(found.columns)}")
        low, high = ends
        supports[found.columns.index(name)] = (_end(low), _end(high))
    weights = None
    if log_weights is not None:
        weights = np.ascontiguousarray(log_weights, dtype=np.float64)
        if weights.shape != (n,):
            raise ValueError(f"log_weights has shape {weights.shape} for {n} rows")
    own = found.chains if chains is None else _chains(chains, n)
    with Bar(progress) as bar:
        inner = _amf.fit(
            found.values, found.columns, supports, weights, own, config, _seed(seed), threads, bar.tell, "Python"
        )
    return Density(inner)


def _end(end: float | None) -> float | None:
    return None if end is None or np.isinf(end) else float(end)


def _chains(chains: Any, n: int) -> list[int]:
    numbers = np.asarray(chains)
    if numbers.shape != (n,):
        raise ValueError(f"chains has shape {numbers.shape} for {n} rows")
    return [int(c) for c in np.unique(numbers, return_inverse=True)[1]]
