"""Cross-modality k-reciprocal encoding: reciprocal sets that keep the two modalities apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, blocks
from simgraph._params import require_at_most, require_fraction, unknown_name
from simgraph.distances import k_smallest
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import add_overlaps, scaled_rows, sparse_rows

PARTS = ("constrained", "divided", "extended")


@torch.no_grad()
def cmkr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    part: str = "extended",
    k1: int = 35,
    k2: int = 35,
    k3: int = 4,
    lam: float = 0.1,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Distances of k-reciprocal encoding whose neighbors are taken by modality.

    $$d = \lambda\, \hat d + (1 - \lambda) \Big(1 - \frac{\sum_m \min(V_{qm}, V_{gm})}
      {\sum_m \max(V_{qm}, V_{gm})}\Big)$$

    V_i holds exp(−d̂) at the expanded reciprocal set of i, sums to 1, and is averaged over
    neighbors. Queries are one modality, the gallery is the other.

    - `constrained`: members are gallery images. A query and a gallery image are reciprocal by
      their lists of the other modality, two gallery images by lists within the gallery.
    - `divided`: each image has one list per modality, of that length; d̂ is divided by the largest
      distance of its row within each modality.
    - `extended`: the union of the sets by joint lists and of those by lists of the other modality.
      V is averaged over k2 − k3 nearest queries and k3 nearest gallery images (MA-LQE).

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        part: `constrained`, `divided` or `extended`.
        k1: neighbors for the reciprocal sets, 1..Nq + Ng − 1; the image itself not counted. Lists
            of a modality end with it.
        k2: images that V is averaged over, 1..Nq + Ng; under `divided`, of each modality.
        k3: how many of these are gallery images, 0..k2; read by `extended` alone.
        lam: λ in [0, 1], weight of the direct distance.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 1]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: CMKR of YYDS, arXiv 2403.04183; squared distances, as in k-reciprocal encoding.
    """
    q, g = feature_pair(query, gallery, normalize)
    found = from_distances(FeatureDistances(q, g), part, k1, k2, k3, lam, memory)
    return like_inputs(found, query, gallery)


@torch.no_grad()
def from_distances(
    distances: DistanceSource,
    part: str,
    k1: int,
    k2: int,
    k3: int,
    lam: float,
    memory: str | int = DEFAULT,
) -> Tensor:
    """The same from distances; see cmkr."""
    first, count = distances.num_queries, distances.num_queries + distances.num_gallery
    if part not in PARTS:
        raise ValueError(unknown_name("part", part, PARTS))
    require_at_most("k1", k1, 1, count - 1, "Nq + Ng − 1")
    require_at_most("k2", k2, 1, count, "Nq + Ng")
    if part == "extended":
        require_at_most("k3", k3, 0, k2, "k2")
    require_fraction("lam", lam)
    _check_memory(memory, first, count, k1, k2)
    lists = _lists(distances, max(k1 + 1, k2), joint=part == "extended")
    scale = _scale(lists, part, first)
    sets = _expanded(_reciprocal(lists, part, k1), _reciprocal(lists, part, round(k1 / 2)))
    encoding = _averaging(lists, part, k2, k3) @ _weighted(distances, sets, scale)
    direct = lists.query_gallery.div_(scale[:first, 1:]).square_()
    return lam * direct + (1 - lam) * _jaccard(encoding, first, torch.zeros_like(direct))


def _check_memory(memory: str | int, first: int, count: int, k1: int, k2: int) -> None:
    """Refuse a budget that does not hold D_qg and its kin, the lists, and averaged codes."""
    codes = min(count * count, count * k2 * 2 * (k1 + 1))  # at most; neighbors share members
    lists = 3 * count * max(k1 + 1, k2)
    blocks("cmkr", memory, 8 * (5 * first * (count - first) + 4 * lists + codes), 8 * count, count)


@dataclass(frozen=True, eq=False)
class _Lists:
    """Neighbors of all N = Nq + Ng images; queries come first, an image itself leads its lists.

    Attributes:
        queries: [N, <= k] nearest queries.
        gallery: [N, <= k] nearest gallery images, counted behind the queries.
        joint: [N, <= k] nearest of both, empty where not asked for.
        largest: [N, 2], the distance to the farthest query and to the farthest gallery image.
        query_gallery: D_qg [Nq, Ng].
    """

    queries: Tensor
    gallery: Tensor
    joint: Tensor
    largest: Tensor
    query_gallery: Tensor


def _lists(distances: DistanceSource, k: int, joint: bool) -> _Lists:
    """All lists in one pass over the joint distances."""
    first, count = distances.num_queries, distances.num_queries + distances.num_gallery
    found: list[list[Tensor]] = [[], [], [], [], []]
    for rows, d in distances.joint_blocks():
        own = torch.arange(rows.start, rows.stop, device=d.device)
        cross = d[: max(0, first - rows.start), first:].clone()
        d[own - rows.start, own] = 0
        largest = torch.stack([d[:, :first].amax(1), d[:, first:].amax(1)], dim=1)
        d[own - rows.start, own] = -1  # first in its lists, ahead of duplicates
        parts = (
            k_smallest(d[:, :first], min(k, first))[1],
            k_smallest(d[:, first:], min(k, count - first))[1] + first,
            k_smallest(d, min(k, count) if joint else 0)[1],
        )
        for values, value in zip(found, (*parts, largest, cross), strict=True):
            values.append(value)
    return _Lists(*map(torch.cat, found))


def _scale(lists: _Lists, part: str, first: int) -> Tensor:
    """Divisors [N, 2] of the distances to queries and to gallery images; 1 in place of 0."""
    largest = lists.largest
    if part == "extended":
        largest = largest.amax(1, keepdim=True).expand(-1, 2)
    return torch.where(largest > 0, largest, 1)


