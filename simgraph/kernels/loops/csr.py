"""Compressed sparse rows: grouping by key, and reciprocal sets of neighbor lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simgraph._arrays import Ints
from simgraph.kernels.loops._jit import jit


@jit
def group_by_key(keys: Ints, values: Ints, num_keys: int) -> tuple[Ints, Ints]:
    """A counting sort: count each key, place its row, copy each value to its place."""
    ptr = np.zeros(num_keys + 1, np.int64)
    for key in keys:
        ptr[key + 1] += 1
    for i in range(num_keys):
        ptr[i + 1] += ptr[i]
    free = ptr[:-1].copy()
    grouped = np.empty_like(values)
    for i in range(len(keys)):
        grouped[free[keys[i]]] = values[i]
        free[keys[i]] += 1
    return ptr, grouped


# What an image is to the set that is being built.
_OUTSIDE, _MUTUAL, _ADDED = 0, 1, 2


@jit
def reciprocal_members(
    neighbors: Ints, rows: Ints, k: int, half: int, largest: int, expand: bool
) -> tuple[Ints, Ints]:
    """Sizes of the sets of some rows, and their members one set after another, in any order.

    `largest` is the number of values that a set can take while it is built: k + 1 members, and
    half + 1 candidates from each of them.
    """
    found = np.empty(len(rows) * largest, np.int32)
    size = np.empty(len(rows), np.int32)
    mark = np.zeros(len(neighbors), np.int8)
    start = 0
    for i in range(len(rows)):
        found[start] = rows[i]
        end = _add_mutual(neighbors, rows[i], k, found, start + 1)
        for g in found[start:end]:
            mark[g] = _MUTUAL
        if expand:
            end = _add_expansions(neighbors, half, found, start, end, mark)
        for g in found[start:end]:
            mark[g] = _OUTSIDE
        size[i] = end - start
        start = end
    return size, found[:start].copy()


@jit
def _add_mutual(neighbors: Ints, g: int, k: int, found: Ints, end: int) -> int:
    """Append those of g's k nearest that have g among theirs; return the new end."""
    for c in neighbors[g, :k]:
        for back in neighbors[c, :k]:
            if back == g:
                found[end] = c
                end += 1
                break
    return end


@jit
def _add_expansions(
    neighbors: Ints, half: int, found: Ints, start: int, end: int, mark: NDArray[np.int8]
) -> int:
    """Append R(c, k/2) of the members c of which more than 2/3 lies inside; return the new end.

    Inside means among the members before the expansion: images added for one member do not count
    for another. The candidates of c are written behind the set; those that are new move up.
    """
    members = end
    for place in range(start, members):
        first = end
        found[first] = found[place]
        stop = _add_mutual(neighbors, found[place], half, found, first + 1)
        inside = 0
        for h in found[first:stop]:
            inside += mark[h] == _MUTUAL
        if 3 * inside > 2 * (stop - first):
            for h in found[first:stop]:
                if mark[h] == _OUTSIDE:
                    mark[h] = _ADDED
                    found[end] = h
                    end += 1
    return end
