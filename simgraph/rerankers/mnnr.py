"""Mutual nearest-neighbor reasoning alone, on direct distances (Eq. 6–8)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances
from simgraph.rerankers.method import Method
from simgraph.sim.auto import resolve_auto, resolve_auto_of_distances
from simgraph.sim.fusion import fuse
from simgraph.sim.mnnr import neighbor_sets
from simgraph.sim.params import Auto, SIMParams


def mnnr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int | Auto = 20,
    k_query: int | Auto = 20,
    k_gallery: int | Auto = 20,
    alpha: float = 0.3,
    expand: bool = True,
    images_per_identity: float | None = None,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """α · D_qg + (1 − α) · d_M, with N_c chosen by D_qg; see `simgraph.MNNR`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbors per gallery node, 0 <= k < Ng; here only the bound of k_gallery; or
            `"auto"`, chosen by `simgraph.sim.auto`, and the others with it.
        k_query: k_q, 1..Ng; `"auto"` follows k.
        k_gallery: k_g, 0..k, likewise.
        alpha: α in [0, 1].
        expand: whether to expand the reciprocal sets.
        images_per_identity: about how many gallery images each identity has, where that is known:
            `"auto"` then chooses by it.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text; calls with
            gradients may take more.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.
    """
    q, g = feature_pair(query, gallery, normalize)
    given = SIMParams(
        k=k,
        k_query=k_query,
        k_gallery=k_gallery,
        alpha=alpha,
        expand=expand,
        images_per_identity=images_per_identity,
    )
    p = resolve_auto(given, q, g, normalize)
    return like_inputs(_distances(FeatureDistances(q, g), p, memory), query, gallery)


def from_distances(distances: DistanceSource, memory: str | int = DEFAULT, **params: Any) -> Tensor:
    """The same from distances; see mnnr."""
    p = resolve_auto_of_distances(SIMParams(**params), distances.num_gallery)
    return _distances(distances, p, memory)


def _distances(source: DistanceSource, p: SIMParams, memory: str | int) -> Tensor:
    p.check_mnnr(source.num_gallery)
    rows = source.query_blocks("mnnr", memory, p.k_gallery)
    sets = neighbor_sets(source.gallery_neighbors(p.k_gallery)[1], p.k_gallery, p.expand)
    return source.map_queries(lambda d_qg: fuse(d_qg, sets, p), rows)


METHOD = Method(
    "mnnr",
    mnnr,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="a sparse product of N_c and R*ᵀ, Nq · k_q · |R*|",
    source="Jia et al., IJCAI 2020, Eq. 6–8",
)
