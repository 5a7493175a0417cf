"""Re-ranking methods behind one signature: features in, distances [Nq, Ng] out."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from simgraph._arrays import ArrayT, like_inputs
from simgraph.rerankers import (
    aim,
    alpha_qe,
    baseline,
    dba,
    diffusion,
    ecn,
    gcr,
    gnn,
    k_reciprocal,
    lbr,
    mnnr,
    sgr,
    sim,
)
from simgraph.rerankers.distance_source import given_distances

__all__ = ["METHODS", "Method", "parameters", "rerank", "rerank_distances"]


@dataclass(frozen=True)
class Method:
    """A re-ranking method, and what a fair comparison says of it.

    Attributes:
        run: called with query [Nq, D], gallery [Ng, D] and its own parameters by keyword; answers
            distances [Nq, Ng].
        transductive: whether a query's distances depend on the other queries.
        needs: `"distances"` where the method reads features through distances or similarities
            alone, `"features"` where it computes with the vectors themselves.
        cost: work and what is held, above the products that give the distances.
        source: the paper.
        from_distances: the same from distances, where that is offered; see rerank_distances.
    """

    run: Callable[..., Any]
    transductive: bool
    needs: Literal["features", "distances"]
    cost: str
    source: str
    from_distances: Callable[..., Tensor] | None = None


_SIM = "Jia et al., IJCAI 2020"

METHODS: dict[str, Method] = {
    "baseline": Method(
        baseline.baseline, transductive=False, needs="distances", cost="none", source="none"
    ),
    "sgr": Method(
        sgr.sgr,
        transductive=False,
        needs="distances",
        cost="Nq · Ng · (k + 1) · K compares",
        source=f"{_SIM}, Eq. 1–5",
    ),
    "mnnr": Method(
        mnnr.mnnr,
        transductive=False,
        needs="distances",
        cost="a sparse product of N_c and R*ᵀ, Nq · k_q · |R*|",
        source=f"{_SIM}, Eq. 6–8",
    ),
    "sim": Method(
        sim.sim,
        transductive=False,
        needs="distances",
        cost="that of sgr and of mnnr",
        source=f"{_SIM}, Eq. 1–8",
    ),
    "k_reciprocal": Method(
        k_reciprocal.k_reciprocal,
        transductive=True,
        needs="distances",
        cost="joint distances (Nq + Ng)² by blocks, sparse encodings",
        source="Zhong et al., CVPR 2017",
        from_distances=k_reciprocal.from_distances,
    ),
    "ecn": Method(
        ecn.ecn,
        transductive=True,
        needs="distances",
        cost="joint distances (Nq + Ng)² by blocks, two sparse products",
        source="Sarfraz et al., CVPR 2018",
        from_distances=ecn.from_distances,
    ),
    "gnn": Method(
        gnn.gnn,
        transductive=True,
        needs="distances",
        cost="joint distances (Nq + Ng)² by blocks, sparse products that fill up by layers",
        source="Zhang et al., arXiv 2012.07620, 2020",
        from_distances=gnn.from_distances,
    ),
    "gcr": Method(
        gcr.gcr,
        transductive=True,
        needs="features",
        cost="joint distances (Nq + Ng)² by blocks, anew each round",
        source="Zhang et al., IEEE TMM 2023",
    ),
    "lbr": Method(
        lbr.lbr,
        transductive=False,
        needs="distances",
        cost="Nq · n² similarities",
        source="Luo et al., ICCV 2019",
        from_distances=lbr.from_distances,
    ),
    "aim": Method(
        aim.aim,
        transductive=False,
        needs="distances",
        cost="gallery distances Ng² by blocks, one sparse product",
        source="Fang et al., ICCV 2023",
        from_distances=aim.from_distances,
    ),
    "alpha_qe": Method(
        alpha_qe.alpha_qe,
        transductive=False,
        needs="features",
        cost="query distances Nq · Ng a second time",
        source="Radenović et al., TPAMI 2018",
    ),
    "dba": Method(
        dba.dba,
        transductive=False,
        needs="features",
        cost="gallery distances Ng² by blocks",
        source="Arandjelović and Zisserman, CVPR 2012; Gordo et al., IJCV 2017",
    ),
    "diffusion": Method(
        diffusion.diffusion,
        transductive=False,
        needs="distances",
        cost="gallery distances Ng² by blocks, some 100 sparse products with Nq columns",
        source="Iscen et al., CVPR 2017; Yang et al., AAAI 2019",
        from_distances=diffusion.from_distances,
    ),
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
    _check_method(method, list(METHODS))
    _check_names(method, params, parameters(method))
    answer: ArrayT = METHODS[method].run(query, gallery, **params)
    return answer


def parameters(method: str) -> list[str]:
    """Names of a method's parameters, query and gallery left out."""
    return list(inspect.signature(METHODS[method].run).parameters)[2:]


def rerank_distances(
    d_qg: ArrayT, d_gg: ArrayT, method: str, d_qq: ArrayT | None = None, **params: Any
) -> ArrayT:
    """Distances of a peer that needs no features, from distances in whatever metrics.

    Queries may be compared with the gallery by one metric, gallery images among themselves by
    another, queries by a third. For SIM there is `simgraph.sim_distance`, for SGR and MNNR
    `simgraph.similarity_graph_from_distances`.

    Args:
        d_qg: D_qg [Nq, Ng], >= 0, floating, numpy or torch.
        d_gg: D_gg [Ng, Ng], >= 0; the diagonal has no effect. For methods of cosine similarity
            all distances are of vectors of length 1, s = 1 − d²/2.
        method: k_reciprocal, ecn, gnn, lbr, aim or diffusion.
        d_qq: D_qq [Nq, Nq], for methods that look at other queries.
        **params: the method's own parameters by name, see its docstring.

    Returns:
        [Nq, Ng], numpy if D_qg and D_gg are, else torch.

    Raises:
        ValueError: for an unknown method or parameter, one that needs features or D_qq, or bad
            distances.
    """
    _check_method(method, [name for name, known in METHODS.items() if known.from_distances])
    names = [name for name in parameters(method) if name != "normalize"]
    _check_names(method, params, names)
    known = METHODS[method]
    if known.transductive and d_qq is None:
        raise ValueError(f"{method} looks at other queries: expected d_qq [Nq, Nq], got none")
    defaults = {name: inspect.signature(known.run).parameters[name].default for name in names}
    assert known.from_distances is not None
    with torch.no_grad():
        distances = known.from_distances(given_distances(d_qg, d_gg, d_qq), **defaults | params)
    return like_inputs(distances, d_qg, d_gg)


def _check_method(method: object, offered: list[str]) -> None:
    if not isinstance(method, str) or method not in offered:
        raise ValueError(
            f"method: expected one of {offered}, got {method!r}{_near(method, offered)}"
        )


def _check_names(method: str, params: dict[str, Any], known: list[str]) -> None:
    for name in params:
        if name not in known:
            raise ValueError(
                f"{method}: expected parameters of {known}, got {name!r}{_near(name, known)}"
            )


def _near(name: object, known: list[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
