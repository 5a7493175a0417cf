"""Re-ranking as a graph neural network: encodings passed between nearest neighbors."""

from __future__ import annotations

import torch
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most, require_int
from simgraph.rerankers.distance_source import (
    DistanceSource,
    FeatureDistances,
    joint_neighbors,
    similarity,
)
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import add_products, sparse_rows, unit_rows


@torch.no_grad()
def gnn(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k1: int = 26,
    k2: int = 7,
    layers: int = 2,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Cosine distances of neighbor encodings after message passing.

    $$A \leftarrow \text{rows of length 1 of } S\,(A + A^\top), \qquad
      S_{ij} = s_{ij}^2 \text{ for } j \text{ among the } k2 \text{ nearest of } i$$

    A starts with 1 at each image's k1 nearest among queries and gallery; s is the cosine.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k1: nearest images in an encoding, the image itself counted, 1..Nq + Ng.
        k2: nearest images that send messages, the image itself counted, 1..Nq + Ng.
        layers: rounds of message passing, >= 0.
        normalize: scale every feature row to length 1 first; else rows must have that length.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 2]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Zhang et al., arXiv 2012.07620, 2020; defaults for Market-1501.
    """
    q, g = feature_pair(query, gallery, normalize)
    return like_inputs(
        from_distances(FeatureDistances(q, g), k1, k2, layers, memory), query, gallery
    )


@torch.no_grad()
def from_distances(
    distances: DistanceSource, k1: int, k2: int, layers: int, memory: str | int = DEFAULT
) -> Tensor:
    """The same from distances; see gnn."""
    distances.require_unit()
    count = distances.num_queries + distances.num_gallery
    require_at_most("k1", k1, 1, count, "Nq + Ng")
    require_at_most("k2", k2, 1, count, "Nq + Ng")
    require_int("layers", layers, 0)
    entries = count * (k1 + k2) + 2 * count * min(count, 2 * k1 * k2 * layers)
    require_room("gnn", memory, (distances.num_queries, distances.num_gallery), 3, entries)
    joint = joint_neighbors(distances, max(k1, k2) - 1)
    index, own = joint.index_with_self(), torch.ones_like(joint.largest)[:, None]
    encoding = sparse_rows(index[:, :k1], own.new_ones(k1), count)
    squared = torch.cat([own, similarity(joint.distances).square()], dim=1)
    messages = sparse_rows(index[:, :k2], squared[:, :k2], count)
    for _ in range(layers):
        encoding = unit_rows(messages @ (encoding + encoding.T))
    encoding = unit_rows(encoding)
    distance = torch.zeros_like(joint.query_gallery)
    add_products(distance, (encoding[: distances.num_queries], encoding[distances.num_queries :]))
    return distance.neg_().add_(1)


METHOD = Method(
    "gnn",
    gnn,
    from_distances=from_distances,
    transductive=True,
    needs="distances",
    cost="joint distances (Nq + Ng)² by blocks, sparse products that fill up by layers",
    source="Zhang et al., arXiv 2012.07620, 2020",
)
