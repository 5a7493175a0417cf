"""Euclidean distances and exact nearest neighbours, by blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from simgraph import kernels
from simgraph.kernels.reference import CANCELLED

BLOCK_BYTES = 64 * 2**20
"""Working memory of one block of rows, for all loops over `row_blocks`."""

SYMMETRIC_ROWS = 256
"""Rows of a block of a symmetric matrix of which the upper half is computed: few enough to save
nearly half, enough for matrix products at full speed."""


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
    if needs_grad(x, y):
        return torch.cat([d for _, d in l2_blocks(x, y)])
    return concat_blocks(l2_blocks(x, y), len(x))


def concat_blocks(
    blocks: Iterable[tuple[slice, Tensor]],
    num_rows: int,
    finish: Callable[[Tensor], Tensor] = lambda d: d,
) -> Tensor:
    """finish(d) of blocks of rows d, put together without a second copy of the whole."""
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
    """finish(D_qg) by the given blocks of queries, so that D_qg never stands whole.

    With gradients it does: they need it on the way back.
    """
    if needs_grad(q, g):
        return finish(l2_distance(q, g))
    return concat_blocks(l2_blocks(q, g, blocks), len(q), finish)


@dataclass(frozen=True, eq=False)
class CenteredRows:
    """Rows that distances are taken to, with what depends on them alone.

    features: [M, D]; center: [D], their mean; columns: [M, D] = features − center;
    squares: [M], the squared lengths of the columns.
    """

    features: Tensor
    center: Tensor
    columns: Tensor
    squares: Tensor

    @classmethod
    def of(cls, features: Tensor) -> CenteredRows:
        """Centre rows on their mean."""
        center = features.detach().mean(0)
        columns = features - center
        return cls(features, center, columns, _squares(columns))

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: slice | Tensor) -> CenteredRows:
        """Some of the rows, about the same centre."""
        return CenteredRows(
            self.features[rows], self.center, self.columns[rows], self.squares[rows]
        )


def l2_row_blocks(num_rows: int, y: Tensor) -> Iterator[slice]:
    """The blocks of l2_blocks: of working memory as all, but of no fewer than 32 rows.

    With fewer a product would read all of a large y for little work.
    """
    return row_blocks(num_rows, min(6 * len(y) * y.element_size(), BLOCK_BYTES // 32))


def l2_blocks(
    x: Tensor, y: Tensor | CenteredRows, blocks: Iterable[slice] | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """The rows of l2_distance(x, y) block by block: which rows, and their distances [B, M]."""
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
    """Distances of centred rows; the raw ones are there for the pairs that cancel."""
    # Autocast would take the product in half precision.
    with torch.autocast(x.device.type, enabled=False):
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
    """Whether what is computed from the tensors will be asked for its gradient."""
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def _root(squared: Tensor) -> Tensor:
    squared = squared.clamp(min=0)
    # The root has no gradient at 0; the overflow of huge values stays NaN and is not taken for 0.
    apart = squared != 0
    return torch.where(apart, squared, 1).sqrt() * apart


def _squared_differences(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    blocks = row_blocks(i.numel(), 3 * x.shape[1] * x.element_size())
    return torch.cat([(x[i[s]] - y[j[s]]).square().sum(1) for s in blocks])


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
    values, index = kernels.smallest(d.detach(), k)
    return (d.gather(1, index) if needs_grad(d) else values), index


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
        distances, index = _nearest_rows(x, k)
    if needs_grad(x):
        # Only the kept pairs carry a gradient: nothing of size N × N stays for the way back.
        blocks = row_blocks(len(x), 3 * max(1, k) * x.shape[1] * x.element_size())
        parts = [checkpoint(_kept, x, rows, index[rows], use_reentrant=False) for rows in blocks]
        distances = torch.cat(parts)
    return distances, index


def _kept(x: Tensor, rows: slice, index: Tensor) -> Tensor:
    return _root((x[rows][:, None] - x[index]).square().sum(2))


def _nearest_rows(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest others by blocks of the upper half of the distances: each counts for both."""
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

    # In the order of the columns for each row: those before its block, its block, those behind.
    for start in range(0, n, SYMMETRIC_ROWS):
        rows, later = (
            slice(start, min(start + SYMMETRIC_ROWS, n)),
            slice(start + SYMMETRIC_ROWS, n),
        )
        own = between(rows, rows).fill_diagonal_(torch.inf)
        kernels.keep_smallest(values[rows], index[rows], own, start)
        if later.start < n:
            d = between(rows, later)
            kernels.keep_smallest(values[rows], index[rows], d, later.start)
            kernels.keep_smallest(values[later], index[later], d, start, rows=False)
    return values, index


def nearest_in_distances(d_gg: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest others of each row of a distance matrix [N, N], as nearest_neighbors."""
    blocks = row_blocks(len(d_gg), 4 * len(d_gg) * d_gg.element_size())
    values, index = nearest_in_blocks(((rows, d_gg[rows].detach()) for rows in blocks), k)
    return (d_gg.gather(1, index) if needs_grad(d_gg) else values), index


def nearest_in_blocks(
    blocks: Iterable[tuple[slice, Tensor]], k: int, start: int = 0
) -> tuple[Tensor, Tensor]:
    """The k nearest others of rows whose distances come block by block, as nearest_neighbors.

    Args:
        blocks: which rows, and their distances [B, N] to all; not tracked.
        k: 0 <= k < N.
        start: which of the N the first row is.

    Returns:
        distances [rows, k], ascending, and indices [rows, k].
    """
    found = [
        kernels.smallest(d, k, own=start + rows.start) if k else k_smallest(d, 0)
        for rows, d in blocks
    ]
    values, index = (torch.cat(parts) for parts in zip(*found, strict=True))
    return values, index
