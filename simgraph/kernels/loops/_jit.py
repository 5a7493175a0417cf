"""How the loops are compiled, and the block of columns that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

CHUNK = 64
"""Columns that are compared with a bound together, before any of them is processed alone.

Counting the columns below a bound is one vectorized comparison per register. Most chunks have
none, so the branchy insertion runs for few of them.
"""


def jit(function: Callable[..., Any], fastmath: bool | set[str] = False) -> Any:
    """Compile without the GIL, IEEE-exact, and cache on disk where a cache can be written."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:
        # No folder to cache in: each process compiles again.
        return numba.njit(function, **options)


def jit_reordered(function: Callable[..., Any]) -> Any:
    """Compile sums in any order, which fills whole registers; results differ in the last bits."""
    return jit(function, {"reassoc", "contract"})
