"""Densities, evidence and posteriors by adaptive mixtures of normalizing flows.

>>> import numpy as np, amf
>>> draws = np.random.default_rng(1).normal(size=(300, 2))
>>> density = amf.fit(draws, columns=["a", "b"], config=amf.QUICK)
>>> density.log_prob([[0.0, 0.0]]).shape
(1,)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import metrics, rbig
from ._amf import AmfError, __version__, default_config
from ._density import QUICK, Density, Report, fit
from ._posterior import Posterior, Sampler, infer
from ._prior import Prior

if TYPE_CHECKING:
    from ._estimator import AdaptiveMixture

__all__ = [
    "QUICK",
    "AdaptiveMixture",
    "AmfError",
    "Density",
    "Posterior",
    "Prior",
    "Report",
    "Sampler",
    "__version__",
    "default_config",
    "fit",
    "infer",
    "load",
    "metrics",
    "rbig",
]

load = Density.load


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second to import, and few need it.
    if name == "AdaptiveMixture":
        from ._estimator import AdaptiveMixture

        return AdaptiveMixture
    raise AttributeError(f"module 'amf' has no attribute {name!r}")
