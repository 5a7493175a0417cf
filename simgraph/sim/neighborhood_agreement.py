"""Evidence of identities without labels: how well neighborhoods agree, and how near they begin.

Where images of an identity are each other's neighbors, the neighborhoods of two of them share most
of their images. Some images are shared by chance too, so each share is compared with that of a
null gallery: rows drawn from a normal distribution of the gallery's mean and covariance, which
holds no identities.

Source: Tibshirani, Walther and Hastie, JRSS B 2001, for the comparison with a null model; Cohen,
Educational and Psychological Measurement 1960, for agreement corrected for chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph._exact_products import exact_products
from simgraph.distances import k_smallest, l2_blocks, row_blocks

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 24, 29, 36, 43, 52, 64)
"""The values of k considered: all small ones, then steps of about a fifth."""
MAX_ROWS = 1000
"""Most queries, and most gallery images, whose neighborhoods are compared."""
_CONTRAST_ROWS = 500  # the same for contrasts; fewer, so that a slight lead is not a clear one
_NULL_IMAGES = 1500  # in all null galleries together: for small galleries several are drawn
_FACTORS = 1000  # most gallery images that the covariance of a null gallery is taken from
_PART = 3  # k is at most this part of the gallery: in larger neighborhoods chance shares nearly all
_GOLDEN = 0.618034  # multiples of it modulo 1 are evenly spread

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """How far first neighbors stand out from all others, in standard deviations of a row.

    Attributes:
        mean: over rows, of (mean of D² − smallest D²) / standard deviation of D².
        error: its standard error.
    """

    mean: float
    error: float


@dataclass(frozen=True, eq=False)
class NeighborhoodAgreement:
    """Evidence of identities at each size of a neighborhood.

    Attributes:
        sizes: [n] values of k, ascending.
        gallery: [n] agreement κ_g of the neighborhoods of two gallery images, one of which is
            among the k neighbors of the other; 0 is chance, 1 is equality.
        query: [n] agreement κ_q of the neighborhoods of a query and of its first hit.
        gallery_contrast: of gallery images to the rest of the gallery.
        query_contrast: of queries to the gallery.
    """

    sizes: NDArray[np.int64]
    gallery: _Floats
    query: _Floats
    gallery_contrast: Contrast
    query_contrast: Contrast


def neighborhood_agreement(
    query: Tensor, gallery: Tensor, normalize: bool
) -> NeighborhoodAgreement | None:
    r"""Measure how well neighborhoods agree in a gallery and across to the queries.

    $$\kappa(k) = \frac{o(k) - o_0(k)}{1 - o_0(k)}, \qquad
      o(k) = \frac{|N_k(a) \cap N_k(b)|}{k + 1}$$

    N_k holds an image and its k neighbors, for a query its k + 1 nearest images. For κ_g, a is a
    gallery image and b one of its k neighbors; for κ_q, a is a query and b its first hit. o_0 is
    o in null galleries.

    Args:
        query: [Nq, D], of length 1 if `normalize`.
        gallery: [Ng, D], Ng >= 4, the same.
        normalize: whether the rows of null galleries are scaled to length 1 too.

    Returns:
        The evidence; None where all distances of a side are equal.
    """
    query, gallery = _canonical(query.detach()), _canonical(gallery.detach())
    few, own = _spread(len(query), _CONTRAST_ROWS), _spread(len(gallery), _CONTRAST_ROWS)
    contrasts = _contrast(query[few], gallery), _contrast(gallery[own], gallery, own)
    if not all(np.isfinite(c.mean) for c in contrasts):
        return None
    query, rows = query[_spread(len(query), MAX_ROWS)], _spread(len(gallery), MAX_ROWS)
    sizes = [k for k in SIZES if k <= max(1, (len(gallery) - 1) // _PART)]
    found = _overlaps(query, gallery, rows, sizes)
    generator = torch.Generator().manual_seed(0)
    null = [
        _overlaps(query, _null_gallery(gallery, normalize, generator), rows, sizes)
        for _ in range(max(2, min(20, _NULL_IMAGES // len(gallery))))
    ]
    chance = np.minimum(np.mean(null, axis=0), 1 - 1e-9)
    by_query, by_gallery = (found - chance) / (1 - chance)
    return NeighborhoodAgreement(
        np.array(sizes), by_gallery, by_query, gallery_contrast=contrasts[1],
        query_contrast=contrasts[0],
    )  # fmt: skip


def _canonical(x: Tensor) -> Tensor:
    """Rows sorted by their values, so that the order of the input has no effect."""
    columns = x[:, :8].double().cpu().numpy()
    order = np.lexsort(columns.T[::-1])
    return x[torch.from_numpy(order).to(x.device)]


def _spread(size: int, most: int) -> Tensor:
    """At most so many indices, evenly spaced."""
    places = np.linspace(0, size - 1, min(size, most)).round()
    return torch.from_numpy(places.astype(np.int64))


def _null_gallery(gallery: Tensor, normalize: bool, generator: torch.Generator) -> Tensor:
    """Rows drawn from the normal distribution of the gallery's mean and covariance."""
    mean = gallery.mean(0)
    step = -(-len(gallery) // _FACTORS)
    factors = gallery[::step] - mean
    # Sums of centered rows with normal weights have the covariance of the rows, without a
    # decomposition of it. The weights of all rows at once would be the largest array of all.
    drawn = torch.empty_like(gallery)
    for rows in row_blocks(len(gallery), 2 * 8 * len(factors)):
        shape = len(drawn[rows]), len(factors)
        weights = torch.randn(shape, generator=generator, dtype=torch.float64) / len(factors) ** 0.5
        with exact_products(gallery.device.type):
            drawn[rows] = mean + weights.to(gallery) @ factors
    return torch.nn.functional.normalize(drawn, dim=1) if normalize else drawn


def _contrast(x: Tensor, gallery: Tensor, own: Tensor | None = None) -> Contrast:
    """The contrast of rows x to the gallery; `own` are their indices where they belong to it."""
    parts = []
    for rows, d in l2_blocks(x, gallery):
        squared = d.double().square()
        if own is not None:
            squared[torch.arange(len(d), device=d.device), own[rows].to(d.device)] = torch.nan
        mean = squared.nanmean(1)
        spread = (squared - mean[:, None]).square().nanmean(1).sqrt()
        near = squared.nan_to_num(torch.inf).amin(1)
        parts.append(((mean - near) / spread).cpu())
    z = torch.cat(parts)
    return Contrast(float(z.mean()), float(z.std(correction=0)) / len(z) ** 0.5)


def _overlaps(query: Tensor, gallery: Tensor, rows: Tensor, sizes: list[int]) -> _Floats:
    """[2, sizes]: the mean share o(k) of queries and their hits, and of gallery images."""
    nearest = [k_smallest(d, sizes[-1] + 1)[1].cpu() for _, d in l2_blocks(query, gallery)]
    ranked = torch.cat(nearest)
    lists = _neighborhoods(gallery, rows, sizes[-1])
    # One neighbor per image and size. Over the images its rank is evenly spread over 1..k.
    place = torch.arange(len(rows), dtype=torch.float64) * _GOLDEN % 1
    partners = [lists.gather(1, 1 + (place * k).long()[:, None])[:, 0] for k in sizes]
    needed, which = torch.unique(torch.cat([ranked[:, 0], *partners]), return_inverse=True)
    others = _neighborhoods(gallery, needed, sizes[-1])
    hits, *chosen = which.split([len(ranked), *[len(rows)] * len(sizes)])
    across = [_shared(ranked, others[hits], k) for k in sizes]
    within = [_shared(lists, others[i], k) for i, k in zip(chosen, sizes, strict=True)]
    return np.array([across, within])


def _neighborhoods(gallery: Tensor, rows: Tensor, count: int) -> Tensor:
    """[rows, count + 1]: each image and its nearest others."""
    own, found = rows.to(gallery.device), []
    for block, d in l2_blocks(gallery[own], gallery):
        d[torch.arange(len(d), device=d.device), own[block]] = torch.inf
        found.append(k_smallest(d, count)[1].cpu())
    return torch.cat([rows[:, None], torch.cat(found)], 1)


def _shared(a: Tensor, b: Tensor, k: int) -> float:
    """Mean share of the first k + 1 entries that two lists have in common, over the rows."""
    same = a[:, : k + 1, None] == b[:, None, : k + 1]
    return float(same.sum((1, 2)).double().mean()) / (k + 1)
