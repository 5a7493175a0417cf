"""Probing of inverted lists: the images of a list against rows that probe it, and queries."""

from __future__ import annotations

import numpy as np

from simgraph._arrays import Floats, Ints
from simgraph.kernels.loops._jit import CHUNK, jit
from simgraph.kernels.loops.distances import squared_difference_reordered
from simgraph.kernels.loops.topk import heap_smallest, insert_pair


@jit
def merge_list_topk(d: Floats, rows: Ints, members: Ints, values: Floats, index: Ints) -> None:
    """Merge the members of a list into the k smallest of some rows."""
    last, width = values.shape[1] - 1, d.shape[1]
    for r in range(len(d)):
        i = rows[r]
        for j0 in range(0, width, CHUNK):
            j1 = min(j0 + CHUNK, width)
            bound = values[i, last]
            below = 0
            for j in range(j0, j1):
                below += d[r, j] < bound
            if below:
                for j in range(j0, j1):
                    if d[r, j] < values[i, last] and members[j] != i:
                        insert_pair(values[i], index[i], d[r, j], members[j])


@jit
def probed_distances(
    start: int,
    stop: int,
    q: Floats,
    x: Floats,
    lists: Ints,
    list_ptr: Ints,
    list_members: Ints,
    neighbors: Ints,
    first: int,
    d: Floats,
) -> None:
    """Rows start to stop of d: the images of the lists, then neighbors of the nearest of them."""
    value, near = np.empty(first, d.dtype), np.empty(first, np.int64)
    for row in range(start, stop):
        d[row] = np.inf
        for c in lists[row]:
            for g in list_members[list_ptr[c] : list_ptr[c + 1]]:
                d[row, g] = np.sqrt(squared_difference_reordered(q[row], x[g]))
        heap_smallest(d[row], None, d.shape[1], value, near)
        for s in range(first):
            if value[s] < np.inf:
                for g in neighbors[near[s]]:
                    if d[row, g] == np.inf:
                        d[row, g] = np.sqrt(squared_difference_reordered(q[row], x[g]))
