"""A scikit-learn estimator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.covariance import LedoitWolf
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ._data import Array
from ._density import Density, fit


#: Fewer rows than this are too few to be held out in turn.
LEAST = 20


class Normal:
    """A normal distribution with a covariance shrunk by Ledoit and Wolf's rule: what so few rows can tell."""

    def __init__(self, x: Array) -> None:
        found = LedoitWolf().fit(x)
        self._mean: Array = found.location_
        # Rows that are all alike still need a width.
        self._factor: Array = np.linalg.cholesky(found.covariance_ + 1e-12 * np.eye(x.shape[1]))

    def log_prob(self, x: Array) -> Array:
        """Log-density of each row, nats."""
        white = np.linalg.solve(self._factor, (x - self._mean).T)
        norm = np.log(np.diag(self._factor)).sum() + 0.5 * len(self._mean) * np.log(2 * np.pi)
        return np.asarray(-0.5 * (white**2).sum(axis=0) - norm)

    def sample(self, n: int, seed: int) -> Array:
        """Draws of it."""
        z = np.random.default_rng(seed).normal(size=(n, len(self._mean)))
        return np.asarray(self._mean + z @ self._factor.T)


class AdaptiveMixture(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """A density estimator with the interface of scikit-learn.

    Parameters
    ----------
    config : str, optional
        A recipe in RON, such as :data:`amf.QUICK`; the default recipe if not given.
    random_state : int, RandomState or None
        Seed of the fit.
    n_jobs : int, optional
        Threads; all cores if not given.

    Attributes
    ----------
    density_ : amf.Density
        The density that was fitted; of fewer than 20 rows, or no more than columns, a shrunk normal, with a warning.

    Examples
    --------
    >>> import numpy as np, amf
    >>> x = np.random.default_rng(1).normal(size=(300, 2))
    >>> amf.AdaptiveMixture(config=amf.QUICK, random_state=1).fit(x).score_samples(x[:3]).shape
    (3,)
    """

    def __init__(self, config: str | None = None, random_state: Any = None, n_jobs: int | None = None) -> None:
        self.config = config
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> AdaptiveMixture:
        """Fits the density to the rows of ``X`` (n, d)."""
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        threads = self.n_jobs if self.n_jobs is not None and self.n_jobs > 0 else None
        least = max(LEAST, X.shape[1] + 1)
        if len(X) < least:
            warnings.warn(f"{len(X)} rows are too few for a mixture: a normal is fitted; at least {least} are needed", stacklevel=2)
            self.density_: Density | Normal = Normal(X)
        else:
            self.density_ = fit(X, config=self.config, seed=int(seed), threads=threads, progress=False)
        return self

    def score_samples(self, X: Any) -> Array:
        """Log-density of each row, nats."""
        check_is_fitted(self)
        return self.density_.log_prob(validate_data(self, X, dtype=np.float64, reset=False))

    def score(self, X: Any, y: Any = None) -> float:
        """Sum of the log-densities of the rows, as of scikit-learn's density estimators."""
        return float(np.sum(self.score_samples(X)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Draws of the density."""
        check_is_fitted(self)
        seed = random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        return self.density_.sample(n_samples, int(seed))
