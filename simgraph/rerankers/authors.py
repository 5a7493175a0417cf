"""SGR, MNNR and SIM as the authors' released code computes them; see `simgraph.sim.authors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances
from simgraph.rerankers.method import Method
from simgraph.sim import authors
from simgraph.sim.params import SIMParams


def sgr_authors(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    lam: float = 0.01,
    num_paths: int = 9,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """d_S as the authors' code computes it: column after column, in place.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbors per gallery node, the node itself counted, 1 <= k < Ng.
        lam: λ in [0, 1].
        num_paths: K, 1..k.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold
            D_qg and D_gg.
    """
    q, g = feature_pair(query, gallery, normalize)
    p = SIMParams(k=k, lam=lam, num_paths=num_paths)
    return like_inputs(_sgr(FeatureDistances(q, g), p, memory), query, gallery)


def _sgr(source: DistanceSource, p: SIMParams, memory: str | int) -> Tensor:
    authors.check_sgr(p, source.num_gallery)
    d_qg, d_gg = source.whole("sgr_authors", memory, p.k)
    return authors.sgr(d_qg, d_gg, p.lam, p.k, p.num_paths)


def mnnr_authors(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    k_query: int = 20,
    k_gallery: int = 20,
    alpha: float = 0.3,
    expand: bool = True,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """α · scaled D_qg + (1 − α) · weighted Jaccard distance, as the authors' code computes it.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbors per gallery node, 0 <= k < Ng; here only the bound of k_gallery.
        k_query: k_q, 1..Ng − 1: N_c has k_q + 1 members.
        k_gallery: k_g, 0..k, the image itself not counted.
        alpha: α in [0, 1].
        expand: whether to expand the reciprocal sets.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold
            D_qg and D_gg.
    """
    q, g = feature_pair(query, gallery, normalize)
    p = SIMParams(k=k, k_query=k_query, k_gallery=k_gallery, alpha=alpha, expand=expand)
    return like_inputs(_mnnr(FeatureDistances(q, g), p, memory), query, gallery)


def _mnnr(source: DistanceSource, p: SIMParams, memory: str | int) -> Tensor:
    authors.check_mnnr(p, source.num_gallery)
    d_qg, d_gg = source.whole("mnnr_authors", memory, p.k_gallery)
    return authors.mnnr(d_qg, d_gg, p.k_query, p.k_gallery, p.alpha, p.expand)


def sim_authors(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    lam: float = 0.01,
    num_paths: int = 9,
    k_query: int = 20,
    k_gallery: int = 20,
    alpha: float = 0.3,
    expand: bool = True,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """d_SIM as the authors' code computes it: sgr_authors, then mnnr_authors on its distances.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbors per gallery node, the node itself counted, 1 <= k < Ng.
        lam: λ in [0, 1].
        num_paths: K, 1..k.
        k_query: k_q, 1..Ng − 1: N_c has k_q + 1 members. The published number is 12.
        k_gallery: k_g, 0..k, the image itself not counted.
        alpha: α in [0, 1], weight of the scaled d_S.
        expand: whether to expand the reciprocal sets.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold
            D_qg and D_gg.
    """
    q, g = feature_pair(query, gallery, normalize)
    p = SIMParams(k, lam, num_paths, k_query, k_gallery, alpha, expand)
    return like_inputs(_sim(FeatureDistances(q, g), p, memory), query, gallery)


def _sim(source: DistanceSource, p: SIMParams, memory: str | int) -> Tensor:
    authors.check(p, source.num_gallery)
    d_qg, d_gg = source.whole("sim_authors", memory, p.k)
    return authors.sim(
        d_qg, d_gg, p.lam, p.k, p.num_paths, p.k_query, p.k_gallery, p.alpha, p.expand
    )


def _flat(
    compute: Callable[[DistanceSource, SIMParams, str | int], Tensor],
) -> Callable[..., Tensor]:
    """The same with the parameters by keyword, as `Method.from_distances` has them."""

    def from_distances(
        distances: DistanceSource, memory: str | int = DEFAULT, **params: Any
    ) -> Tensor:
        return compute(distances, SIMParams(**params), memory)

    return from_distances


_SOURCE = "the code released with Jia et al., IJCAI 2020"

METHODS = (
    Method(
        "sgr_authors",
        sgr_authors,
        from_distances=_flat(_sgr),
        transductive=False,
        needs="distances",
        cost="D_gg whole, Nq · Ng · k sorted, one column after the other",
        source=_SOURCE,
    ),
    Method(
        "mnnr_authors",
        mnnr_authors,
        from_distances=_flat(_mnnr),
        transductive=False,
        needs="distances",
        cost="D_gg whole, a sparse product of weights, Nq · k_q · |R*|",
        source=_SOURCE,
    ),
    Method(
        "sim_authors",
        sim_authors,
        from_distances=_flat(_sim),
        transductive=False,
        needs="distances",
        cost="that of sgr_authors and of mnnr_authors",
        source=_SOURCE,
    ),
)
