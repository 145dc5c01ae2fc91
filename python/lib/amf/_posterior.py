"""Posteriors and evidence from likelihoods."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _amf
from ._data import Array
from ._density import Density, Support, _count, _seed, fit
from ._prior import Coordinates, coordinates
from ._progress import Bar

PriorLike = Mapping[str, Any] | Callable[[Any], Any]


class Sampler:
    """A run that is asked for points and told their values: for clusters and other loops of your own.

    Takes the arguments of :func:`infer` but the likelihood and how it is called. The same values give the same
    result as :func:`infer`, to the bit.

    >>> import numpy as np, amf
    >>> run = amf.Sampler({"a": amf.Prior.normal(0, 1)}, evaluations=2000, ess=500)
    >>> while len(theta := run.ask()):
    ...     run.tell(-0.5 * ((theta[:, 0] - 1) / 0.3) ** 2)
    >>> run.result().ess > 500
    True
    """

    def __init__(
        self,
        prior: PriorLike,
        *,
        names: Sequence[str] | None = None,
        periodic: Sequence[str] = (),
        derived: Sequence[str] = (),
        evaluations: int = 20_000,
        ess: float = 10_000.0,
        evidence_error: float | None = None,
        seed: int = 1,
        folder: str | os.PathLike[str] | None = None,
        depends_on: Sequence[str] = (),
        threads: int | None = None,
    ) -> None:
        self._prior = _prior(prior, names, periodic)
        self._derived = list(derived)
        self._inner = _amf.Sampler(
            self._prior.lines,
            self._prior.names,
            self._prior.periodic,
            self._prior.transform,
            self._derived,
            _count(evaluations),
            float(ess),
            evidence_error,
            _seed(seed),
            None if folder is None else os.fspath(folder),
            list(depends_on),
            threads,
        )
        self._ids: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._status: tuple[int, int, float, float, float, float] = (0, 0, 0.0, 0.0, -np.inf, np.inf)

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return self._prior.names

    @property
    def ids(self) -> NDArray[np.int64]:
        """Numbers of the points that were asked for last."""
        return self._ids

    def ask(self) -> Array:
        """The points whose log-likelihoods are wanted next, shape (n, d); none when the run is done."""
        self._ids, theta, self._status = self._inner.ask()
        return theta

    def tell(
        self,
        log_likelihood: ArrayLike,
        derived: ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> None:
        """Tells values of the points that were asked for last, or of those with the numbers ``ids``.

        Minus infinity where the data are impossible; NaN counts as that, with a warning in the result.
        """
        of = self._ids if ids is None else np.asarray(ids, dtype=np.int64)
        values = np.ascontiguousarray(log_likelihood, dtype=np.float64)
        extra = np.empty((len(of), 0)) if derived is None else np.asarray(derived, dtype=np.float64)
        if extra.ndim == 1:
            extra = extra.reshape(len(of), -1)
        if values.ndim != 1:
            raise ValueError(f"a log-likelihood for each point is needed, not an array of shape {values.shape}")
        self._inner.tell(of, values, extra)

    def result(self) -> Posterior:
        """The posterior so far; the run is over then."""
        return Posterior(self._inner.finish(), self._prior)


class Posterior:
    """Weighted draws of a posterior, its evidence, and what is wrong with them."""

    def __init__(self, inner: _amf.Found, prior: Coordinates) -> None:
        self._inner = inner
        self._prior = prior

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return self._inner.names

    @property
    def log_evidence(self) -> float:
        """``ln Z``, nats."""
        return self._inner.log_evidence[0]

    @property
    def log_evidence_error(self) -> float:
        """The standard error of :attr:`log_evidence`, nats."""
        return self._inner.log_evidence[1]

    @property
    def ess(self) -> float:
        """Effective sample size of the weighted draws."""
        return self._inner.ess

    @property
    def pareto_k(self) -> float | None:
        """Shape of the tail of the weights; above 0.7 a few draws may dominate."""
        return self._inner.pareto_k

    @property
    def evaluations(self) -> int:
        """How often the likelihood was evaluated."""
        return self._inner.evaluations

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the result and what to do; empty when it can be used."""
        return self._inner.warnings

    @cached_property
    def theta(self) -> Array:
        """Parameters of all evaluations, shape (N, d)."""
        return self._inner.theta()

    @cached_property
    def weights(self) -> Array:
        """Weights of all evaluations as draws of the posterior, with sum one."""
        return self._inner.weights()

    @cached_property
    def log_likelihood(self) -> Array:
        """Log-likelihoods of all evaluations."""
        return self._inner.log_likelihood()

    @cached_property
    def derived(self) -> dict[str, Array]:
        """Derived quantities of all evaluations."""
        values = self._inner.derived()
        return {name: values[:, j] for j, name in enumerate(self._inner.derived_names)}

    def sample(self, n: int, seed: int | None = None) -> Array:
        """``n`` equally weighted draws, shape (n, d), by resampling: a draw occurs n times its weight."""
        return self.theta[self._inner.resampled(_count(n), _seed(seed))]

    def density(self, draws: int = 4000, seed: int = 1, **options: Any) -> Density:
        """A density fitted to the weighted draws, see :func:`amf.fit`; it is zero outside of the prior's support."""
        rows = np.flatnonzero(self.weights)
        if len(rows) > draws:
            rows = np.unique(self._inner.resampled(_count(draws), seed))
            logs = np.log(np.bincount(self._inner.resampled(_count(draws), seed), minlength=len(self.weights))[rows])
        else:
            logs = np.log(self.weights[rows])
        support: dict[str, Support] = dict(zip(self.names, self._prior.supports))
        return fit(self.theta[rows], columns=self.names, support=support, log_weights=logs, seed=seed, **options)

    def to_arviz(self, n: int | None = None, seed: int = 1) -> Any:
        """Equally weighted draws as ArviZ data of one chain."""
        import arviz

        count = max(1, round(self.ess)) if n is None else n
        rows = self._inner.resampled(_count(count), _seed(seed))
        columns = {name: self.theta[rows, j][None, :] for j, name in enumerate(self.names)}
        columns |= {name: values[rows][None, :] for name, values in self.derived.items()}
        return arviz.from_dict({"posterior": columns}) if _takes_groups(arviz) else arviz.from_dict(posterior=columns)

    def __repr__(self) -> str:
        return (
            f"<amf.Posterior of {', '.join(self.names)}: ln Z {self.log_evidence:.4f} ± {self.log_evidence_error:.4f}, "
            f"effective sample size {self.ess:.0f} of {self.evaluations} evaluations>"
        )


