"""Euclidean distances and exact nearest neighbours, by blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

BLOCK_BYTES = 64 * 2**20
"""Working memory of one block of rows, for all loops over `row_blocks`."""

# Below this share of |x|² + |y|² the product form has lost about three of float32's seven digits.
_CANCELLED = 1e-3


def row_blocks(num_rows: int, bytes_per_row: int) -> Iterator[slice]:
    """Slices that cover the rows, each of at most BLOCK_BYTES of working memory."""
    step = max(1, BLOCK_BYTES // max(1, bytes_per_row))
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def l2_distance(x: Tensor, y: Tensor) -> Tensor:
    r"""Euclidean distances between the rows of two matrices.

    $$D_{ij} = \lVert x_i - y_j \rVert_2 = \sqrt{|x_i|^2 + |y_j|^2 - 2\,x_i \cdot y_j}$$

    The product form costs one matrix product. Both sides are centred first, which changes no
    distance but keeps the form from cancelling where all rows point one way; the few pairs that
    are nearer still are computed again from the difference, so that equal rows are at exactly 0.

    Args:
        x: [N, D], floating.
        y: [M, D], floating, same dtype and device.

    Returns:
        [N, M], >= 0, not squared; differentiable, with gradient 0 at distance 0.
    """
    if _tracked(x, y):
        return torch.cat([d for _, d in l2_blocks(x, y)])
    out = x.new_empty((len(x), len(y)))
    for rows, d in l2_blocks(x, y):
        out[rows] = d
    return out


def l2_blocks(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The rows of l2_distance(x, y) block by block: which rows, and their distances [B, M]."""
    center = y.detach().mean(0)
    columns = y - center
    column_norms = torch.linalg.vector_norm(columns, dim=1).square()
    for rows in row_blocks(len(x), 6 * len(y) * y.element_size()):
        part = x[rows] - center
        norms = torch.linalg.vector_norm(part, dim=1).square()[:, None] + column_norms
        # Autocast would take the product in half precision.
        with torch.autocast(x.device.type, enabled=False):
            squared = torch.addmm(norms, part, columns.T, alpha=-2)
        i, j = (squared.detach() < _CANCELLED * norms.detach()).nonzero(as_tuple=True)
        if i.numel():
            squared = squared.index_put((i, j), _squared_differences(x[rows], y, i, j))
        yield rows, _root(squared)


def _tracked(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def _root(squared: Tensor) -> Tensor:
    if not _tracked(squared):
        return squared.clamp_(min=0).sqrt_()
    squared = squared.clamp(min=0)
    # The root has no gradient at 0; the overflow of huge values stays NaN and is not taken for 0.
    apart = squared != 0
    return torch.where(apart, squared, 1).sqrt() * apart


def _squared_differences(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    blocks = row_blocks(i.numel(), 3 * x.shape[1] * x.element_size())
    if _tracked(x, y):
        return torch.cat([(x[i[s]] - y[j[s]]).square().sum(1) for s in blocks])
    # One vector from the start: small results between large temporaries would scatter the heap.
    result = x.new_empty(i.numel())
    for s in blocks:
        result[s] = (x[i[s]] - y[j[s]]).square().sum(1)
    return result


def k_smallest(d: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest values of each row, ascending, ties to the lower index.

    Args:
        d: [N, M], without NaN.
        k: 0 <= k <= M.

    Returns:
        values [N, k] and indices [N, k] (int64); values are differentiable.
    """
    if k == 0:
        return d[:, :0], torch.empty((d.shape[0], 0), dtype=torch.long, device=d.device)
    values, index = torch.topk(d.detach(), k, dim=1, largest=False)
    index, order = index.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, stable=True)
    index = index.gather(1, order)
    # topk takes any of the values that equal the k-th: rows with more of them than fit are sorted.
    tied = ((d.detach() <= values[:, -1:]).sum(1) > k).nonzero().squeeze(1)
    for rows in row_blocks(tied.numel(), 24 * d.shape[1]):
        index[tied[rows]] = d.detach()[tied[rows]].sort(dim=1, stable=True).indices[:, :k]
    return d.gather(1, index), index


def nearest_neighbors(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest other rows of each row, exact, ties to the lower index.

    A row is told from its neighbours by its index, so duplicates of it count as neighbours.

    Args:
        x: features [N, D].
        k: 0 <= k < N.

    Returns:
        distances [N, k], ascending, and indices [N, k].
    """
    with torch.no_grad():
        distances, index = _nearest_others(l2_blocks(x, x), k)
    if _tracked(x):
        # Only the kept pairs carry a gradient: nothing of size N × N stays for the way back.
        blocks = row_blocks(len(x), 3 * max(1, k) * x.shape[1] * x.element_size())
        parts = [checkpoint(_kept, x, rows, index[rows], use_reentrant=False) for rows in blocks]
        distances = torch.cat(parts)
    return distances, index


def _kept(x: Tensor, rows: slice, index: Tensor) -> Tensor:
    return _root((x[rows][:, None] - x[index]).square().sum(2))


def nearest_in_distances(d_gg: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest others of each row of a distance matrix [N, N], as nearest_neighbors."""
    blocks = row_blocks(d_gg.shape[0], 4 * d_gg.shape[1] * d_gg.element_size())
    return _nearest_others(((rows, d_gg[rows]) for rows in blocks), k)


def _nearest_others(blocks: Iterator[tuple[slice, Tensor]], k: int) -> tuple[Tensor, Tensor]:
    values, indices = [], []
    for rows, d in blocks:
        own = torch.arange(rows.start, rows.stop, device=d.device)
        infinite = torch.tensor(torch.inf, dtype=d.dtype, device=d.device)
        others = d.index_put((own - rows.start, own), infinite)
        value, index = k_smallest(others, k)
        values.append(value)
        indices.append(index)
    return torch.cat(values), torch.cat(indices)
