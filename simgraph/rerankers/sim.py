"""The similarity inference metric, SGR and MNNR fused (Eq. 1–8)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT
from simgraph.rerankers.distance_source import FeatureDistances, GivenDistances
from simgraph.rerankers.method import Method
from simgraph.sim.auto import resolve_auto
from simgraph.sim.fusion import from_neighbors, sim_distance
from simgraph.sim.params import Auto, SIMParams


def sim(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int | Auto = 20,
    lam: float = 0.01,
    num_paths: int | Auto = 9,
    k_query: int | Auto = 20,
    k_gallery: int | Auto = 20,
    alpha: float = 0.3,
    expand: bool = True,
    images_per_identity: float | None = None,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """α · d_S + (1 − α) · d_M, the similarity inference metric; see `simgraph.SIM`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbors per gallery node, 0 <= k < Ng; or `"auto"`, chosen by
            `simgraph.sim.auto`, and the others with it.
        lam: λ in [0, 1].
        num_paths: K, 1..k + 1; `"auto"` follows k.
        k_query: k_q, 1..Ng, likewise.
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
    given = SIMParams(k, lam, num_paths, k_query, k_gallery, alpha, expand, images_per_identity)
    p = resolve_auto(given, q, g, normalize)
    p.check(len(g))
    source = FeatureDistances(q, g)
    rows = source.query_blocks("sim", memory, p.k)
    finish = from_neighbors(source.gallery_neighbors(p.k), p)
    return like_inputs(source.map_queries(finish, rows), query, gallery)


def from_distances(distances: GivenDistances, memory: str | int = DEFAULT, **params: Any) -> Tensor:
    """`simgraph.sim_distance`."""
    return sim_distance(distances.d_qg, distances.d_gg, memory=memory, **params)


METHOD = Method(
    "sim",
    sim,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="that of sgr and of mnnr",
    source="Jia et al., IJCAI 2020, Eq. 1–8",
)
