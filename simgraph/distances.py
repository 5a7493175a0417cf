"""Euclidean distances and exact nearest neighbors, computed by blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from simgraph import kernels
from simgraph._exact_products import exact_products
from simgraph.kernels import CANCELLED

BLOCK_BYTES = 64 * 2**20
"""Working memory of one block of rows, for every loop over `row_blocks`."""

SYMMETRIC_ROWS = 256
"""Rows per block of a symmetric matrix, of which only the upper half is computed: small enough to
save nearly half of the work, large enough for matrix products at full speed."""


def row_blocks(num_rows: int, bytes_per_row: int) -> Iterator[slice]:
    """Slices that cover the rows, each with at most BLOCK_BYTES of working memory."""
    step = max(1, BLOCK_BYTES // max(1, bytes_per_row))
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def l2_distance(x: Tensor, y: Tensor) -> Tensor:
    r"""Euclidean distances between the rows of two matrices.

    $$D_{ij} = \lVert x_i - y_j \rVert_2 = \sqrt{|x_i|^2 + |y_j|^2 - 2\,x_i \cdot y_j}$$

    The product form costs one matrix product. Both sides are centered first: this changes no
    distance, but prevents cancellation if all rows point in one direction. The few pairs that
    still cancel are computed again from their difference, so equal rows are at exactly 0.

    Args:
        x: [N, D], floating.
        y: [M, D], floating, same dtype and device.

    Returns:
        [N, M], >= 0, not squared; differentiable, with gradient 0 at distance 0.
    """
    if needs_grad(x, y):
        return torch.cat([d for _, d in l2_blocks(x, y)])
    return concat_blocks(l2_blocks(x, y), len(x))


def concat_blocks(
    blocks: Iterable[tuple[slice, Tensor]],
    num_rows: int,
    finish: Callable[[Tensor], Tensor] = lambda d: d,
) -> Tensor:
    """Concatenate finish(d) of blocks of rows d without a second copy of the result."""
    out = None
    for rows, d in blocks:
        part = finish(d)
        if len(part) == num_rows:
            return part
        out = part.new_empty((num_rows, part.shape[1])) if out is None else out
        out[rows] = part
    assert out is not None, "there is at least one row"
    return out


def map_query_blocks(
    q: Tensor,
    g: Tensor,
    blocks: Iterable[slice],
    finish: Callable[[Tensor], Tensor] = lambda d: d,
) -> Tensor:
    """Compute finish(D_qg) by the given blocks of queries, without ever holding all of D_qg.

    With gradients all of D_qg is held, because the backward pass needs it.
    """
    if needs_grad(q, g):
        return finish(l2_distance(q, g))
    return concat_blocks(l2_blocks(q, g, blocks), len(q), finish)


@dataclass(frozen=True, eq=False)
class CenteredRows:
    """Rows that distances are measured to, with the terms that depend on them alone.

    features: [M, D]; center: [D], their mean; columns: [M, D] = features − center;
    squares: [M], the squared lengths of the columns.
    """

    features: Tensor
    center: Tensor
    columns: Tensor
    squares: Tensor

    @classmethod
    def of(cls, features: Tensor) -> CenteredRows:
        """Center the rows on their mean."""
        center = features.detach().mean(0)
        columns = features - center
        return cls(features, center, columns, _squares(columns))

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: slice | Tensor) -> CenteredRows:
        """Select rows, relative to the same center."""
        return CenteredRows(
            self.features[rows], self.center, self.columns[rows], self.squares[rows]
        )


def l2_row_blocks(num_rows: int, y: Tensor) -> Iterator[slice]:
    """The blocks of `l2_blocks`: of the usual working memory, but at least 32 rows.

    With fewer rows a product would read all of a large y for little work.
    """
    return row_blocks(num_rows, min(6 * len(y) * y.element_size(), BLOCK_BYTES // 32))


def l2_blocks(
    x: Tensor, y: Tensor | CenteredRows, blocks: Iterable[slice] | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield l2_distance(x, y) block by block: the rows, and their distances [B, M]."""
    to = y if isinstance(y, CenteredRows) else CenteredRows.of(y)
    for rows in l2_row_blocks(len(x), to.features) if blocks is None else blocks:
        part = x[rows] - to.center
        yield rows, _distances(part, to.columns, x[rows], to.features, _squares(part), to.squares)


def _squares(x: Tensor) -> Tensor:
    squares: Tensor = torch.linalg.vector_norm(x, dim=1).square()
    return squares


