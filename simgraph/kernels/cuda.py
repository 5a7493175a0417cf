"""The kernels for CUDA: path means and overlaps in triton, all others in torch as in `reference`.

With `TRITON_INTERPRET=1` they run on CPU tensors. The tests compare them with `reference` that way.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from simgraph.kernels.csr import ReciprocalSets
from simgraph.kernels.reference import (
    distances_of_products,
    match_ranks,
    merge_topk,
    reciprocal_sets,
    topk_smallest,
)

__all__ = [
    "distances_of_products",
    "jaccard_fuse",
    "match_ranks",
    "mean_k_shortest",
    "merge_topk",
    "reciprocal_sets",
    "topk_smallest",
]

_LANES = 64
_ENTRIES = 128
_COLUMNS = 1024


def mean_k_shortest(
    direct: Tensor,
    legs: Tensor,
    neighbors: Tensor,
    weight: Tensor,
    num_paths: int,
    targets: Tensor | None = None,
) -> Tensor:
    """See `simgraph.kernels.mean_k_shortest`."""
    count, degree = neighbors.shape
    if targets is None:
        targets = torch.arange(count, device=direct.device)
    # Adjacent threads then read adjacent queries.
    by_image = direct.T.contiguous()
    first_legs = by_image if legs is direct else legs.T.contiguous()
    out = by_image.new_empty((count, len(direct)))
    grid = (count, triton.cdiv(len(direct), _LANES))
    _mean_k_shortest[grid](
        by_image, first_legs, neighbors.contiguous(), weight.contiguous(), targets, out,
        len(direct), degree, min(num_paths, degree + 1),
        PATHS=triton.next_power_of_2(degree + 1), LANES=_LANES,
    )  # fmt: skip
    return out.T.contiguous()


@triton.jit
def _mean_k_shortest(
    direct, legs, neighbors, weight, targets, out, num_queries, degree, num_paths,
    PATHS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """One target, LANES queries: all paths are in registers, and the smallest is taken K times."""
    j = tl.program_id(0).to(tl.int64)
    q = tl.program_id(1) * LANES + tl.arange(0, LANES)
    s = tl.arange(0, PATHS)  # 0 is the direct edge
    there, real = q < num_queries, (s > 0) & (s <= degree)
    via = tl.load(neighbors + j * degree + s - 1, mask=real, other=0)
    hop = tl.load(weight + j * degree + s - 1, mask=real, other=0)
    first = tl.load(
        legs + via[:, None] * num_queries + q[None, :],
        mask=real[:, None] & there[None, :],
        other=float("inf"),
    )
    own = tl.load(direct + tl.load(targets + j) * num_queries + q, mask=there, other=float("inf"))
    paths = tl.where(s[:, None] == 0, own[None, :], first + hop[:, None])
    total, finite = tl.zeros_like(own), tl.zeros_like(own)
    for _ in range(num_paths):
        shortest = tl.min(paths, axis=0)
        reached = shortest < float("inf")
        total += tl.where(reached, shortest, 0)
        finite += tl.where(reached, 1, 0)
        taken = s[:, None] == tl.argmin(paths, axis=0)[None, :]
        paths = tl.where(taken, float("inf"), paths)
    mean = tl.where(finite > 0, total / tl.maximum(finite, 1), float("inf"))
    tl.store(out + j * num_queries + q, mean, mask=there)


def jaccard_fuse(
    d: Tensor, nearest: Tensor, reached: Tensor, sets: ReciprocalSets, alpha: float
) -> Tensor:
    """See `simgraph.kernels.jaccard_fuse`."""
    d, nearest = d.contiguous(), nearest.contiguous()
    # Counts are whole numbers below 2²⁴: their sums are exact in any order of the atomics.
    out = torch.zeros_like(d)
    _count[nearest.shape](
        out, nearest, reached, sets.ptr, sets.owner, d.shape[1], nearest.shape[1], ENTRIES=_ENTRIES
    )
    # As tensors, because triton treats a Python float as float32.
    weights = torch.tensor([alpha, 1 - alpha], dtype=d.dtype, device=d.device)
    grid = (len(d), triton.cdiv(d.shape[1], _COLUMNS))
    _fuse[grid](d, out, reached, sets.size, weights, d.shape[1], COLUMNS=_COLUMNS)
    return out


@triton.jit
def _count(shared, nearest, reached, ptr, owner, num_gallery, k_query, ENTRIES: tl.constexpr):
    """One member of the set of one query: add 1 for every image whose set it is in."""
    q, m = tl.program_id(0).to(tl.int64), tl.program_id(1)
    if m < tl.load(reached + q):
        member = tl.load(nearest + q * k_query + m)
        stop = tl.load(ptr + member + 1)
        for start in range(tl.load(ptr + member), stop, ENTRIES):
            entry = start + tl.arange(0, ENTRIES)
            image = tl.load(owner + entry, mask=entry < stop, other=0)
            tl.atomic_add(shared + q * num_gallery + image, 1.0, mask=entry < stop)


@triton.jit
def _fuse(d, out, reached, size, weights, num_gallery, COLUMNS: tl.constexpr):
    """Turn counts into fused distances, in place."""
    q = tl.program_id(0).to(tl.int64)
    j = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    there = j < num_gallery
    direct = tl.load(d + q * num_gallery + j, mask=there, other=0)
    shared = tl.load(out + q * num_gallery + j, mask=there, other=0)
    union = (tl.load(reached + q) + tl.load(size + j, mask=there, other=1)).to(shared.dtype)
    apart = 1 - shared / (union - shared)
    fused = tl.load(weights) * direct + tl.load(weights + 1) * apart
    # 0 · inf is NaN: an image that no path reaches stays last.
    fused = tl.where(direct < float("inf"), fused, float("inf"))
    tl.store(out + q * num_gallery + j, fused, mask=there)
