"""Checks of parameters: each error says what was expected and what came."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from functools import partial
from numbers import Real
from typing import Any

import numpy as np


def check_graph_params(k: int, lam: float, candidates: int | None, num_gallery: int) -> None:
    """0 <= k < Ng, 0 <= lam <= 1, 1 <= candidates <= Ng."""
    require_int("k", k, 0)
    if k >= num_gallery:
        raise ValueError(f"k = {k} must be less than num_gallery = {num_gallery}")
    require_fraction("lam", lam)
    if candidates is not None:
        require_int("candidates", candidates, 1)
        if candidates > num_gallery:
            raise ValueError(
                f"candidates = {candidates} must be at most num_gallery = {num_gallery}"
            )


def require_int(name: str, value: object, low: int) -> None:
    """An integer of at least low."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name}: expected an integer, got {value!r}")
    if value < low:
        raise ValueError(f"{name} = {value} must be at least {low}")


require_at_least_0 = partial(require_int, low=0)
require_at_least_1 = partial(require_int, low=1)


def require_at_most(name: str, value: object, low: int, most: int, of: str) -> None:
    """An integer from low to most; `of` says what the bound is made of."""
    require_int(name, value, low)
    assert isinstance(value, int | np.integer)
    if value > most:
        raise ValueError(f"{name} = {value} must be at most {of} = {most}")


def require_positive(name: str, value: object) -> None:
    """A finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name}: expected a number above 0, got {value!r}")
    if not 0 < value < np.inf:
        raise ValueError(f"{name} = {value} must be above 0 and finite")


def require_fraction(name: str, value: object) -> None:
    """A number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name}: expected a number in [0, 1], got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} = {value} must be in [0, 1]")


def require_bool(name: str, value: object) -> None:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: expected True or False, got {value!r}")


def checked_attribute(name: str, check: Callable[[str, object], None], doc: str) -> Any:
    """A property whose every value passes check(name, value), not only that of the constructor."""

    def read(self: Any) -> Any:
        return self.__dict__[f"_{name}"]

    def write(self: Any, value: object) -> None:
        check(name, value)
        self.__dict__[f"_{name}"] = value

    return property(read, write, doc=doc)


def unknown_name(what: str, given: object, known: Iterable[str]) -> str:
    """The text of an error for a name that is not known, with the nearest one that is.

    Args:
        what: the kind of name, as the reader knows it: "method", or a key of a config.
        given: what came.
        known: all names that would do, in the order to show them.

    Returns:
        One line: `what: expected one of …, got …; did you mean …?`.
    """
    names = list(known)
    return f"{what}: expected one of {', '.join(names)}, got {given!r}{did_you_mean(given, names)}"


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """The end of such a text, empty where no known name is near; case does not count."""
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(given).casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def is_ascending_pair(values: object) -> bool:
    """Whether the values are two finite numbers, the first below the second."""
    pair = values if isinstance(values, list | tuple) else ()
    numbers = all(isinstance(v, Real) and not isinstance(v, bool) for v in pair)
    return numbers and len(pair) == 2 and -math.inf < pair[0] < pair[1] < math.inf