def _distances(
    x: Tensor, y: Tensor, raw_x: Tensor, raw_y: Tensor, x_squares: Tensor, y_squares: Tensor
) -> Tensor:
    """Distances of centered rows; the uncentered ones serve the pairs that cancel."""
    with exact_products(x.device.type):
        products = x @ y.T
    if not needs_grad(products, x_squares, y_squares):
        return kernels.distances_of_products(products, raw_x, raw_y, x_squares, y_squares)
    norms = x_squares[:, None] + y_squares
    squared = norms - 2 * products
    i, j = (squared.detach() < CANCELLED * norms.detach()).nonzero(as_tuple=True)
    if i.numel():
        squared = squared.index_put((i, j), _squared_differences(raw_x, raw_y, i, j))
    return _root(squared)


def needs_grad(*tensors: Tensor) -> bool:
    """Whether a result computed from the tensors needs a gradient."""
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def _root(squared: Tensor) -> Tensor:
    squared = squared.clamp(min=0)
    # The root has no gradient at 0. NaN from overflow stays NaN and must not become 0.
    apart = squared != 0
    return torch.where(apart, squared, 1).sqrt() * apart


def _squared_differences(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    blocks = row_blocks(i.numel(), 3 * x.shape[1] * x.element_size())
    return torch.cat([(x[i[s]] - y[j[s]]).square().sum(1) for s in blocks])


def k_smallest(d: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the k smallest values of each row, ascending, with ties to the lower index.

    Args:
        d: [N, M], without NaN.
        k: 0 <= k <= M.

    Returns:
        values [N, k] and indices [N, k] (int64); values are differentiable.
    """
    if k == 0:
        return d[:, :0], torch.empty((d.shape[0], 0), dtype=torch.long, device=d.device)
    values, index = kernels.topk_smallest(d.detach(), k)
    return (d.gather(1, index) if needs_grad(d) else values), index


def nearest_neighbors(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the k nearest other rows of each row, exactly, with ties to the lower index.

    A row excludes itself by index, so its duplicates count as neighbors.

    Args:
        x: features [N, D].
        k: 0 <= k < N.

    Returns:
        distances [N, k], ascending, and indices [N, k].
    """
    with torch.no_grad():
        distances, index = _nearest_rows(x, k)
    if needs_grad(x):
        # Only the kept pairs carry a gradient, so the backward pass holds nothing of size N × N.
        blocks = row_blocks(len(x), 3 * max(1, k) * x.shape[1] * x.element_size())
        parts = [checkpoint(_kept, x, rows, index[rows], use_reentrant=False) for rows in blocks]
        distances = torch.cat(parts)
    return distances, index


def _kept(x: Tensor, rows: slice, index: Tensor) -> Tensor:
    return _root((x[rows][:, None] - x[index]).square().sum(2))


def _nearest_rows(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest others, from blocks of half of the distances: each serves both rows."""
    n = len(x)
    values = x.new_full((n, k), torch.inf)
    index = torch.full((n, k), -1, device=x.device)
    if k == 0:
        return values, index
    centered = x - x.mean(0)
    squares = _squares(centered)

    def between(rows: slice, columns: slice) -> Tensor:
        return _distances(
            centered[rows], centered[columns], x[rows], x[columns], squares[rows], squares[columns]
        )

    # Each row must see its columns in order: first those before its block, then its block, then
    # those after it.
    for start in range(0, n, SYMMETRIC_ROWS):
        rows, later = (
            slice(start, min(start + SYMMETRIC_ROWS, n)),
            slice(start + SYMMETRIC_ROWS, n),
        )
        own = between(rows, rows).fill_diagonal_(torch.inf)
        kernels.merge_topk(values[rows], index[rows], own, start)
        if later.start < n:
            d = between(rows, later)
            kernels.merge_topk(values[rows], index[rows], d, later.start)
            kernels.merge_topk(values[later], index[later], d, start, rows=False)
    return values, index


def nearest_in_distances(d_gg: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest others of each row of a distance matrix [N, N]; see `nearest_neighbors`."""
    blocks = row_blocks(len(d_gg), 4 * len(d_gg) * d_gg.element_size())
    values, index = nearest_in_blocks(((rows, d_gg[rows].detach()) for rows in blocks), k)
    return (d_gg.gather(1, index) if needs_grad(d_gg) else values), index


def nearest_in_blocks(
    blocks: Iterable[tuple[slice, Tensor]], k: int, start: int = 0
) -> tuple[Tensor, Tensor]:
    """The k nearest others of rows whose distances come block by block; see `nearest_neighbors`.

    Args:
        blocks: the rows, and their distances [B, N] to all rows, without gradient.
        k: 0 <= k < N.
        start: index of the first row among the N.

    Returns:
        distances [rows, k], ascending, and indices [rows, k].
    """
    found = [
        kernels.topk_smallest(d, k, own=start + rows.start) if k else k_smallest(d, 0)
        for rows, d in blocks
    ]
    values, index = (torch.cat(parts) for parts in zip(*found, strict=True))
    return values, index
