"""Draws as people keep them, as an array with names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Table:
    """Rows with the names of their columns, and the chain that each row belongs to, if known."""

    values: Array
    columns: list[str]
    chains: list[int] | None = None


def rows(x: Any, columns: int | None = None) -> Array:
    """``x`` as floats, n x d; a single row may be one-dimensional if the density has several columns."""
    values = np.asarray(x)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"numbers are needed, not an array of {values.dtype}")
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 1:
        values = values[:, None] if columns in (None, 1) else values[None, :]
    if values.ndim != 2:
        raise ValueError(f"an array of n rows and d columns is needed, not one of shape {values.shape}")
    return values


def table(draws: Any, columns: list[str] | None = None) -> Table:
    """A table from an array (n x d, or chains x n x d), pandas, polars, a dict of arrays, or ArviZ."""
    if isinstance(draws, (str, os.PathLike)):
        raise TypeError(
            "draws are wanted as numbers; read the file first (numpy.load, pandas.read_csv), or fit it with the command "
            "`amf fit FILE`"
        )
    if hasattr(draws, "posterior"):
        return _named(_arviz(draws.posterior), columns)
    if hasattr(draws, "children") and "posterior" in draws.children:
        return _named(_arviz(draws["posterior"]), columns)
    if hasattr(draws, "to_numpy") and hasattr(draws, "columns"):
        names = [str(c) for c in draws.columns]
        return _chosen(Table(rows(draws.to_numpy()), names), columns)
    if isinstance(draws, dict):
        return _chosen(_dict(draws), columns)
    values = np.asarray(draws)
    if values.ndim == 3:
        chains, n, d = values.shape
        found = Table(rows(values.reshape(chains * n, d)), [], _numbers(chains, n))
    else:
        found = Table(rows(values), [])
    d = found.values.shape[1]
    if columns is not None and len(columns) != d:
        raise ValueError(f"{len(columns)} names in columns for {d} columns of draws")
    found.columns = list(columns) if columns is not None else [f"x{j + 1}" for j in range(d)]
    return found


def _numbers(chains: int, n: int) -> list[int]:
    return [c for c in range(chains) for _ in range(n)]


def _dict(draws: dict[Any, Any]) -> Table:
    names: list[str] = []
    parts: list[Array] = []
    for key, given in draws.items():
        values = np.asarray(given, dtype=np.float64)
        if values.ndim == 0:
            raise ValueError(f"{key!r} is a single number; an array with a value for each row is needed")
        if parts and len(values) != len(parts[0]):
            raise ValueError(f"{key!r} has {len(values)} rows where the others have {len(parts[0])}")
        if values.ndim == 1:
            names.append(str(key))
            parts.append(values[:, None])
            continue
        names += _elements(str(key), values.shape[1:])
        parts.append(values.reshape(len(values), -1))
    if not parts:
        raise ValueError("there are no columns")
    return Table(np.concatenate(parts, axis=1), names)


def _elements(name: str, shape: tuple[int, ...]) -> list[str]:
    return [f"{name}[{','.join(str(i) for i in index)}]" for index in np.ndindex(*shape)]


def _arviz(posterior: Any) -> Table:
    """Variables of a posterior group (dimensions chain and draw first), each element a column."""
    names: list[str] = []
    parts: list[Array] = []
    chains, n = int(posterior.sizes["chain"]), int(posterior.sizes["draw"])
    for name in posterior.data_vars:
        values = posterior[name].transpose("chain", "draw", ...).values
        names += _elements(str(name), values.shape[2:]) if values.ndim > 2 else [str(name)]
        parts.append(values.reshape(chains * n, -1).astype(np.float64))
    return Table(np.concatenate(parts, axis=1), names, _numbers(chains, n))


def _named(found: Table, columns: list[str] | None) -> Table:
    """Constant elements (the diagonal of a correlation matrix) have no density, and are left out."""
    if columns is None:
        varying = np.ptp(found.values, axis=0) > 0
        columns = [c for c, v in zip(found.columns, varying) if v]
    return _chosen(found, columns)


def _chosen(found: Table, columns: list[str] | None) -> Table:
    if columns is None:
        return found
    places: list[int] = []
    for name in columns:
        own = [j for j, c in enumerate(found.columns) if c == name or c.startswith(f"{name}[")]
        if not own:
            raise ValueError(f"there is no column {name!r}; there are {', '.join(found.columns)}")
        places += own
    return Table(found.values[:, places], [found.columns[j] for j in places], found.chains)
