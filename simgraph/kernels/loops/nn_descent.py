"""NN-descent: reverse neighbors, and neighbors of neighbors, as candidates for neighbors."""

from __future__ import annotations

import numpy as np

from simgraph._arrays import Floats, Ints
from simgraph.kernels.loops._jit import jit
from simgraph.kernels.loops.distances import squared_difference_reordered
from simgraph.kernels.loops.topk import insert_pair, precedes


@jit
def add_reverse_neighbors(old_values: Floats, old: Ints, values: Floats, index: Ints) -> None:
    """Offer each image to the lists of its old neighbors."""
    for i in range(len(old)):
        for s in range(old.shape[1]):
            t, d = old[i, s], old_values[i, s]
            if t >= 0 and precedes(d, i, values[t, -1], index[t, -1]) and not _holds(index[t], i):
                insert_pair(values[t], index[t], d, i)


@jit
def _holds(index: Ints, image: int) -> bool:
    found = False
    for g in index:
        found |= g == image
    return found


@jit
def neighbors_of_neighbors(
    start: int, stop: int, x: Floats, order: Ints, old: Ints, values: Floats, index: Ints
) -> None:
    """Try the neighbors of the images order[start:stop], and the neighbors of those."""
    seen_by = np.full(len(x), -1, np.int32)
    for i in order[start:stop]:
        seen_by[i] = i
        for t in old[i]:
            if t >= 0:
                _try_candidate(t, i, x, seen_by, values[i], index[i])
                for g in old[t]:
                    if g >= 0:
                        _try_candidate(g, i, x, seen_by, values[i], index[i])


@jit
def _try_candidate(g: int, i: int, x: Floats, seen_by: Ints, values: Floats, index: Ints) -> None:
    """Insert g into the list of i if it is near enough, and was not tried before."""
    if seen_by[g] == i:
        return
    seen_by[g] = i
    d = squared_difference_reordered(x[i], x[g])
    if precedes(d, g, values[-1], index[-1]):
        insert_pair(values, index, d, g)
