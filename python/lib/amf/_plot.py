"""Corner plots."""

from __future__ import annotations

from typing import Any

from ._data import Array


def corner(x: Array, names: list[str], **options: Any) -> Any:
    """By ``corner`` if it is installed, else histograms by matplotlib."""
    try:
        import corner as package
    except ImportError:
        return _histograms(x, names)
    return package.corner(x, labels=names, **options)


def _histograms(x: Array, names: list[str]) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as e:
        raise ImportError("plots need matplotlib: pip install matplotlib") from e
    d = len(names)
    figure, axes = plt.subplots(d, d, figsize=(2.2 * d + 0.5, 2.2 * d + 0.5), squeeze=False)
    for i in range(d):
        for j in range(d):
            axis = axes[i][j]
            if j > i:
                axis.set_visible(False)
            elif i == j:
                axis.hist(x[:, i], bins=60, density=True, histtype="step")
            else:
                axis.hist2d(x[:, j], x[:, i], bins=60, cmap="Blues")
            if i == d - 1:
                axis.set_xlabel(names[j])
            if j == 0 and i > 0:
                axis.set_ylabel(names[i])
    figure.tight_layout()
    return figure
