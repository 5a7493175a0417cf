"""The loops that numba compiles for `lists`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simgraph.kernels.lists import Ints
from simgraph.kernels.loops import _compiled


@_compiled
def group(keys: Ints, values: Ints, num_keys: int) -> tuple[Ints, Ints]:
    """A counting sort: the number of each key, where its values begin, and each to its place."""
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


@_compiled
def members(neighbors: Ints, rows: Ints, k: int, half: int, expand: bool) -> tuple[Ints, Ints]:
    """Sizes of the sets of some rows, and their members one set after another."""
    largest = (k + 1) * (half + 2)
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
        size[i] = _unmark_repeats(found, start, end, inside)
        start += size[i]
    return size, found[:start].copy()


@_compiled
def _add_mutual(neighbors: Ints, g: int, k: int, found: Ints, end: int) -> int:
    """Append those of g's k nearest that have g among theirs; the new end."""
    for c in neighbors[g, :k]:
        for back in neighbors[c, :k]:
            if back == g:
                found[end] = c
                end += 1
                break
    return end


@_compiled
def _add_expansions(
    neighbors: Ints, half: int, found: Ints, start: int, end: int, inside: NDArray[np.bool_]
) -> int:
    """Append R(c, k/2) of the members c of which more than 2/3 lies inside; the new end."""
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


@_compiled
def _unmark_repeats(found: Ints, start: int, end: int, inside: NDArray[np.bool_]) -> int:
    """Keep each member once, ascending, and clear the marks; how many there are."""
    found[start:end].sort()
    kept = start
    for i in range(start, end):
        inside[found[i]] = False
        if i == start or found[i] != found[kept - 1]:
            found[kept] = found[i]
            kept += 1
    return kept - start
