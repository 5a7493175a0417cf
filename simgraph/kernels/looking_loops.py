"""The loops that numba compiles for `looking`."""

from __future__ import annotations

from typing import Any

import numpy as np

from simgraph.kernels.certified import Floats, Ints
from simgraph.kernels.certified_loops import _smallest
from simgraph.kernels.loops import _CHUNK, _compiled, _compiled_to_reorder


@_compiled
def keep_members(d: Floats, rows: Ints, members: Ints, values: Floats, index: Ints) -> None:
    """Members of a list for the k smallest of some rows."""
    last, width = values.shape[1] - 1, d.shape[1]
    for r in range(len(d)):
        i = rows[r]
        for j0 in range(0, width, _CHUNK):
            j1 = min(j0 + _CHUNK, width)
            bound = values[i, last]
            below = 0
            for j in range(j0, j1):
                below += d[r, j] < bound
            if below:
                for j in range(j0, j1):
                    if d[r, j] < values[i, last] and members[j] != i:
                        _insert(values[i], index[i], d[r, j], members[j])


@_compiled
def take_back(old_values: Floats, old: Ints, values: Floats, index: Ints) -> None:
    """Each image, to the lists of its old neighbours."""
    for i in range(len(old)):
        for s in range(old.shape[1]):
            t, d = old[i, s], old_values[i, s]
            if t >= 0 and _precedes(d, i, values[t, -1], index[t, -1]) and not _holds(index[t], i):
                _insert(values[t], index[t], d, i)


@_compiled
def look_around(
    start: int, stop: int, x: Floats, order: Ints, old: Ints, values: Floats, index: Ints
) -> None:
    """Neighbours and their neighbours of the images order[start:stop]."""
    seen_by = np.full(len(x), -1, np.int32)
    for i in order[start:stop]:
        seen_by[i] = i
        for t in old[i]:
            if t >= 0:
                _look_at(t, i, x, seen_by, values[i], index[i])
                for g in old[t]:
                    if g >= 0:
                        _look_at(g, i, x, seen_by, values[i], index[i])


@_compiled
def _look_at(g: int, i: int, x: Floats, seen_by: Ints, values: Floats, index: Ints) -> None:
    if seen_by[g] == i:
        return
    seen_by[g] = i
    d = _squared_difference(x[i], x[g])
    if _precedes(d, g, values[-1], index[-1]):
        _insert(values, index, d, g)


@_compiled
def distances_in_lists(
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
    """Rows start to stop of d."""
    value, near = np.empty(first, d.dtype), np.empty(first, np.int64)
    for row in range(start, stop):
        d[row] = np.inf
        for c in lists[row]:
            for g in list_members[list_ptr[c] : list_ptr[c + 1]]:
                d[row, g] = np.sqrt(_squared_difference(q[row], x[g]))
        _smallest(d[row], None, d.shape[1], value, near)
        for s in range(first):
            if value[s] < np.inf:
                for g in neighbors[near[s]]:
                    if d[row, g] == np.inf:
                        d[row, g] = np.sqrt(_squared_difference(q[row], x[g]))


# As in `loops`, but in any order of terms, several at once: no reference has to be met to the bit.
@_compiled_to_reorder
def _squared_difference(a: Floats, b: Floats) -> Any:
    total = a.dtype.type(0)
    for f in range(len(a)):
        difference = a[f] - b[f]
        total += difference * difference
    return total


@_compiled
def _insert(values: Floats, index: Ints, value: Any, image: int) -> None:
    """Put an image into an ascending list, ties to the lower index; the last one goes."""
    place = len(values) - 1
    while place > 0 and _precedes(value, image, values[place - 1], index[place - 1]):
        values[place] = values[place - 1]
        index[place] = index[place - 1]
        place -= 1
    values[place] = value
    index[place] = image


@_compiled
def _precedes(value: Any, image: int, other: Any, other_image: int) -> bool:
    return value < other or (value == other and image < other_image)


@_compiled
def _holds(index: Ints, image: int) -> bool:
    found = False
    for g in index:
        found |= g == image
    return found
