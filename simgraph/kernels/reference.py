"""The kernels in torch, for any device; the tests compare the others with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from simgraph.kernels._constants import CANCELLED
from simgraph.kernels.csr import ReciprocalSets, gather_rows

# Values of temporaries that stay in the cache of a core, or below some 64 MiB.
_CACHED_VALUES = 2**16
_BLOCK_VALUES = 2**24


def distances_of_products(
    products: Tensor, x: Tensor, y: Tensor, x_squares: Tensor, y_squares: Tensor
) -> Tensor:
    """See `simgraph.kernels.distances_of_products`."""
    norms = x_squares[:, None] + y_squares
    squared = torch.sub(norms, products, alpha=2, out=products)
    i, j = (squared < CANCELLED * norms).nonzero(as_tuple=True)
    step = max(1, _BLOCK_VALUES // (4 * x.shape[1]))
    for s in range(0, len(i), step):
        rows, columns = i[s : s + step], j[s : s + step]
        squared[rows, columns] = (x[rows] - y[columns]).square().sum(1)
    return squared.clamp_(min=0).sqrt_()


def topk_smallest(d: Tensor, k: int, own: int | None = None) -> tuple[Tensor, Tensor]:
    """See `simgraph.kernels.topk_smallest`."""
    if own is not None:
        row = torch.arange(len(d), device=d.device)
        d = d.index_put((row, own + row), d.new_tensor(torch.inf))
    values, index = torch.topk(d, k, dim=1, largest=False)
    index, order = index.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, stable=True)
    index = index.gather(1, order)
    # topk may take any of the values that equal the k-th. Rows with more of them than fit are
    # sorted.
    tied = ((d <= values[:, -1:]).sum(1) > k).nonzero().squeeze(1)
    step = max(1, _BLOCK_VALUES // (4 * d.shape[1]))
    for s in range(0, len(tied), step):
        rows = tied[s : s + step]
        index[rows] = d[rows].sort(dim=1, stable=True).indices[:, :k]
    return values, index


def merge_topk(values: Tensor, index: Tensor, d: Tensor, first: int, rows: bool = True) -> None:
    """See `simgraph.kernels.merge_topk`."""
    block = d if rows else d.T
    column = torch.arange(first, first + block.shape[1], device=d.device).expand(len(block), -1)
    together = torch.cat([values, block], dim=1)
    best, place = topk_smallest(together, values.shape[1])
    index.copy_(torch.cat([index, column], dim=1).gather(1, place))
    values.copy_(best)


def mean_k_shortest(
    direct: Tensor,
    legs: Tensor,
    neighbors: Tensor,
    weight: Tensor,
    num_paths: int,
    targets: Tensor | None = None,
) -> Tensor:
    """See `simgraph.kernels.mean_k_shortest`."""
    own = direct.T if targets is None else direct.T[targets]
    by_image = legs.T.contiguous()
    means = direct.new_empty((len(neighbors), len(direct)))
    step = max(1, _CACHED_VALUES // len(direct))
    for start in range(0, len(neighbors), step):
        part = slice(start, start + step)
        best = _k_shortest(own[part], by_image, neighbors[part], weight[part], num_paths)
        means[part] = finite_mean(best)
    return means.T.contiguous()


def _k_shortest(
    direct: Tensor, legs: Tensor, neighbors: Tensor, weight: Tensor, num_paths: int
) -> Sequence[Tensor]:
    """The K shortest path lengths, ascending: each path passes through K buffers in the cache."""
    best = [direct]
    for s in range(neighbors.shape[1]):
        path = legs[neighbors[:, s]] + weight[:, s, None]
        for i, kept in enumerate(best):
            best[i] = torch.minimum(kept, path)
            if i < num_paths - 1:
                path = torch.maximum(kept, path)
        if len(best) < num_paths:
            best.append(path)
    return best


def finite_mean(best: Sequence[Tensor]) -> Tensor:
    """Mean of the finite values, summed in their order; `inf` where there is none."""
    reached = [torch.isfinite(b) for b in best]
    paths = [torch.where(r, b, 0) for r, b in zip(reached, best, strict=True)]
    count = torch.stack(reached).sum(0)
    return torch.where(count > 0, sum(paths[1:], paths[0]) / count.clamp(min=1), torch.inf)


def reciprocal_sets(neighbors: Tensor, k: int, expand: bool) -> ReciprocalSets:
    """See `simgraph.kernels.reciprocal_sets`."""
    num_gallery, degree = neighbors.shape
    own = torch.arange(num_gallery, device=neighbors.device)
    source = torch.cat([own[:, None], neighbors], dim=1).reshape(-1)
    rank = torch.arange(degree + 1, device=neighbors.device).repeat(num_gallery)
    target = own.repeat_interleave(degree + 1)
    return reciprocal_sets_of_edges(source, target, rank, num_gallery, k, expand)


def reciprocal_sets_of_edges(
    source: Tensor, target: Tensor, rank: Tensor, num_gallery: int, k: int, expand: bool
) -> ReciprocalSets:
    """Build the sets of `reciprocal_sets` from ranked neighbor edges, any number per image.

    Args:
        source: neighbors [E]; every image needs its self-loop among the edges.
        target: [E], the images whose neighbors they are.
        rank: [E], 0 for the self-loop, 1 for the nearest neighbor of its target, and so on.
        num_gallery: Ng.
        k: k_g, neighbors that count.
        expand: whether to add R(c, k/2) of members c by the rule of two thirds.

    Returns:
        The sets; every g is in its own.
    """
    keys = _mutual_pairs(source[rank <= k], target[rank <= k], num_gallery)
    if expand:
        near = rank <= round(k / 2)
        half = _mutual_pairs(source[near], target[near], num_gallery)
        keys = torch.unique(torch.cat([keys, *_expansions(keys, half, num_gallery)]))
    return _by_member(keys, num_gallery)


def _mutual_pairs(source: Tensor, target: Tensor, n: int) -> Tensor:
    """Sorted keys target · n + source of the edges that exist in both directions."""
    keys = (target * n + source).sort().values
    return keys[_among(keys % n * n + keys // n, keys)]


def _among(values: Tensor, keys: Tensor) -> Tensor:
    """Whether each value is among the sorted keys."""
    place = torch.searchsorted(keys, values).clamp(max=len(keys) - 1)
    return keys[place] == values


def _expansions(keys: Tensor, half: Tensor, n: int) -> list[Tensor]:
    """Keys g · n + h that members c of R(g) add: all h in R(c, k/2), by the rule of two thirds."""
    owner, member = keys // n, keys % n
    ptr = torch.searchsorted(half, torch.arange(n + 1, device=keys.device) * n)
    size = ptr.diff()
    # A member adds at most max(size) candidates, of a few int64 each.
    step = max(1, _BLOCK_VALUES // (16 * max(1, int(size.max()))))
    added = []
    for start in range(0, len(keys), step):
        rows = slice(start, start + step)
        which, place = gather_rows(ptr, member[rows])
        candidate = owner[rows][which] * n + half[place] % n
        known = _among(candidate, keys)
        inside = torch.bincount(which[known], minlength=len(member[rows]))
        enough = 3 * inside > 2 * size[member[rows]]
        added.append(candidate[enough[which] & ~known])
    return added


def _by_member(keys: Tensor, n: int) -> ReciprocalSets:
    owner, member = keys // n, keys % n
    order = member.argsort(stable=True)
    size = torch.bincount(owner, minlength=n)
    ptr = torch.searchsorted(member[order], torch.arange(n + 1, device=keys.device))
    return ReciprocalSets(owner[order], member[order], ptr, size)


def jaccard_fuse(
    d: Tensor, nearest: Tensor, reached: Tensor, sets: ReciprocalSets, alpha: float
) -> Tensor:
    """See `simgraph.kernels.jaccard_fuse`."""
    fused = torch.empty_like(d)
    longest = max(1, int(sets.ptr.diff().max()))
    step = max(1, _BLOCK_VALUES // (4 * d.shape[1] + 5 * longest * nearest.shape[1]))
    for start in range(0, len(d), step):
        rows = slice(start, start + step)
        shared = _overlap(d[rows], nearest[rows], reached[rows], sets)
        d_m = 1 - shared / (reached[rows, None] + sets.size - shared)
        # 0 · inf is NaN: an image that no path reaches stays last.
        mixed = alpha * d[rows] + (1 - alpha) * d_m
        fused[rows] = torch.where(torch.isfinite(d[rows]), mixed, torch.inf)
    return fused


def _overlap(d: Tensor, nearest: Tensor, reached: Tensor, sets: ReciprocalSets) -> Tensor:
    counted = torch.arange(nearest.shape[1], device=d.device) < reached[:, None]
    row, _ = counted.nonzero(as_tuple=True)
    which, place = gather_rows(sets.ptr, nearest[counted])
    shared = torch.zeros_like(d)
    one = shared.new_ones(()).expand(len(which))
    return shared.index_put_((row[which], sets.owner[place]), one, accumulate=True)


def match_ranks(
    d: Tensor, kept: Tensor, query_of: Tensor, column: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """See `simgraph.kernels.match_ranks`."""
    order = d.sort(dim=1, stable=True).indices
    kept = kept.gather(1, order)
    ranks = kept.cumsum(1)  # of the kept images, from 1
    by_column = torch.empty_like(ranks).scatter_(1, order, ranks)
    match_rank = by_column[query_of, column]
    first = match_rank.new_zeros(len(d))
    first.scatter_reduce_(0, query_of, match_rank, "amin", include_self=False)
    beyond = d.shape[1] + 1
    seen_at = ranks.new_full(d.shape, beyond)
    seen_at.scatter_reduce_(1, codes[order], ranks.where(kept, beyond), "amin")
    return match_rank, (seen_at < first[:, None]).sum(1)
