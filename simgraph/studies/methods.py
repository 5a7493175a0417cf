"""Methods as a study names them: `sim`, or `sim:k=auto` with parameters of its own."""

from __future__ import annotations

import contextlib
from typing import TypeAlias

from simgraph.rerankers import NAMES
from simgraph.rerankers.signatures import method_parameters

Value: TypeAlias = float | int | bool | str
"""Of a method's parameter, or of what else a study varies."""


def parse_method(text: str) -> tuple[str, dict[str, Value]]:
    """The method that a name stands for, and the parameters that the name gives it.

    Args:
        text: METHOD, or METHOD:PARAMETER=VALUE,… .

    Returns:
        A key of `simgraph.rerankers.METHODS`; parameter → value, none for a plain name.

    Raises:
        ValueError: for an unknown method or parameter, or another form.
    """
    method, colon, rest = text.partition(":")
    if method not in NAMES:
        raise ValueError(f"each once, of {', '.join(NAMES)}, also as METHOD:PARAMETER=VALUE,…")
    pairs = [pair.partition("=") for pair in rest.split(",")] if colon else []
    if not all(name in method_parameters(method) and value for name, _, value in pairs):
        known = ", ".join(method_parameters(method))
        raise ValueError(f"{method}:PARAMETER=VALUE,… with parameters of {known}")
    return method, {name: parameter_value(value) for name, _, value in pairs}


def method_of(text: str) -> str:
    """The method that a name stands for, of `simgraph.rerankers.METHODS`."""
    return text.partition(":")[0]


def parameter_value(text: str) -> Value:
    """A whole number, a number, true or false, or else the word itself."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return {"true": True, "false": False}.get(text, text)
