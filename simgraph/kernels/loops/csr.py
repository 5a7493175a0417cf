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


@jit
def reciprocal_members(
    neighbors: Ints, rows: Ints, k: int, half: int, largest: int, expand: bool
) -> tuple[Ints, Ints]:
    """Sizes of the sets of some rows, and their members one set after another.

    `largest` is the number of values that one set can have before its repeats are removed: k + 1
    members, and half + 1 more from each of them.
    """
    found = np.empty(len(rows) * largest, np.int32)
    size = np.empty(len(rows), np.int32)
    inside = np.zeros(len(neighbors), np.bool_)
    start = 0
    for i in range(len(rows)):
        found[start] = rows[i]
        end = _add_mutual(neighbors, rows[i], k, found, start + 1)
        for g in found[start:end]:
            inside[g] = True
        if expand:
            end = _add_expansions(neighbors, half, found, start, end, inside)
        size[i] = _sort_and_unmark(found, start, end, inside)
        start += size[i]
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
    neighbors: Ints, half: int, found: Ints, start: int, end: int, inside: NDArray[np.bool_]
) -> int:
    """Append R(c, k/2) of the members c of which more than 2/3 lies inside; return the new end.

    `inside` marks the members before expansion only: a set brought by one member does not help
    the set of another one in.
    """
    members = end
    for place in range(start, members):
        first = end
        found[end] = found[place]
        end = _add_mutual(neighbors, found[place], half, found, end + 1)
        shared = 0
        for h in found[first:end]:
            shared += inside[h]
        if 3 * shared <= 2 * (end - first):
            end = first
    return end


@jit
def _sort_and_unmark(found: Ints, start: int, end: int, inside: NDArray[np.bool_]) -> int:
    """Keep each member once, ascending, and clear the marks; return how many there are."""
    found[start:end].sort()
    kept = start
    for i in range(start, end):
        inside[found[i]] = False
        if i == start or found[i] != found[kept - 1]:
            found[kept] = found[i]
            kept += 1
    return kept - start
