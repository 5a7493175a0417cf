"""Database-side augmentation: each gallery image is summed with its nearest neighbors."""

from __future__ import annotations

import torch

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most
from simgraph.distances import l2_distance, nearest_neighbors
from simgraph.rerankers.distance_source import require_unit_rows
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import sparse_rows


@torch.no_grad()
def dba(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Euclidean distances of queries to augmented gallery images.

    $$g' \propto g + \sum_{r=1}^{k} \frac{k - r}{k}\, g_{(r)}$$

    where g_(r) is the r-th nearest other gallery image; g' is scaled to length 1.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: neighbors, 0..Ng − 1; the k-th has weight 0, as published.
        normalize: scale every feature row to length 1 first; else rows must have that length.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 2]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Arandjelović and Zisserman, CVPR 2012; weights and k of Gordo et al., IJCV 2017.
    """
    q, g = feature_pair(query, gallery, normalize)
    require_unit_rows(q, "query")
    require_unit_rows(g, "gallery")
    require_at_most("k", k, 0, len(g) - 1, "Ng − 1")
    entries = 3 * len(g) * k + 2 * g.numel()
    require_room("dba", memory, (len(q), len(g)), 2, entries)
    _, index = nearest_neighbors(g, k)
    weight = torch.arange(k - 1, -1, -1, dtype=g.dtype) / max(1, k)
    added = torch.from_numpy(sparse_rows(index, weight, len(g)) @ g.cpu().numpy()).to(g.device)
    augmented = torch.nn.functional.normalize(g + added, dim=1)
    return like_inputs(l2_distance(q, augmented), query, gallery)


METHOD = Method(
    "dba",
    dba,
    transductive=False,
    needs="features",
    cost="gallery distances Ng² by blocks",
    source="Arandjelović and Zisserman, CVPR 2012; Gordo et al., IJCV 2017",
)
