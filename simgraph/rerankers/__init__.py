"""Re-ranking methods behind one signature: features in, distances [Nq, Ng] out."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any

from simgraph._arrays import ArrayT
from simgraph.rerankers import baseline, mnnr, sgr, sim

__all__ = ["METHODS", "parameters", "rerank"]

METHODS: dict[str, Callable[..., Any]] = {
    "baseline": baseline.baseline,
    "sgr": sgr.sgr,
    "mnnr": mnnr.mnnr,
    "sim": sim.sim,
}


def rerank(query: ArrayT, gallery: ArrayT, method: str = "sim", **params: Any) -> ArrayT:
    """Distances of one method, from features.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        method: a key of `simgraph.rerankers.METHODS`.
        **params: the method's own parameters by name, see its docstring.

    Returns:
        [Nq, Ng], smaller is nearer; numpy if both inputs are, else torch.

    Raises:
        ValueError: for an unknown method or parameter, bad features, or parameters out of range.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            f"method: expected one of {list(METHODS)}, got {method!r}{_near(method, METHODS)}"
        )
    known = parameters(method)
    for name in params:
        if name not in known:
            raise ValueError(
                f"{method}: expected parameters of {known}, got {name!r}{_near(name, known)}"
            )
    answer: ArrayT = METHODS[method](query, gallery, **params)
    return answer


def parameters(method: str) -> list[str]:
    """Names of a method's parameters, query and gallery left out."""
    return list(inspect.signature(METHODS[method]).parameters)[2:]


def _near(name: str, known: Any) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
