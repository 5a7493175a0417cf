"""Checks of parameters: each error says what was expected and what came."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np

Variant: TypeAlias = Literal["paper", "authors"]


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


def check_sim_params(
    k: int | None,
    num_paths: int,
    k_query: int,
    k_gallery: int,
    num_gallery: int,
    variant: Variant = "paper",
) -> None:
    """num_paths <= k + 1, k_gallery <= k, k_query <= Ng; k is None where a graph does not say."""
    check_num_paths(num_paths, k, variant)
    check_neighborhoods(k_query, k_gallery, k, num_gallery, variant)


def check_num_paths(num_paths: int, k: int | None, variant: Variant = "paper") -> None:
    """1 <= num_paths <= k + 1: the direct edge and one path through each neighbour."""
    require_variant(variant)
    require_int("num_paths", num_paths, 1)
    if k is not None and variant == "paper" and num_paths > k + 1:
        raise ValueError(
            f"num_paths = {num_paths} must be at most k + 1 = {k + 1}: "
            "the direct edge and one path through each neighbour"
        )
    if k is not None and variant == "authors" and num_paths > k:
        raise ValueError(
            f"num_paths = {num_paths} must be at most k = {k}: "
            "in the authors' variant k counts the node itself"
        )


def check_neighborhoods(
    k_query: int, k_gallery: int, k: int | None, num_gallery: int, variant: Variant = "paper"
) -> None:
    """1 <= k_query <= Ng and 0 <= k_gallery <= k."""
    require_variant(variant)
    require_int("k_query", k_query, 1)
    require_int("k_gallery", k_gallery, 0)
    if k_query > num_gallery:
        raise ValueError(f"k_query = {k_query} must be at most num_gallery = {num_gallery}")
    if variant == "authors" and k_query == num_gallery:
        raise ValueError(
            f"k_query = {k_query} must be less than num_gallery = {num_gallery}: "
            "in the authors' variant N_c has k_query + 1 members"
        )
    if k is not None and k_gallery > k:
        raise ValueError(f"k_gallery = {k_gallery} must be at most k = {k}")


def require_variant(variant: str) -> None:
    """One of the two that there are."""
    if variant not in ("paper", "authors"):
        raise ValueError(f"variant: expected 'paper' or 'authors', got {variant!r}")


def require_int(name: str, value: object, low: int) -> None:
    """An integer of at least low."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name}: expected an integer, got {value!r}")
    if value < low:
        raise ValueError(f"{name} = {value} must be at least {low}")


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
