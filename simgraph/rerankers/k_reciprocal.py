"""k-reciprocal encoding: Jaccard distances of weighted reciprocal neighborhoods."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most, require_fraction
from simgraph.rerankers.distance_source import (
    DistanceSource,
    FeatureDistances,
    JointNeighbors,
    joint_neighbors,
)
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import add_overlaps, scaled_rows, sparse_rows
from simgraph.sim.mnnr import neighbor_sets


@torch.no_grad()
def k_reciprocal(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k1: int = 20,
    k2: int = 6,
    lam: float = 0.3,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Distances of k-reciprocal encoding, over queries and gallery together.

    $$d = \lambda\, \hat d + (1 - \lambda) \Big(1 -
      \frac{\sum_m \min(V_{qm}, V_{gm})}{2 - \sum_m \min(V_{qm}, V_{gm})}\Big)$$

    With d̂ the squared distance over the largest of that row, V_i holds exp(−d̂) at the expanded
    k1-reciprocal neighbors of i, sums to 1, and is averaged over i and its k2 − 1 nearest.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k1: neighbors for the reciprocal sets, 1..Nq + Ng − 1; the image itself not counted.
        k2: images that V is averaged over, the image itself counted, 1..Nq + Ng.
        lam: λ in [0, 1], weight of the direct distance.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 1]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Zhong et al., CVPR 2017, as in the authors' code: squared distances, each row divided
    by its largest over queries and gallery.
    """
    q, g = feature_pair(query, gallery, normalize)
    return like_inputs(from_distances(FeatureDistances(q, g), k1, k2, lam, memory), query, gallery)


@torch.no_grad()
def from_distances(
    distances: DistanceSource, k1: int, k2: int, lam: float, memory: str | int = DEFAULT
) -> Tensor:
    """The same from distances; see k_reciprocal."""
    count = distances.num_queries + distances.num_gallery
    require_at_most("k1", k1, 1, count - 1, "Nq + Ng − 1")
    require_at_most("k2", k2, 1, count, "Nq + Ng")
    require_fraction("lam", lam)
    entries = 3 * count * k1 + 2 * count * k1 * k2
    require_room("k_reciprocal", memory, (distances.num_queries, distances.num_gallery), 4, entries)
    joint = joint_neighbors(distances, max(k1, k2 - 1))
    encoding = _encoding(distances, joint, k1, k2)
    overlap = torch.zeros_like(joint.query_gallery)
    add_overlaps(overlap, encoding[: distances.num_queries], encoding[distances.num_queries :])
    direct = joint.query_gallery / _scale(joint)[: distances.num_queries, None]
    return lam * direct.square_() + (1 - lam) * (1 - overlap / (2 - overlap))


def _scale(joint: JointNeighbors) -> Tensor:
    """Divisor of the distances: each row's largest, or 1 where all images coincide."""
    return torch.where(joint.largest > 0, joint.largest, 1)


def _encoding(distances: DistanceSource, joint: JointNeighbors, k1: int, k2: int) -> csr_array:
    """V [N, N], averaged over neighbors."""
    count = len(joint.index)
    sets = neighbor_sets(joint.index[:, :k1], k1, expand=True)
    distance = distances.joint_pairs(sets.owner, sets.member) / _scale(joint)[sets.owner]
    weight = torch.exp(-distance.square())
    weight /= torch.zeros_like(joint.largest).index_add_(0, sets.owner, weight)[sets.owner]
    owner, member = sets.owner.cpu().numpy(), sets.member.cpu().numpy()
    encoding = csr_array((weight.cpu().numpy(), (owner, member)), shape=(count, count))
    if k2 == 1:
        return encoding
    among = sparse_rows(joint.index_with_self()[:, :k2], weight.new_ones(k2), count)
    return scaled_rows(among @ encoding, np.full(count, 1 / k2))


METHOD = Method(
    "k_reciprocal",
    k_reciprocal,
    from_distances=from_distances,
    transductive=True,
    needs="distances",
    cost="joint distances (Nq + Ng)² by blocks, sparse encodings",
    source="Zhong et al., CVPR 2017",
)
