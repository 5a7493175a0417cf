"""The kernels for the CPU: numba's compiled loops, with their rows shared among threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph.kernels import reference
from simgraph.kernels._constants import LANES
from simgraph.kernels._threads import parallel_rows
from simgraph.kernels.csr import ReciprocalSets, group_by_key, reciprocal_members
from simgraph.kernels.loops import distances, overlap, paths, ranks, topk

# With fewer queries than this, most lanes would be empty.
_FEW = 8
# With more matches per query than this, sorting its list is faster than counting for each match.
_MANY = 500


def distances_of_products(
    products: Tensor, x: Tensor, y: Tensor, x_squares: Tensor, y_squares: Tensor
) -> Tensor:
    """See `simgraph.kernels.distances_of_products`."""
    arrays = products.numpy(), *map(_view, (x, y, x_squares, y_squares))
    parallel_rows(distances.euclidean, len(products), products.shape[1], *arrays)
    return products


def topk_smallest(d: Tensor, k: int, own: int | None = None) -> tuple[Tensor, Tensor]:
    """See `simgraph.kernels.topk_smallest`."""
    values, index = d.new_empty((len(d), k)), torch.empty((len(d), k), dtype=torch.long)
    own = -1 if own is None else own
    parallel_rows(
        topk.topk_smallest, len(d), d.shape[1], _view(d), own, values.numpy(), index.numpy()
    )
    return values, index


def merge_topk(values: Tensor, index: Tensor, d: Tensor, first: int, rows: bool = True) -> None:
    """See `simgraph.kernels.merge_topk`."""
    arrays = values.numpy(), index.numpy(), _view(d), first
    if rows:
        parallel_rows(topk.merge_topk_of_rows, len(d), d.shape[1], *arrays)
    else:
        parallel_rows(topk.merge_topk_of_columns, d.shape[1], len(d), *arrays)


def mean_k_shortest(
    direct: Tensor,
    legs: Tensor,
    neighbors: Tensor,
    weight: Tensor,
    num_paths: int,
    targets: Tensor | None = None,
) -> Tensor:
    """See `simgraph.kernels.mean_k_shortest`."""
    targets = torch.arange(len(neighbors)) if targets is None else targets
    one_leg = legs is direct
    by_query = _view(direct)
    first_legs = by_query if one_leg else _view(legs)
    graph = _view(neighbors), _view(weight), _view(targets), num_paths
    means = direct.new_empty((len(direct), len(neighbors)))
    work = num_paths * (neighbors.shape[1] + 1)
    if len(direct) < _FEW:
        few = by_query, first_legs, *graph, means.numpy()
        parallel_rows(paths.mean_k_shortest_of_few, len(neighbors), len(direct) * work, *few)
    else:
        many = by_query, first_legs, one_leg, *graph, means.numpy()
        cost = len(neighbors) * work
        parallel_rows(paths.mean_k_shortest, len(direct), cost, *many, multiple=LANES)
    return means


def reciprocal_sets(neighbors: Tensor, k: int, expand: bool) -> ReciprocalSets:
    """See `simgraph.kernels.reciprocal_sets`."""
    near = _view(neighbors[:, :k].int())
    images = np.arange(len(near), dtype=np.int32)
    size, members = reciprocal_members(near, images, k, expand)
    ptr, owner = group_by_key(members, images.repeat(size), len(near))
    arrays = owner, images.repeat(np.diff(ptr)), ptr, size
    return ReciprocalSets(*(torch.from_numpy(array).long() for array in arrays))


def jaccard_fuse(
    d: Tensor, nearest: Tensor, reached: Tensor, sets: ReciprocalSets, alpha: float
) -> Tensor:
    """See `simgraph.kernels.jaccard_fuse`."""
    out = torch.empty(d.shape, dtype=d.dtype)
    arrays = map(_view, (d, nearest, reached, sets.ptr, sets.owner, sets.size))
    kind = out.numpy().dtype.type
    parallel_rows(
        overlap.jaccard_fuse, len(d), d.shape[1], *arrays, kind(alpha), kind(1 - alpha), out.numpy()
    )
    return out


def match_ranks(
    d: Tensor, kept: Tensor, query_of: Tensor, column: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """See `simgraph.kernels.match_ranks`."""
    if len(column) > _MANY * len(d):
        return reference.match_ranks(d, kept, query_of, column, codes)
    # numba does not know half precision, whose values are exact in float32.
    d = d.float() if d.dtype in (torch.float16, torch.bfloat16) else d
    match_rank, before = torch.zeros_like(column), column.new_zeros(len(d))
    ptr = torch.searchsorted(query_of, torch.arange(len(d) + 1))
    arrays = map(_view, (d, kept, ptr, column, codes, match_rank, before))
    cost = d.shape[1] * (1 + len(column) // len(d))
    parallel_rows(ranks.match_ranks, len(d), cost, *arrays)
    return match_rank, before


def _view(tensor: Tensor) -> NDArray[Any]:
    """The memory of the tensor as numpy, row by row."""
    array: NDArray[Any] = np.ascontiguousarray(tensor.detach().numpy())
    return array
