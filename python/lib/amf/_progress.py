"""A bar on standard error: by tqdm if it is installed, else a line that is written over."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class Bar:
    """Shown if asked for, or by default if standard error is a terminal."""

    def __init__(self, show: bool | None) -> None:
        self._show = sys.stderr.isatty() if show is None else show
        self._bar: Any = None
        self._written = False

    def __enter__(self) -> Bar:
        if self._show:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return self
            self._bar = tqdm(total=100, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}", leave=False)
        return self

    def tell(self, what: str, share: float) -> None:
        """What is done, and the share of it that is done already."""
        if self._bar is not None:
            self._bar.set_description_str(what)
            self._bar.n = round(100 * share)
            self._bar.refresh()
        elif self._show:
            sys.stderr.write(f"\r{what} {100 * share:3.0f} %\x1b[K")
            sys.stderr.flush()
            self._written = True

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._written:
            sys.stderr.write("\r\x1b[K")