def _takes_groups(arviz: Any) -> bool:
    return int(str(arviz.__version__).split(".")[0]) >= 1


def _prior(prior: PriorLike, names: Sequence[str] | None, periodic: Sequence[str]) -> Coordinates:
    if not callable(prior):
        if names is not None or periodic:
            raise TypeError("names and periodic are for a prior transform; a dict of priors has its own")
        return coordinates(prior)
    if not names:
        raise TypeError("a prior transform needs names: names=['a', 'b']")
    unknown = [p for p in periodic if p not in names]
    if unknown:
        raise ValueError(f"periodic: there is no parameter {unknown[0]!r}; there are {', '.join(names)}")

    def transform(u: Array) -> Array:
        return np.array([np.asarray(prior(row.copy()), dtype=np.float64) for row in u]).reshape(len(u), -1)

    ends: list[Support] = [(None, None)] * len(names)
    return Coordinates(list(names), [n in periodic for n in names], None, transform, ends)


def infer(
    log_likelihood: Callable[..., Any],
    prior: PriorLike,
    *,
    evaluations: int = 20_000,
    ess: float = 10_000.0,
    evidence_error: float | None = None,
    derived: Sequence[str] = (),
    vectorized: bool = False,
    pool: Any = None,
    names: Sequence[str] | None = None,
    periodic: Sequence[str] = (),
    seed: int = 1,
    folder: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> Posterior:
    """Posterior and evidence by annealed importance sampling, in 1 to about 30 dimensions.

    Parameters
    ----------
    log_likelihood : callable
        Takes the parameters of a point, shape (d,), and returns the log-likelihood, or a tuple of it and the
        derived quantities. With ``vectorized=True`` it takes many points, shape (n, d), and returns n values.
    prior : dict or callable
        From names to :class:`amf.Prior` or frozen distributions of scipy.stats; or a prior transform from the unit
        cube, as nested samplers take it, with ``names``.
    evaluations : int
        The most evaluations; the budget is exact.
    ess : float
        The effective sample size at which the run ends before that.
    evidence_error : float, optional
        The standard error of ln Z that is wanted as well.
    derived : names, optional
        Of derived quantities.
    pool : optional
        Anything with ``map``: multiprocessing, concurrent.futures, mpi4py, Dask, ray.
    folder : path, optional
        Keeps each evaluation as it comes: the same call after an interruption makes none of them again.
    seed, threads, progress
        As for :func:`amf.fit`.

    Returns
    -------
    Posterior
        Look at its ``warnings``.

    Examples
    --------
    >>> import amf
    >>> found = amf.infer(lambda t: -0.5 * ((t[0] - 1) / 0.3) ** 2, {"a": amf.Prior.normal(0, 1)}, ess=500)
    >>> abs(found.log_evidence - -1.7045) < 5 * found.log_evidence_error
    True
    """
    if not callable(log_likelihood):
        raise TypeError("log_likelihood must be callable")
    if vectorized and pool is not None:
        raise ValueError("vectorized and pool exclude each other: a vectorized likelihood takes all points at once")
    run = Sampler(
        prior,
        names=names,
        periodic=periodic,
        derived=derived,
        evaluations=evaluations,
        ess=ess,
        evidence_error=evidence_error,
        seed=seed,
        folder=folder,
        depends_on=[f"likelihood {_name(log_likelihood)}"] if folder is not None else [],
        threads=threads,
    )
    with Bar(progress) as bar:
        while len(theta := run.ask()):
            _evaluate(run, theta, log_likelihood, vectorized, pool, list(derived))
            _, done, beta, have, z, error = run._status
            share = min(1.0, max(done / evaluations, have / ess if beta == 1.0 else 0.0))
            bar.tell(f"{done} evaluations, ln Z {z:.3f} ± {error:.3f}, effective sample size {have:.0f}", share)
    found = run.result()
    for warning in found.warnings:
        warnings.warn(warning, stacklevel=2)
    return found


def _name(function: Any) -> str:
    """The code of a likelihood, so that a folder of another one is refused."""
    code = getattr(function, "__code__", None)
    mark = hashlib.sha256(code.co_code + repr(code.co_consts).encode()).hexdigest()[:16] if code else ""
    return f"{getattr(function, '__qualname__', type(function).__qualname__)} {mark}".strip()


def _evaluate(
    run: Sampler, theta: Array, log_likelihood: Callable[..., Any], vectorized: bool, pool: Any, derived: list[str]
) -> None:
    """Evaluates a round and tells it; what has come is told also when an exception ends the round."""
    if vectorized:
        given = log_likelihood(theta)
        values, extra = given if derived else (given, None)
        run.tell(np.asarray(values, dtype=np.float64).reshape(-1), extra)
        return
    came: list[tuple[float, list[float]]] = []
    try:
        evaluated = map(log_likelihood, theta) if pool is None else pool.map(log_likelihood, list(theta))
        for i, value in enumerate(evaluated):
            came.append(_value(value, derived, theta[i], run.names))
    finally:
        if came:
            ids = run.ids[: len(came)]
            run.tell([v for v, _ in came], np.array([d for _, d in came]).reshape(len(came), -1), ids)


def _value(value: Any, derived: list[str], point: Array, names: list[str]) -> tuple[float, list[float]]:
    parts = list(value) if isinstance(value, (tuple, list)) else [value]
    if len(parts) == 2 and np.ndim(parts[1]) == 1:
        parts = [parts[0], *parts[1]]
    try:
        numbers = [float(v) for v in parts]
    except (TypeError, ValueError) as e:
        where = ", ".join(f"{n} = {v!r}" for n, v in zip(names, point.tolist()))
        raise TypeError(f"log_likelihood gave {value!r} at {where}; a number is needed") from e
    if len(numbers) != 1 + len(derived):
        raise ValueError(
            f"log_likelihood gave {len(numbers)} numbers where {1 + len(derived)} are expected: the log-likelihood"
            + (f" and {', '.join(derived)}" if derived else "; name further ones by derived=[...]")
        )
    return numbers[0], numbers[1:]
