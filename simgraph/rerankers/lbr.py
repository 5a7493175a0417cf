"""Local blurring: each query's first images are ranked again by locally averaged similarities."""

from __future__ import annotations

import torch
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most, require_positive
from simgraph.distances import k_smallest
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances, similarity
from simgraph.rerankers.method import Method


@torch.no_grad()
def lbr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    n: int = 100,
    temperature: float = 0.3,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Cosine distances to each query's n nearest images, blurred among themselves.

    $$y_i = \sum_j \mathrm{softmax}_j(s_{ij} / \sigma)\, s_{qj}, \qquad i, j \text{ among the } n$$

    s is the cosine. The distance is 1 − y, in [0, 2]; images beyond the n follow in their
    previous order, at 3 − s.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        n: images ranked again, 1..Ng.
        temperature: σ > 0.
        normalize: scale every feature row to length 1 first; else rows must have that length.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 4]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Luo et al., ICCV 2019, section on local blurring re-ranking; defaults of the
    comparison in Zhang et al., IEEE TMM 2023.
    """
    q, g = feature_pair(query, gallery, normalize)
    return like_inputs(
        from_distances(FeatureDistances(q, g), n, temperature, memory), query, gallery
    )


@torch.no_grad()
def from_distances(
    distances: DistanceSource, n: int, temperature: float, memory: str | int = DEFAULT
) -> Tensor:
    """The same from distances; see lbr."""
    distances.require_unit()
    require_at_most("n", n, 1, distances.num_gallery, "Ng")
    require_positive("temperature", temperature)
    entries = distances.num_queries * n
    require_room("lbr", memory, (distances.num_queries, distances.num_gallery), 4, entries)
    d_qg = distances.query_gallery()
    near, index = k_smallest(d_qg, n)
    blurred = torch.empty_like(near)
    for rows, among in distances.gallery_among(index):
        weight = torch.softmax(similarity(among) / temperature, dim=2)
        blurred[rows] = (weight * similarity(near[rows])[:, None]).sum(2)
    return (3 - similarity(d_qg)).scatter_(1, index, 1 - blurred)


METHOD = Method(
    "lbr",
    lbr,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="Nq · n² similarities",
    source="Luo et al., ICCV 2019",
)
