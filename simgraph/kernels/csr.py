"""Compressed sparse rows: lists of images of any length, one after another in one array.

Row i of (ptr, index) is `index[ptr[i]:ptr[i + 1]]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simgraph._arrays import Ints
from simgraph.kernels._threads import parallel_map, row_ranges, threads_worth

# Int32 values of the buffer that one call of the loop fills with sets: 16 MiB.
_BUFFER_VALUES = 2**22


@dataclass(frozen=True, eq=False)
class ReciprocalSets:
    """The set R* of every gallery image, as compressed rows by member.

    Sorted by member c: the owners g of the sets that hold c are `owner[ptr[c]:ptr[c + 1]]`.

    Attributes:
        owner: [nnz] int64.
        member: [nnz] int64, ascending.
        ptr: [Ng + 1] int64.
        size: [Ng] int64, members of each owner's set.
    """

    owner: Tensor
    member: Tensor
    ptr: Tensor
    size: Tensor


def gather_rows(ptr: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Gather all entries of some rows: for each the position in `rows`, and that in the index.

    Args:
        ptr: [N + 1] int64.
        rows: [B], which rows.

    Returns:
        Two int64 tensors, one value per entry.
    """
    count = ptr[rows + 1] - ptr[rows]
    which = torch.arange(len(rows), device=rows.device).repeat_interleave(count)
    first = ptr[rows] - (count.cumsum(0) - count)
    return which, torch.arange(len(which), device=rows.device) + first[which]


def group_by_key(keys: Ints, values: Ints, num_keys: int) -> tuple[Ints, Ints]:
    """Group values by key into compressed rows, in the order they come.

    Args:
        keys: [E], in 0..num_keys − 1.
        values: [E].
        num_keys: number of rows.

    Returns:
        ptr [num_keys + 1] int64, and the values [E] row after row.
    """
    from simgraph.kernels.loops import csr as loops  # numba takes its time

    ptr, grouped = loops.group_by_key(keys, values, num_keys)
    return ptr, grouped


def reciprocal_members(neighbors: Ints, rows: Ints, k: int, expand: bool) -> tuple[Ints, Ints]:
    """Build R(g, k), expanded to R*(g) if asked, of some images; see `kernels.reciprocal_sets`.

    Args:
        neighbors: [Ng, any] int32, nearest first, without the image itself.
        rows: [B] int32, the images whose sets are built.
        k: k_g.
        expand: whether to add R(c, k/2) of members c by the rule of two thirds.

    Returns:
        Sizes [B] of the sets, and their members one set after another, in any order; both int32.
    """
    from simgraph.kernels.loops import csr as loops

    half = round(k / 2)
    largest = (k + 1) * (half + 2)  # values that a set can take while it is built
    threads = threads_worth(len(rows) * k * k)
    ranges = row_ranges(len(rows), threads, longest=max(1, _BUFFER_VALUES // largest))
    parts = parallel_map(
        lambda part: loops.reciprocal_members(
            neighbors, rows[slice(*part)], k, half, largest, expand
        ),
        ranges,
        threads,
    )
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
