"""SIM with neighbors weighted by their rank: it forgives a k that is too large."""

from __future__ import annotations

import torch
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT
from simgraph._params import require_at_most, require_fraction
from simgraph.distances import k_smallest
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import add_overlaps, sparse_rows


@torch.no_grad()
def rank_sim(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    alpha: float = 0.3,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""SIM's two distances with the weight 1/(1 + r) for a neighbor of rank r.

    $$d = \alpha \frac{\sum_c W_{gc} D_{qc}}{\sum_c W_{gc}} + (1 - \alpha) \Big(1 -
      \frac{\sum_c \min(V_{qc}, W_{gc})}{\sum_c \max(V_{qc}, W_{gc})}\Big)$$

    W_gc is 1/(1 + r) for the r-th nearest gallery image of g, r = 0 for g itself; V_qc the same for
    the nearest gallery images of q, whose first has r = 0. Both are 0 beyond rank k.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: largest rank that counts, 0..Ng − 1.
        alpha: α in [0, 1].
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: this project, after Jia et al., IJCAI 2020.
    """
    q, g = feature_pair(query, gallery, normalize)
    return like_inputs(from_distances(FeatureDistances(q, g), k, alpha, memory), query, gallery)


@torch.no_grad()
def from_distances(
    distances: DistanceSource, k: int, alpha: float, memory: str | int = DEFAULT
) -> Tensor:
    """The same from distances; see rank_sim."""
    count = distances.num_gallery
    require_at_most("k", k, 0, count - 1, "Ng − 1")
    require_fraction("alpha", alpha)
    rows = distances.query_blocks("rank_sim", memory, k)
    near, index = distances.gallery_neighbors(k)
    own = torch.arange(count, device=index.device)[:, None]
    weight = 1 / torch.arange(1, k + 2, dtype=near.dtype)
    codes = sparse_rows(torch.cat([own, index], dim=1), weight, count)
    total = float(weight.sum())

    def finish(d: Tensor) -> Tensor:
        # SGR without a choice of paths: every neighbor counts by its weight.
        mean = torch.from_numpy((codes @ d.T.cpu().numpy()).T / total).to(d)
        shared = torch.zeros_like(d)
        add_overlaps(shared, sparse_rows(k_smallest(d, k + 1)[1], weight, count), codes)
        return alpha * mean + (1 - alpha) * (1 - shared / (2 * total - shared))

    return distances.map_queries(finish, rows)


METHOD = Method(
    "rank_sim",
    rank_sim,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="gallery distances Ng² by blocks, two sparse products",
    source="this project, after Jia et al., IJCAI 2020",
)
