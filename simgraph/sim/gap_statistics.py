"""Evidence of identities in query–gallery and gallery distances, by gaps in sorted distances.

Where an identity has k + 1 gallery images, its neighborhoods end: the (k + 1)-th neighbor is far
from the k-th. A wide gap alone is no evidence, because gaps also occur by chance. So each gap is
compared with that of a null gallery, drawn from a normal distribution of the gallery's mean and
covariance, which holds no identities. The idea is that of the gap statistic.

Source: Tibshirani, Walther and Hastie, JRSS B 2001, for the comparison with a null model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph.distances import k_smallest, l2_distance

MAX_NEIGHBORS = 64
"""Largest k considered."""
MAX_ROWS = 500
"""Most queries, and most gallery images, whose distances are read."""
_NULL_IMAGES = 1500  # in all null galleries together: for small galleries several are drawn
_FACTORS = 1000  # most gallery images that the covariance of a null gallery is taken from
# Distances are raised to at least this share of the longest one read. Duplicates would give the
# logarithm of 0, and a few of them must not outweigh all other rows.
_SHORTEST = 1e-3
_HITS = 2  # first hits per query: one is noisy, later ones more often have another identity
_LEAST_RATIO = (
    0.1  # lower bound of a gap's ratio: among duplicates it is 0, whose logarithm is −inf
)

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NeighborhoodGaps:
    """Evidence of identities, each value compared with a null gallery.

    Attributes:
        query: log of the ratio between the gap from a query's k-th nearest gallery image to its
            (k + 1)-th and the same gap in a null gallery, k = 1..n + 1; 0 is chance.
        gallery: the same for the neighbors of gallery images, k = 1..n.
        agreement: how near to a query the k-th neighbors of its first hits are, from 0, as near
            as in a null gallery, to 1, as near as the hits themselves, k = 1..n.
    """

    query: _Floats
    gallery: _Floats
    agreement: _Floats


def neighborhood_gaps(query: Tensor, gallery: Tensor, normalize: bool) -> NeighborhoodGaps | None:
    """Measure the evidence of identities in a gallery and in the distances to it.

    Args:
        query: [Nq, D], of length 1 if `normalize`.
        gallery: [Ng, D], Ng >= 5, the same.
        normalize: whether the rows of null galleries are scaled to length 1 too.

    Returns:
        The evidence; None where all distances of a side are equal.
    """
    query, gallery = _canonical(query.detach()), _canonical(gallery.detach())
    query, rows = query[_spread(len(query))], _spread(len(gallery))
    found = _evidence(query, gallery, rows)
    draws = max(2, min(20, _NULL_IMAGES // len(gallery)))
    generator = torch.Generator().manual_seed(0)
    null = [
        _evidence(query, _null_gallery(gallery, normalize, generator), rows) for _ in range(draws)
    ]
    expected = [np.mean(values, axis=0) for values in zip(*null, strict=True)]
    if not all((gaps > 0).all() for gaps in expected[:2]):
        return None
    by_query, by_gallery = (
        np.log(np.maximum(found[i] / expected[i], _LEAST_RATIO)) for i in (0, 1)
    )
    agreement = (found[2] - expected[2]) / (1 - expected[2])
    return NeighborhoodGaps(by_query, by_gallery[:-1], agreement[: len(by_gallery) - 1])


def _canonical(x: Tensor) -> Tensor:
    """Rows sorted by their values, so that the order of the input has no effect."""
    columns = x[:, :8].double().cpu().numpy()
    order = np.lexsort(columns.T[::-1])
    return x[torch.from_numpy(order).to(x.device)]


def _spread(size: int) -> NDArray[np.int64]:
    """At most MAX_ROWS indices, evenly spaced."""
    return np.asarray(np.linspace(0, size - 1, min(size, MAX_ROWS)).round(), dtype=np.int64)


def _null_gallery(gallery: Tensor, normalize: bool, generator: torch.Generator) -> Tensor:
    """Rows drawn from the normal distribution of the gallery's mean and covariance."""
    mean = gallery.mean(0)
    step = -(-len(gallery) // _FACTORS)
    factors = gallery[::step] - mean
    # Sums of centered rows with normal weights have the covariance of the rows, without a
    # decomposition of it.
    weights = torch.randn(len(gallery), len(factors), generator=generator, dtype=torch.float64)
    drawn = mean + (weights / len(factors) ** 0.5).to(gallery) @ factors
    return torch.nn.functional.normalize(drawn, dim=1) if normalize else drawn


def _evidence(
    query: Tensor, gallery: Tensor, rows: NDArray[np.int64]
) -> tuple[_Floats, _Floats, _Floats]:
    """Mean gaps in the lists of queries and of gallery images, and agreement."""
    d_qg = l2_distance(query, gallery)
    count = min(MAX_NEIGHBORS + 1, len(gallery) - 1)
    own = torch.from_numpy(rows).to(gallery.device)
    d_gg = l2_distance(gallery[own], gallery)
    d_gg[torch.arange(len(own), device=own.device), own] = torch.inf
    return (
        _log_gaps(k_smallest(d_qg, count)[0]),
        _log_gaps(k_smallest(d_gg, count)[0]),
        _agreement(d_qg, gallery, count),
    )


def _log_gaps(distances: Tensor) -> _Floats:
    r"""Mean of $k \log(d_{k+1} / d_k)$ over rows, which is constant in k for an unbounded cloud."""
    d = distances.double().cpu().numpy()
    d = np.maximum(d, np.maximum(_SHORTEST * d[:, -1:], np.finfo(np.float64).tiny))
    gaps = np.arange(1, d.shape[1]) * np.log(d[:, 1:] / d[:, :-1])
    return np.asarray(gaps.mean(0))


def _agreement(d_qg: Tensor, gallery: Tensor, count: int) -> _Floats:
    """Nearness to the query of the first hits' k-th neighbors over that of the hits, k = 1..count.

    Nearness is −D², minus its mean over queries and its mean over gallery images: what is left
    belongs to the pair.
    """
    near = -d_qg.square()
    near = near - near.mean(0)
    near = near - near.mean(1, keepdim=True)
    near = near / near.std(1, keepdim=True).clamp(min=torch.finfo(near.dtype).tiny)
    best, first = near.topk(_HITS, dim=1)
    hits, which = torch.unique(first, return_inverse=True)
    around = l2_distance(gallery[hits], gallery)
    around[torch.arange(len(hits), device=hits.device), hits] = torch.inf
    neighbors = k_smallest(around, count)[1][which]
    beside = near.gather(1, neighbors.flatten(1)).double().cpu().numpy().mean(0)
    own = max(float(best.double().mean()), 1e-12)
    return np.asarray(beside.reshape(_HITS, count).mean(0) / own)
