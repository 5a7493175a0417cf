"""Plain implementations: the same steps in torch, and dense k-reciprocal re-ranking.

Nothing here uses the rest of simgraph, and nothing of it uses this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def products_and_topk(query: Tensor, gallery: Tensor, k: int, rows: int = 1024) -> None:
    """The floor: both matrix products and the k largest of each gallery row, results dropped."""
    for part in torch.split(query, rows):
        part @ gallery.T
    for part in torch.split(gallery, rows):
        torch.topk(part @ gallery.T, k, dim=1)


def row_and_topk(
    query: Tensor, gallery: Tensor, squares: Tensor, top: int
) -> tuple[Tensor, Tensor]:
    """Direct search of one query [D]: one row of distances, and its smallest values."""
    d = (squares - 2 * (gallery @ query)).add_(query.square().sum()).clamp_(min=0).sqrt_()
    values, index = torch.topk(d, top, largest=False)
    return values, index


def sgr(
    d_qg: Tensor, distances: Tensor, neighbors: Tensor, lam: float, num_paths: int, rows: int = 64
) -> Tensor:
    """Eq. 4–5 by a gather of all paths and a top-k, for a block of queries at a time."""
    own = torch.arange(len(neighbors), device=neighbors.device)[:, None]
    ends = torch.cat([own, neighbors], 1)
    last = torch.nn.functional.pad(lam * distances, (1, 0))
    parts = [
        torch.topk(d[:, ends] + last, num_paths, dim=2, largest=False).values.mean(2)
        for d in torch.split(d_qg, rows)
    ]
    return torch.cat(parts)


def k_reciprocal(
    query: NDArray[Any], gallery: NDArray[Any], k1: int = 20, k2: int = 6, lam: float = 0.3
) -> NDArray[Any]:
    """k-reciprocal re-ranking with dense matrices over queries and gallery together.

    This is what one would run without simgraph, so its time is measured. The oracle of the tests
    has loops over single pairs instead, and would be too slow to compare with.

    Args:
        query: [Nq, D].
        gallery: [Ng, D].
        k1: neighbors whose reciprocity counts.
        k2: neighbors whose vectors are averaged.
        lam: weight of the direct distance.

    Returns:
        [Nq, Ng].

    Source: Zhong et al., CVPR 2017, with the parameters of their Market-1501 experiments.
    """
    x = np.concatenate([query, gallery])
    squares = (x * x).sum(1)
    d = np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0)
    d = (d / d.max(0)).T
    rank = np.argsort(d, axis=1)
    weights = np.zeros_like(d)
    for i in range(len(x)):
        members = _mutual(rank, i, k1)
        grown = [members]
        for c in members:
            half = _mutual(rank, c, round(k1 / 2))
            if 3 * len(np.intersect1d(half, members)) > 2 * len(half):
                grown.append(half)
        members = np.unique(np.concatenate(grown))
        near = np.exp(-d[i, members])
        weights[i, members] = near / near.sum()
    weights = np.stack([weights[row].mean(0) for row in rank[:, :k2]])
    direct = d[: len(query), len(query) :]
    answer: NDArray[Any] = lam * direct + (1 - lam) * _jaccard(weights, len(query))
    return answer


def _mutual(rank: NDArray[Any], i: int, k: int) -> NDArray[Any]:
    near = rank[i, : k + 1]
    members: NDArray[Any] = near[(rank[near, : k + 1] == i).any(1)]
    return members


def _jaccard(weights: NDArray[Any], num_queries: int) -> NDArray[Any]:
    """1 − Σ min / Σ max of each query's row with the gallery's, over shared columns only."""
    owners = [np.flatnonzero(column) for column in weights.T]
    out = np.empty((num_queries, len(weights) - num_queries), weights.dtype)
    for i in range(num_queries):
        shared = np.zeros(len(weights), weights.dtype)
        for c in np.flatnonzero(weights[i]):
            shared[owners[c]] += np.minimum(weights[i, c], weights[owners[c], c])
        out[i] = 1 - shared[num_queries:] / (2 - shared[num_queries:])
    return out
