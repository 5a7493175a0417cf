"""The methods by name, and the two calls that run them: from features, and from distances."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from simgraph._arrays import ArrayT, like_inputs
from simgraph._deprecation import method_of_variant
from simgraph._params import did_you_mean, unknown_name
from simgraph.rerankers import NAMES, module_of
from simgraph.rerankers.distance_source import given_distances
from simgraph.rerankers.method import Method

__all__ = ["METHODS", "Method", "parameters", "rerank", "rerank_distances"]


def _registered(name: str) -> Method:
    """The `METHOD` of the method's module, or that of its name among the module's `METHODS`."""
    module = import_module(module_of(name))
    found: dict[str, Method] = {m.name: m for m in getattr(module, "METHODS", ())}
    return found[name] if found else module.METHOD


METHODS: dict[str, Method] = {name: _registered(name) for name in NAMES}
"""All methods by name, in the order of tables."""

_WITH_VARIANT = ("sgr", "mnnr", "sim")


def rerank(query: ArrayT, gallery: ArrayT, method: str = "sim", **params: Any) -> ArrayT:
    """Compute the distances of one method from features.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        method: a key of `simgraph.rerankers.METHODS`.
        **params: the method's own parameters by name, see its docstring.

    Returns:
        [Nq, Ng], smaller is nearer; numpy if both inputs are, else torch. Where gradients of the
        features are tracked, values may differ from those without by rounding.

    Raises:
        ValueError: for an unknown method or parameter, bad features, or parameters out of range.
    """
    _check_method(method)
    if "variant" in params and method in _WITH_VARIANT:
        method = method_of_variant(method, params.pop("variant"))
    _check_names(method, params, parameters(method))
    answer: ArrayT = METHODS[method].run(query, gallery, **params)
    return answer


def rerank_distances(
    d_qg: ArrayT, d_gg: ArrayT, method: str, d_qq: ArrayT | None = None, **params: Any
) -> ArrayT:
    """Compute the distances of a method that needs no features from distances in any metrics.

    Queries may be compared with the gallery by one metric, gallery images with each other by
    another, and queries with each other by a third. `method="sim"` is `simgraph.sim_distance`.

    Args:
        d_qg: D_qg [Nq, Ng], >= 0, floating, numpy or torch.
        d_gg: D_gg [Ng, Ng], >= 0; the diagonal has no effect. For methods of cosine similarity
            all distances are of vectors of length 1, s = 1 − d²/2.
        method: a key of `simgraph.rerankers.METHODS`, but `gcr`, `alpha_qe` and `dba`, which
            compute with feature vectors.
        d_qq: D_qq [Nq, Nq], for transductive methods.
        **params: the method's own parameters by name, see its docstring; numbers, not `"auto"`,
            which reads features.

    Returns:
        [Nq, Ng], numpy if D_qg and D_gg are, else torch.

    Raises:
        ValueError: for an unknown method or parameter, one that needs features or D_qq, or bad
            distances.
    """
    _check_method(method)
    known = METHODS[method]
    if known.from_distances is None:
        offered = [name for name, other in METHODS.items() if other.from_distances]
        raise ValueError(
            f"method: expected one of {', '.join(offered)}, got {method!r}: {method!r} computes "
            f"with feature vectors: use rerank(query, gallery, {method!r})"
        )
    names = [name for name in parameters(method) if name != "normalize"]
    _check_names(method, params, names)
    if known.transductive and d_qq is None:
        raise ValueError(
            f"{method} reads distances among queries: expected d_qq [Nq, Nq], got none"
        )
    defaults = {name: inspect.signature(known.run).parameters[name].default for name in names}
    distances = known.from_distances(given_distances(d_qg, d_gg, d_qq), **defaults | params)
    return like_inputs(distances, d_qg, d_gg)


def parameters(method: str) -> list[str]:
    """Names of a method's parameters, without query and gallery."""
    return list(inspect.signature(METHODS[method].run).parameters)[2:]


def _check_method(method: object) -> None:
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(unknown_name("method", method, METHODS))


def _check_names(method: str, params: dict[str, Any], known: list[str]) -> None:
    for name in params:
        if name not in known:
            raise ValueError(
                f"{method}: expected parameters of {known}, got {name!r}{did_you_mean(name, known)}"
            )
