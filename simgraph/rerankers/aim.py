"""Affinity inference: images compared by their similarities to the gallery."""

from __future__ import annotations

import torch
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most
from simgraph.distances import k_smallest
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances, similarity
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import add_products, sparse_rows, unit_rows


@torch.no_grad()
def aim(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k1: int = 30,
    k2: int = 6,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Cosine distances of affinities, added to cosine distances of features.

    $$d(q, g) = (1 - \cos(a_q, a_g)) + (1 - s_{qg})$$

    a_q holds q's cosines s to its k1 nearest gallery images and 0 elsewhere; a_g is the mean of
    such vectors over g and its k2 − 1 nearest.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k1: similarities kept, 1..Ng; of a gallery image, to itself among them.
        k2: gallery images averaged over, itself counted, 1..Ng.
        normalize: scale every feature row to length 1 first; else rows must have that length.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 4]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Fang et al., ICCV 2023, the affinity inference module, as in the authors' code.
    """
    q, g = feature_pair(query, gallery, normalize)
    return like_inputs(from_distances(FeatureDistances(q, g), k1, k2, memory), query, gallery)


@torch.no_grad()
def from_distances(
    distances: DistanceSource, k1: int, k2: int, memory: str | int = DEFAULT
) -> Tensor:
    """The same from distances; see aim."""
    distances.require_unit()
    count = distances.num_gallery
    require_at_most("k1", k1, 1, count, "Ng")
    require_at_most("k2", k2, 1, count, "Ng")
    entries = distances.num_queries * k1 + 2 * count * (k1 + k2) + count * min(count, k1 * k2)
    require_room("aim", memory, (distances.num_queries, distances.num_gallery), 4, entries)
    d_qg = distances.query_gallery()
    near, index = k_smallest(d_qg, k1)
    of_queries = sparse_rows(index, similarity(near), count)
    near, index = distances.gallery_neighbors(max(k1, k2) - 1)
    own = torch.arange(count, device=index.device)[:, None]
    near, index = (
        torch.cat([near.new_ones(count, 1), similarity(near)], 1),
        torch.cat([own, index], 1),
    )
    of_gallery = sparse_rows(index[:, :k1], near[:, :k1], count)
    averaged = sparse_rows(index[:, :k2], near.new_ones(k2), count) @ of_gallery
    alike = similarity(d_qg)
    add_products(alike, (unit_rows(of_queries), unit_rows(averaged)))
    return 2 - alike


METHOD = Method(
    "aim",
    aim,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="gallery distances Ng² by blocks, one sparse product",
    source="Fang et al., ICCV 2023",
)
