"""Graph convolution: features averaged over their neighbors, in several rounds."""

from __future__ import annotations

import torch
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most, require_int, require_positive
from simgraph.distances import l2_distance, nearest_neighbors
from simgraph.rerankers.distance_source import require_unit_rows
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import sparse_rows


@torch.no_grad()
def gcr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 15,
    beta: float = 0.2,
    rounds: int = 3,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Euclidean distances of features propagated over a neighbor graph.

    $$X \leftarrow \text{rows of length 1 of } D_r^{-1/2} S D_c^{-1/2} X, \qquad
      S_{ij} = e^{s_{ij} / \beta} \text{ for } j \text{ among the } k \text{ nearest of } i$$

    over queries and gallery together, with new neighbors in every round; s is the cosine, D_r
    and D_c hold the sums of S over rows and columns.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: nearest images, the image itself counted, 1..Nq + Ng.
        beta: β > 0, temperature.
        rounds: rounds of propagation, >= 0.
        normalize: scale every feature row to length 1 first; else rows must have that length.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 2]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Zhang et al., IEEE TMM 2023, the plain GCR: cameras are not known here, so the term
    across cameras is left out; defaults of the authors' code for Market-1501.
    """
    q, g = feature_pair(query, gallery, normalize)
    require_unit_rows(q, "query")
    require_unit_rows(g, "gallery")
    require_at_most("k", k, 1, len(q) + len(g), "Nq + Ng")
    require_positive("beta", beta)
    require_int("rounds", rounds, 0)
    entries = 4 * (len(q) + len(g)) * k + 2 * (q.numel() + g.numel())
    require_room("gcr", memory, (len(q), len(g)), 2, entries)
    features = torch.cat([q, g])
    for _ in range(rounds):
        features = _propagated(features, k, beta)
    return like_inputs(l2_distance(features[: len(q)], features[len(q) :]), query, gallery)


def _propagated(features: Tensor, k: int, beta: float) -> Tensor:
    distances, index = nearest_neighbors(features, k - 1)
    own = torch.arange(len(features), device=features.device)[:, None]
    # e^(s/β) is e^(−d²/2β) times a constant, which cancels, and cannot overflow.
    weight = torch.exp(-distances.square() / (2 * beta))
    weight = torch.cat([torch.ones_like(features[:, :1]), weight], dim=1)
    index = torch.cat([own, index], dim=1)
    columns = features.new_zeros(len(features)).index_add_(0, index.flatten(), weight.flatten())
    weight /= (weight.sum(1, keepdim=True) * columns[index]).sqrt()
    mixed = sparse_rows(index, weight, len(features)) @ features.cpu().numpy()
    return torch.nn.functional.normalize(torch.from_numpy(mixed).to(features.device), dim=1)


METHOD = Method(
    "gcr",
    gcr,
    transductive=True,
    needs="features",
    cost="joint distances (Nq + Ng)² by blocks, in every round",
    source="Zhang et al., IEEE TMM 2023",
)
