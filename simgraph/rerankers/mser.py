"""Multi-view encoding: k-reciprocal codes over the query set, averaged over versions of images."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from simgraph._arrays import ArrayT, checked_rows, common_dtype, like_inputs, matrix
from simgraph._memory import DEFAULT, blocks
from simgraph._params import require_at_most, require_fraction, require_int
from simgraph.distances import k_smallest
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import add_overlaps, scaled_rows, sparse_rows
from simgraph.sim.mnnr import neighbor_sets


@torch.no_grad()
def mser(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k1: int = 40,
    k2: int = 20,
    lam: float = 0.3,
    views: int = 1,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Distances of k-reciprocal codes whose members are queries, averaged over views.

    $$d = \frac{1}{V} \sum_v \Big(\lambda\, \hat d_v + (1 - \lambda) \Big(1 -
      \frac{\sum_m \min(V_{qm}, V_{gm})}{2 - \sum_m \min(V_{qm}, V_{gm})}\Big)\Big)$$

    With d̂ the squared distance over the largest of that row, the code of a query holds exp(−d̂) at
    its k1-reciprocal neighbors among the queries and sums to 1. V_i is the mean code of the k2
    queries nearest to i; a query is its own nearest.

    Args:
        query: [Nq, V · D], floating, numpy or torch; or [Nq, D], which all views share.
        gallery: [Ng, V · D], or [Ng, D], the same. The views of an image follow each other in its
            row.
        k1: neighbors for the reciprocal sets, >= 1, the image itself not counted; lists end with
            the query set.
        k2: queries that V is averaged over, >= 1; likewise.
        lam: λ in [0, 1], weight of the direct distance.
        views: V >= 1, the number of versions of each image in one row.
        normalize: scale every view to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 1]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: MSER of MCJA (multi-spectral enhanced ranking), after k-reciprocal encoding, Zhong et
    al., CVPR 2017.
    """
    require_int("views", views, 1)
    pairs = _view_pairs(query, gallery, views)
    total: Tensor | None = None
    for x, y in pairs:
        q, g = checked_rows(x, "query", normalize), checked_rows(y, "gallery", normalize)
        found = from_distances(FeatureDistances(q, g), k1, k2, lam, memory=memory)
        total = found if total is None else total.add_(found)
    assert total is not None
    return like_inputs(total.div_(views), query, gallery)


@torch.no_grad()
def from_distances(
    distances: DistanceSource,
    k1: int,
    k2: int,
    lam: float,
    views: int = 1,
    memory: str | int = DEFAULT,
) -> Tensor:
    """The same from distances of one view; see mser."""
    require_int("k1", k1, 1)
    require_int("k2", k2, 1)
    require_fraction("lam", lam)
    require_at_most("views", views, 1, 1, "the number of views that distances have")
    first = distances.num_queries
    count, k = first + distances.num_gallery, min(max(k1 + 1, k2), first)
    _check_memory(memory, first, count, k, min(k1, first))
    index, largest, d_qg = _nearest_queries(distances, k)
    scale = torch.where(largest > 0, largest, 1)
    codes = _query_codes(distances, index[:first, 1 : k1 + 1], scale)
    encoding = _averaged(codes, index[:, :k2])
    overlap = torch.zeros_like(d_qg)
    add_overlaps(overlap, encoding[:first], encoding[first:])
    direct = d_qg.div_(scale[:first, None]).square_()
    return lam * direct + (1 - lam) * (1 - overlap / (2 - overlap))


def _view_pairs(query: object, gallery: object, views: int) -> list[tuple[Tensor, Tensor]]:
    """Queries and gallery of each view, from rows of all views or of one that all share."""
    q, g = common_dtype(matrix(query, "query"), "query", matrix(gallery, "gallery"), "gallery")
    width = max(q.shape[1], g.shape[1])
    d = width // views
    if width % views or not {q.shape[1], g.shape[1]} <= {width, d}:
        raise ValueError(
            f"query and gallery: expected the same number of feature dimensions, a multiple of "
            f"views = {views}, or one side with 1/views of the other's, got query "
            f"{tuple(q.shape)} and gallery {tuple(g.shape)}"
        )
    parts = [[x] * views if x.shape[1] == d else list(torch.split(x, d, dim=1)) for x in (q, g)]
    return list(zip(*parts, strict=True))


def _check_memory(memory: str | int, first: int, count: int, k: int, k1: int) -> None:
    """Refuse a budget that does not hold D_qg, its kin, the lists and the averaged codes."""
    codes = count * k * min(first, k1 + 1)  # at most; rows share most of their members
    whole = 8 * (5 * first * (count - first) + 4 * count * k + 2 * min(codes, count * first))
    blocks("mser", memory, whole, 8 * count, count)


def _nearest_queries(distances: DistanceSource, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k queries nearest to each image [N, k], each row's largest distance [N], and D_qg."""
    first = distances.num_queries
    index, largest, cross = [], [], []
    for rows, d in distances.joint_blocks():
        own = torch.arange(rows.start, rows.stop, device=d.device)
        cross.append(d[: max(0, first - rows.start), first:].clone())
        d[own - rows.start, own] = 0
        largest.append(d.amax(1))
        d[own - rows.start, own] = -1  # a query comes first in its own list, ahead of duplicates
        index.append(k_smallest(d[:, :first], k)[1])
    return torch.cat(index), torch.cat(largest), torch.cat(cross)


def _query_codes(distances: DistanceSource, near: Tensor, scale: Tensor) -> csr_array:
    """Codes [Nq, Nq] of the queries: exp(−d̂) at their reciprocal sets, each row of sum 1."""
    sets = neighbor_sets(near, near.shape[1], expand=False)
    d = distances.joint_pairs(sets.owner, sets.member) / scale[sets.owner]
    weight = torch.exp(-d.square())
    weight /= weight.new_zeros(len(near)).index_add_(0, sets.owner, weight)[sets.owner]
    owner, member = sets.owner.cpu().numpy(), sets.member.cpu().numpy()
    return csr_array((weight.cpu().numpy(), (owner, member)), shape=(len(near), len(near)))


def _averaged(codes: csr_array, among: Tensor) -> csr_array:
    """Mean code [N, Nq] of the queries listed in each row."""
    ones = torch.ones(among.shape[1], dtype=torch.from_numpy(codes.data[:0]).dtype)
    total = sparse_rows(among, ones, codes.shape[0]) @ codes
    return scaled_rows(total, np.full(len(among), 1 / among.shape[1]))


METHOD = Method(
    "mser",
    mser,
    from_distances=from_distances,
    transductive=True,
    needs="distances",
    cost="joint distances (Nq + Ng)² by blocks, sparse codes over the queries, per view",
    source="MSER of MCJA, after Zhong et al., CVPR 2017",
)
