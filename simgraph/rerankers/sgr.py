"""Similarity graph reasoning alone: d_S (Eq. 1–5)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances
from simgraph.rerankers.method import Method
from simgraph.sim.auto import resolve_auto, resolve_auto_of_distances
from simgraph.sim.params import Auto, SIMParams
from simgraph.sim.sgr import two_hop_distances


def sgr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int | Auto = 20,
    lam: float = 0.01,
    num_paths: int | Auto = 9,
    images_per_identity: float | None = None,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """d_S, the mean of the K shortest two-hop paths; see `simgraph.SGR`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbors per gallery node, 0 <= k < Ng; or `"auto"`, chosen by
            `simgraph.sim.auto`, and the others with it.
        lam: λ in [0, 1].
        num_paths: K, 1..k + 1; `"auto"` follows k.
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
    given = SIMParams(k=k, lam=lam, num_paths=num_paths, images_per_identity=images_per_identity)
    p = resolve_auto(given, q, g, normalize)
    return like_inputs(_distances(FeatureDistances(q, g), p, memory), query, gallery)


def from_distances(distances: DistanceSource, memory: str | int = DEFAULT, **params: Any) -> Tensor:
    """The same from distances; see sgr."""
    p = resolve_auto_of_distances(SIMParams(**params), distances.num_gallery)
    return _distances(distances, p, memory)


def _distances(source: DistanceSource, p: SIMParams, memory: str | int) -> Tensor:
    p.check_sgr(source.num_gallery)
    rows = source.query_blocks("sgr", memory, p.k)
    nearest = source.gallery_neighbors(p.k)
    return source.map_queries(lambda d_qg: two_hop_distances(d_qg, nearest, p), rows)


METHOD = Method(
    "sgr",
    sgr,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="Nq · Ng · (k + 1) · K compares",
    source="Jia et al., IJCAI 2020, Eq. 1–5",
)