def _members(index: Tensor, count: int) -> csr_array:
    """The lists as a matrix [N, N] of ones."""
    return sparse_rows(index, torch.ones(index.shape[1], dtype=torch.int32), count)


def _by_modality(lists: _Lists, own: int, other: int) -> csr_array:
    """Lists of `own` images of an image's modality, itself counted, and `other` of the other."""
    first, count = lists.query_gallery.shape[0], len(lists.queries)
    queries, gallery = lists.queries, lists.gallery
    top = _members(queries[:first, :own], count) + _members(gallery[:first, :other], count)
    below = _members(queries[first:, :other], count) + _members(gallery[first:, :own], count)
    return _stacked(top, below)


def _stacked(top: csr_array, below: csr_array) -> csr_array:
    data = np.concatenate([top.data, below.data])
    indices = np.concatenate([top.indices, below.indices])
    bounds = np.concatenate([top.indptr, top.indptr[-1] + below.indptr[1:]])
    return csr_array((data, indices, bounds), shape=(top.shape[0] + below.shape[0], top.shape[1]))


def _reciprocal(lists: _Lists, part: str, k: int) -> csr_array:
    """Reciprocal sets of k neighbors as a matrix [N, N] of ones."""
    if part == "extended":
        joint, cross = _members(lists.joint[:, : k + 1], len(lists.joint)), _mutual_cross(lists, k)
        return _ones(joint.multiply(joint.T) + cross)
    near = _by_modality(lists, k + 1, k)
    mutual = _ones(near.multiply(near.T))
    if part == "constrained":
        mutual = _without_columns(mutual, lists.query_gallery.shape[0])
    return mutual


def _mutual_cross(lists: _Lists, k: int) -> csr_array:
    cross = _by_modality(lists, 0, k)
    return csr_array(cross.multiply(cross.T))


def _without_columns(matrix: csr_array, first: int) -> csr_array:
    """The matrix with its first columns emptied: members of codes are gallery images."""
    kept = matrix.tocoo()
    keep = kept.col >= first
    return csr_array((kept.data[keep], (kept.row[keep], kept.col[keep])), shape=matrix.shape)


def _ones(matrix: csr_array) -> csr_array:
    """1 wherever the matrix is not 0, columns ascending."""
    found = csr_array(matrix)
    found.sum_duplicates()
    found.eliminate_zeros()
    return csr_array((np.ones_like(found.data), found.indices, found.indptr), shape=found.shape)


def _expanded(sets: csr_array, half: csr_array) -> csr_array:
    """The sets, with those half sets of their members of which more than 2/3 lie in them."""
    size = np.diff(half.indptr)
    shared = csr_array(sets.multiply(sets @ half.T)).tocoo()
    # In integers: 2/3 of a size must not be rounded.
    keep = 3 * shared.data.astype(np.int64) > 2 * size[shared.col]
    chosen = (np.ones(int(keep.sum()), np.int32), (shared.row[keep], shared.col[keep]))
    return _ones(sets + csr_array(chosen, shape=sets.shape) @ half)


def _weighted(distances: DistanceSource, sets: csr_array, scale: Tensor) -> csr_array:
    """Codes [N, N]: exp(−d̂) at the members; rows sum to 1, rows of no members to 0."""
    owner = torch.arange(sets.shape[0]).repeat_interleave(torch.from_numpy(np.diff(sets.indptr)))
    i, j = owner.to(scale.device), torch.from_numpy(sets.indices).long().to(scale.device)
    d = distances.joint_pairs(i, j) / scale[i, (j >= distances.num_queries).long()]
    weight = torch.exp(-d.square())
    weight /= torch.zeros_like(scale[:, 0]).index_add_(0, i, weight)[i]
    return csr_array((weight.cpu().numpy(), sets.indices, sets.indptr), shape=sets.shape)


def _averaging(lists: _Lists, part: str, k2: int, k3: int) -> csr_array:
    """The matrix [N, N] that averages codes over neighbors; rows sum to 1."""
    count = len(lists.queries)
    if part == "divided":
        among = _by_modality(lists, k2, k2)
    elif part == "extended":
        among = _members(lists.queries[:, : k2 - k3], count)
        among = among + _members(lists.gallery[:, :k3], count)
    else:
        among = _constrained_averaging(lists, k2)
    size = np.asarray(among.sum(axis=1), dtype=np.float64)
    weight = among.astype(lists.query_gallery.cpu().numpy().dtype)
    return scaled_rows(csr_array(weight), 1 / np.maximum(size, 1))


def _constrained_averaging(lists: _Lists, k2: int) -> csr_array:
    """A query counts itself and k2 − 1 gallery images, a gallery image k2 with itself."""
    first, count = lists.query_gallery.shape[0], len(lists.queries)
    own = torch.arange(first, device=lists.gallery.device)[:, None]
    top = torch.cat([own, lists.gallery[:first, : k2 - 1]], dim=1)
    return _stacked(_members(top, count), _members(lists.gallery[first:, :k2], count))


def _jaccard(encoding: csr_array, first: int, shared: Tensor) -> Tensor:
    """1 − Σ min / Σ max of queries' and gallery codes [Nq, Ng]; 1 where both are empty."""
    add_overlaps(shared, encoding[:first], encoding[first:])
    total = torch.from_numpy(np.asarray(encoding.sum(axis=1))).to(shared)
    union = total[:first, None] + total[first:] - shared
    return 1 - shared / torch.where(union > 0, union, 1)


METHOD = Method(
    "cmkr",
    cmkr,
    from_distances=from_distances,
    transductive=True,
    needs="distances",
    cost="joint distances (Nq + Ng)² by blocks, sparse encodings",
    source="YYDS, arXiv 2403.04183, 2024",
)
