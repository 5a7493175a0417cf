"""Euclidean distances and exact nearest neighbours, by blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK_BYTES = 64 * 2**20
"""Working memory of one block; every loop over blocks in simgraph is sized by it."""

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

    The product form costs one matrix product; the few pairs so near that it cancels are
    computed again from the difference, so that equal rows are at distance exactly 0.

    Args:
        x: [N, D], floating.
        y: [M, D], floating, same dtype and device.

    Returns:
        [N, M], >= 0, not squared; differentiable, with gradient 0 at distance 0.
    """
    if torch.is_grad_enabled() and (x.requires_grad or y.requires_grad):
        return _l2_block(x, y)
    out = torch.empty((x.shape[0], y.shape[0]), dtype=x.dtype, device=x.device)
    for rows in row_blocks(x.shape[0], 3 * y.shape[0] * x.element_size()):
        out[rows] = _l2_block(x[rows], y)
    return out


def _l2_block(x: Tensor, y: Tensor) -> Tensor:
    norms = x.square().sum(1)[:, None] + y.square().sum(1)
    squared = torch.addmm(norms, x, y.T, alpha=-2)
    i, j = (squared.detach() < _CANCELLED * norms.detach()).nonzero(as_tuple=True)
    if i.numel():
        squared = squared.index_put((i, j), _squared_differences(x, y, i, j))
    squared = squared.clamp(min=0)
    # The root has no gradient at 0; the overflow of huge values stays NaN and is not taken for 0.
    apart = squared != 0
    return torch.where(apart, squared, 1).sqrt() * apart


def _squared_differences(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    parts = [
        (x[i[s]] - y[j[s]]).square().sum(1)
        for s in row_blocks(i.numel(), 3 * x.shape[1] * x.element_size())
    ]
    return torch.cat(parts)


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
    blocks = row_blocks(x.shape[0], 4 * x.shape[0] * x.element_size())
    return _nearest_others(((rows, l2_distance(x[rows], x)) for rows in blocks), k)


def nearest_in_distances(d_gg: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest others of each row of a square distance matrix, as nearest_neighbors."""
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
