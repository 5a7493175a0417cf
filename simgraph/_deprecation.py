"""Old names of arguments and attributes: they work for one release, with a warning."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def renamed_arguments(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take old keyword arguments under their new names.

    Args:
        **renamed: old name → new name.

    Returns:
        A decorator. The signature of what it decorates stays as it is written.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(kwargs)
            for old in [name for name in given if name in renamed]:
                new = renamed[old]
                if new in given:
                    raise TypeError(f"{function.__name__}: got {new!r} and its old name {old!r}")
                warn_renamed(f"{function.__qualname__}: argument {old!r}", repr(new), level=3)
                given[new] = given.pop(old)
            return function(*args, **given)

        return call

    return decorate


def renamed_attribute(old: str, new: str) -> Any:
    """A property that reads an attribute under its old name."""

    def read(self: Any) -> Any:
        warn_renamed(f"{type(self).__name__}.{old}", f"{type(self).__name__}.{new}", level=3)
        return getattr(self, new)

    return property(read, doc=f"Old name of `{new}`.")


def warn_renamed(old: str, new: str, level: int = 2) -> None:
    """Warn the caller `level` frames up that a name will go with the next release."""
    warnings.warn(
        f"{old} is now {new}; the old name goes with the next release",
        DeprecationWarning,
        stacklevel=level,
    )


def method_of_variant(method: str, variant: object) -> str:
    """The method that stands for one of SGR, MNNR or SIM with the old flag `variant`, warned of.

    Args:
        method: sgr, mnnr or sim.
        variant: `"paper"`, which leaves the method, or `"authors"`.

    Returns:
        The method's name now.

    Raises:
        ValueError: for any other variant.
    """
    if variant not in ("paper", "authors"):
        raise ValueError(
            f"variant: expected 'paper' or 'authors', got {variant!r}; it is no parameter any "
            f"more: use the methods {method!r} and '{method}_authors'"
        )
    now = method if variant == "paper" else f"{method}_authors"
    warn_renamed(f"variant={variant!r}", f"the method {now!r}", level=4)
    return now
