"""How the loops are compiled, and the block of columns that they share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache

logger = logging.getLogger(__name__)

CHUNK = 64
"""Columns that are compared with a bound together, before any of them is processed alone.

Counting the columns below a bound is one vectorized comparison per register. Most chunks have
none, so the branchy insertion runs for few of them.
"""


class _MendingCache(FunctionCache):  # type: ignore[misc]
    """A cache on disk whose damaged files are replaced, not raised from every later call."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled loop, or None where it must be compiled again."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:
            # Unpickling damaged bytes raises errors of any kind.
            logger.warning(
                "%s: the cache of a compiled loop is damaged (%s: %s); it is compiled again",
                self.cache_path, type(error).__name__, error,
            )  # fmt: skip
        try:
            self.flush()
        except OSError:
            self.disable()  # it cannot be replaced, so this process works without it
        return None


def jit(function: Callable[..., Any], fastmath: bool | set[str] = False) -> Any:
    """Compile without the GIL, IEEE-exact, and cache on disk where a cache can be written."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        dispatcher = numba.njit(function, cache=True, **options)
        dispatcher._cache = _MendingCache(function)
        return dispatcher
    except RuntimeError:
        # No folder to cache in: each process compiles again.
        return numba.njit(function, **options)


def jit_reordered(function: Callable[..., Any]) -> Any:
    """Compile sums in any order, which fills whole registers; results differ in the last bits."""
    return jit(function, {"reassoc", "contract"})
