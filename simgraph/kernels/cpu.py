"""The kernels for the CPU: numba's compiled loops, with their rows shared among threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph.kernels import LANES, loops, reference
from simgraph.kernels._threads import parallel_rows
from simgraph.kernels.sets import MemberSets

# Below so many queries the lanes would run empty.
_FEW = 8
# Beyond so many matches a query, sorting its list is faster than counting for each.
_MANY = 500


def distances_of_products(
    products: Tensor, x: Tensor, y: Tensor, x_squares: Tensor, y_squares: Tensor
) -> Tensor:
    """See `simgraph.kernels.distances_of_products`."""
    arrays = products.numpy(), *map(_view, (x, y, x_squares, y_squares))
    parallel_rows(loops.roots, len(products), products.shape[1], *arrays)
    return products


def smallest(d: Tensor, k: int, own: int | None = None) -> tuple[Tensor, Tensor]:
    """See `simgraph.kernels.smallest`."""
    values, index = d.new_empty((len(d), k)), torch.empty((len(d), k), dtype=torch.long)
    own = -1 if own is None else own
    parallel_rows(loops.smallest, len(d), d.shape[1], _view(d), own, values.numpy(), index.numpy())
    return values, index


def keep_smallest(values: Tensor, index: Tensor, d: Tensor, first: int, rows: bool = True) -> None:
    """See `simgraph.kernels.keep_smallest`."""
    arrays = values.numpy(), index.numpy(), _view(d), first
    if rows:
        parallel_rows(loops.keep_in_rows, len(d), d.shape[1], *arrays)
    else:
        parallel_rows(loops.keep_in_columns, d.shape[1], len(d), *arrays)


def path_means(
    direct: Tensor,
    legs: Tensor,
    neighbors: Tensor,
    weight: Tensor,
    num_paths: int,
    targets: Tensor | None = None,
) -> Tensor:
    """See `simgraph.kernels.path_means`."""
    targets = torch.arange(len(neighbors)) if targets is None else targets
    one_leg = legs is direct
    by_query = _view(direct)
    first_legs = by_query if one_leg else _view(legs)
    graph = _view(neighbors), _view(weight), _view(targets), num_paths
    out = direct.new_empty((len(direct), len(neighbors)))
    work = num_paths * (neighbors.shape[1] + 1)
    if len(direct) < _FEW:
        cost = len(direct) * work
        parallel_rows(
            loops.path_means_of_few, len(neighbors), cost, by_query, first_legs, *graph, out.numpy()
        )
    else:
        cost = len(neighbors) * work
        parallel_rows(
            loops.path_means, len(direct), cost, by_query, first_legs, one_leg, *graph, out.numpy(),
            multiple=LANES,
        )  # fmt: skip
    return out


def fused_overlap(
    d: Tensor, nearest: Tensor, reached: Tensor, sets: MemberSets, alpha: float
) -> Tensor:
    """See `simgraph.kernels.fused_overlap`."""
    out = torch.empty(d.shape, dtype=d.dtype)
    arrays = map(_view, (d, nearest, reached, sets.ptr, sets.owner, sets.size))
    kind = out.numpy().dtype.type
    parallel_rows(
        loops.fused_overlap, len(d), d.shape[1], *arrays, kind(alpha), kind(1 - alpha), out.numpy()
    )
    return out


def match_ranks(
    d: Tensor, kept: Tensor, query_of: Tensor, column: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """See `simgraph.kernels.match_ranks`."""
    if len(column) > _MANY * len(d):
        return reference.match_ranks(d, kept, query_of, column, codes)
    # Half precision is exact in float32, and unknown to numba.
    d = d.float() if d.dtype in (torch.float16, torch.bfloat16) else d
    ranks, before = torch.zeros_like(column), column.new_zeros(len(d))
    ptr = torch.searchsorted(query_of, torch.arange(len(d) + 1))
    arrays = map(_view, (d, kept, ptr, column, codes, ranks, before))
    cost = d.shape[1] * (1 + len(column) // len(d))
    parallel_rows(loops.match_ranks, len(d), cost, *arrays)
    return ranks, before


def _view(tensor: Tensor) -> NDArray[Any]:
    """The tensor's memory as numpy, row by row."""
    array: NDArray[Any] = np.ascontiguousarray(tensor.detach().numpy())
    return array
