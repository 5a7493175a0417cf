"""Expanded cross neighborhoods: mean rank-list distance to each other's neighbors."""

from __future__ import annotations

import torch
from scipy.sparse import csr_array
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most
from simgraph.rerankers.distance_source import (
    DistanceSource,
    FeatureDistances,
    JointNeighbors,
    joint_neighbors,
)
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import add_products, sparse_rows


@torch.no_grad()
def ecn(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 25,
    t: int = 3,
    q: int = 8,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Rank-list distances between images and each other's expanded neighbors.

    $$s(q, g) = \frac{1}{2M} \Big(\sum_{m \in E(q)} R_{mg} + \sum_{m \in E(g)} R_{qm}\Big),
      \qquad R_{ij} = \frac{6 \sum_m r_{im} r_{jm}}{k (k + 1)(2k + 1)}$$

    E(i) holds the t nearest of i and the q nearest of each of those, M = t + t·q with repeats;
    r is k at the image itself, k − 1 at its nearest, and so on down to 1. The distance is 1 − s;
    pairs whose lists share nothing come last, at 1 + their direct distance.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: length of the rank lists, the image itself counted, 1..Nq + Ng.
        t: neighbors, 1..Nq + Ng − 1.
        q: neighbors of each neighbor, 1..Nq + Ng − 1.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], >= 0; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Sarfraz et al., CVPR 2018, the rank-list variant, as in the authors' Python code.
    """
    x, y = feature_pair(query, gallery, normalize)
    return like_inputs(from_distances(FeatureDistances(x, y), k, t, q, memory), query, gallery)


@torch.no_grad()
def from_distances(
    distances: DistanceSource, k: int, t: int, q: int, memory: str | int = DEFAULT
) -> Tensor:
    """The same from distances; see ecn."""
    count, first = distances.num_queries + distances.num_gallery, distances.num_queries
    require_at_most("k", k, 1, count, "Nq + Ng")
    require_at_most("t", t, 1, count - 1, "Nq + Ng − 1")
    require_at_most("q", q, 1, count - 1, "Nq + Ng − 1")
    entries = count * (k + (t + t * q) * min(k, count // 2 + 1))
    require_room("ecn", memory, (distances.num_queries, distances.num_gallery), 4, entries)
    joint = joint_neighbors(distances, max(k - 1, t, q))
    ranks = torch.arange(k, 0, -1, dtype=joint.distances.dtype)
    lists = sparse_rows(joint.index_with_self()[:, :k], ranks, count)
    expanded = _expanded(joint, t, q) @ lists
    similarity = torch.zeros_like(joint.query_gallery)
    add_products(similarity, (expanded[:first], lists[first:]), (lists[:first], expanded[first:]))
    largest = 2 * (t + t * q) * k * (k + 1) * (2 * k + 1) / 6
    return torch.where(similarity > 0, 1 - similarity / largest, 1 + joint.query_gallery)


def _expanded(joint: JointNeighbors, t: int, q: int) -> csr_array:
    """How often each image is in E(i), [N, N]."""
    near = joint.index[:, :t]
    beyond = joint.index[near][:, :, :q].flatten(1)
    index = torch.cat([near, beyond], dim=1)
    return sparse_rows(index, joint.distances.new_ones(index.shape[1]), len(index))


METHOD = Method(
    "ecn",
    ecn,
    from_distances=from_distances,
    transductive=True,
    needs="distances",
    cost="joint distances (Nq + Ng)² by blocks, two sparse products",
    source="Sarfraz et al., CVPR 2018",
)
