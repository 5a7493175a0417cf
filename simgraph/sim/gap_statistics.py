"""What query–gallery and gallery distances tell of identities, against a gallery without any.

A gallery of identities has neighbourhoods that end: the (k + 1)-th neighbour is far from the k-th
where an identity has k + 1 images. The same gallery without identities is a normal cloud of the
same mean and covariance; what is seen there is chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph.distances import k_smallest, l2_distance

MAX_NEIGHBORS = 64
"""The largest k looked at."""
MAX_ROWS = 500
"""Queries, and gallery images, whose distances are looked at."""
_IMAGES = 1500  # of chance galleries, together: small ones are drawn several times
_FACTORS = 1000  # gallery images that a chance gallery's covariance is taken from
# A distance below this share of the longest one looked at counts as that: duplicates would be at
# the logarithm of 0, and a few of them must not outweigh the rest.
_SHORTEST = 1e-3
_HITS = 2  # of a query: one alone is noisier, and later ones are other identities' oftener
_LEAST = 0.1  # a step among duplicates is 0: its logarithm would outweigh its neighbours

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Structure:
    """Evidence of identities, each figure against chance.

    Attributes:
        query: log of how much wider than by chance the step from a query's k-th nearest gallery
            image to its (k + 1)-th is, k = 1..n + 1; 0 is chance.
        gallery: the same of the neighbours of gallery images, k = 1..n.
        agreement: how near to a query the k-th neighbours of its first hits are, between chance
            (0) and as near as the hits themselves (1), k = 1..n.
    """

    query: _Floats
    gallery: _Floats
    agreement: _Floats


def structure(query: Tensor, gallery: Tensor, normalize: bool) -> Structure | None:
    """Measure the evidence of identities in a gallery and in the distances to it.

    Args:
        query: [Nq, D], of length 1 if `normalize`.
        gallery: [Ng, D], Ng >= 5, the same.
        normalize: whether chance galleries have rows of length 1 too.

    Returns:
        The evidence; None where a side has no spread.
    """
    query, gallery = _canonical(query.detach()), _canonical(gallery.detach())
    query, rows = query[_spread(len(query))], _spread(len(gallery))
    seen = _evidence(query, gallery, rows)
    draws = max(2, min(20, _IMAGES // len(gallery)))
    generator = torch.Generator().manual_seed(0)
    chance = [
        _evidence(query, _chance_gallery(gallery, normalize, generator), rows) for _ in range(draws)
    ]
    expected = [np.mean(values, axis=0) for values in zip(*chance, strict=True)]
    if not all((steps > 0).all() for steps in expected[:2]):
        return None
    by_query, by_gallery = (np.log(np.maximum(seen[i] / expected[i], _LEAST)) for i in (0, 1))
    agreement = (seen[2] - expected[2]) / (1 - expected[2])
    return Structure(by_query, by_gallery[:-1], agreement[: len(by_gallery) - 1])


def _canonical(x: Tensor) -> Tensor:
    """Rows in an order of their values, so that no answer depends on the order they came in."""
    columns = x[:, :8].double().cpu().numpy()
    order = np.lexsort(columns.T[::-1])
    return x[torch.from_numpy(order).to(x.device)]


def _spread(size: int) -> NDArray[np.int64]:
    """At most MAX_ROWS indices, evenly spaced."""
    return np.asarray(np.linspace(0, size - 1, min(size, MAX_ROWS)).round(), dtype=np.int64)


def _chance_gallery(gallery: Tensor, normalize: bool, generator: torch.Generator) -> Tensor:
    """Rows drawn from the normal distribution of the gallery's mean and covariance."""
    mean = gallery.mean(0)
    step = -(-len(gallery) // _FACTORS)
    factors = gallery[::step] - mean
    # Normal weights of the centred rows: their covariance is the rows' own, no decomposition.
    weights = torch.randn(len(gallery), len(factors), generator=generator, dtype=torch.float64)
    drawn = mean + (weights / len(factors) ** 0.5).to(gallery) @ factors
    return torch.nn.functional.normalize(drawn, dim=1) if normalize else drawn


def _evidence(
    query: Tensor, gallery: Tensor, rows: NDArray[np.int64]
) -> tuple[_Floats, _Floats, _Floats]:
    """Mean steps of the queries' lists and of the gallery's, and agreement."""
    d_qg = l2_distance(query, gallery)
    count = min(MAX_NEIGHBORS + 1, len(gallery) - 1)
    own = torch.from_numpy(rows).to(gallery.device)
    d_gg = l2_distance(gallery[own], gallery)
    d_gg[torch.arange(len(own), device=own.device), own] = torch.inf
    return (
        _steps(k_smallest(d_qg, count)[0]),
        _steps(k_smallest(d_gg, count)[0]),
        _agreement(d_qg, gallery, count),
    )


def _steps(distances: Tensor) -> _Floats:
    r"""Mean of $k \log(d_{k+1} / d_k)$ over rows: the same for all k in a cloud without bounds."""
    d = distances.double().cpu().numpy()
    d = np.maximum(d, np.maximum(_SHORTEST * d[:, -1:], np.finfo(np.float64).tiny))
    steps = np.arange(1, d.shape[1]) * np.log(d[:, 1:] / d[:, :-1])
    return np.asarray(steps.mean(0))


def _agreement(d_qg: Tensor, gallery: Tensor, count: int) -> _Floats:
    """Nearness of the first hits' k-th nearest to the query, over the hits' own, k = 1..count.

    Nearness is −D² without what belongs to the query, and to the gallery image, alone.
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
