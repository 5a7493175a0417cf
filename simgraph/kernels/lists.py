"""Compressed lists on the CPU: grouping by key, and reciprocal sets of chosen images.

List i of (ptr, index) stands at `index[ptr[i]:ptr[i + 1]]`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.kernels._threads import parallel_map

Ints = NDArray[np.integer[Any]]

# Images whose sets one call of the kernel builds: its buffer stays at some 20 MB.
_CHUNK = 2**14


def group(keys: Ints, values: Ints, num_keys: int) -> tuple[Ints, Ints]:
    """The values of each key as compressed lists, in the order they come.

    Args:
        keys: [E], in 0..num_keys − 1.
        values: [E].
        num_keys: number of lists.

    Returns:
        ptr [num_keys + 1] int64, and the values [E] list after list.
    """
    from simgraph.kernels.list_loops import group as grouped  # numba takes its time

    ptr, lists = grouped(keys, values, num_keys)
    return ptr, lists


def reciprocal_members(
    neighbors: Ints, rows: Ints, k: int, expand: bool, num_threads: int
) -> tuple[Ints, Ints]:
    """R(g, k), expanded to R*(g) if asked, of the given images; see `mnnr.reciprocal_sets`.

    Args:
        neighbors: [Ng, k or more] int32, nearest first, the image itself not among them.
        rows: [B], the images whose sets are wanted.
        k: k_g.
        expand: whether to add R(c, k/2) of members c by the rule of two thirds.
        num_threads: threads to share the rows.

    Returns:
        Sizes [B] of the sets, and their members one set after another, both int32.
    """
    from simgraph.kernels.list_loops import members

    chunks = [rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
    half = round(k / 2)
    parts = parallel_map(lambda r: members(neighbors, r, k, half, expand), chunks, num_threads)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
