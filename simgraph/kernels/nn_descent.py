"""Steps of NN-descent: neighbor lists that improve each other.

Source: Dong et al., WWW 2011.
"""

from __future__ import annotations

import numpy as np

from simgraph._arrays import Floats, Ints, read_only
from simgraph.kernels._threads import parallel_rows


def add_reverse_neighbors(values: Floats, index: Ints) -> tuple[Floats, Ints]:
    """Find the k nearest among the neighbors of each image and its reverse neighbors.

    The reverse neighbors of an image are those that have it among their neighbors.

    Args:
        values: [Ng, k], distances to the neighbors, ascending, `inf` where there is none.
        index: [Ng, k] int32, the neighbors, -1 there.

    Returns:
        New lists of the same form.
    """
    from simgraph.kernels.loops import nn_descent as loops  # numba takes its time

    found = values.copy(), index.copy()
    loops.add_reverse_neighbors(values, index, *found)
    return found


def neighbors_of_neighbors(x: Floats, order: Ints, index: Ints) -> tuple[Floats, Ints]:
    """Find the k nearest among the neighbors of each image and their neighbors.

    Args:
        x: features [Ng, D].
        order: [Ng], the order in which images are processed: consecutive images should share
            neighbors, whose features then stay in the cache.
        index: [Ng, k] int32, neighbors so far, -1 where there is none.

    Returns:
        squared distances [Ng, k], ascending, with ties to the lower index, `inf` where there is
        none, and images, -1 there.
    """
    from simgraph.kernels.loops import nn_descent as loops

    found = np.full(index.shape, np.inf, x.dtype), np.full(index.shape, -1, np.int32)
    cost = index.shape[1] ** 2 * x.shape[1]
    parallel_rows(loops.neighbors_of_neighbors, len(x), cost, read_only(x), order, index, *found)
    return found
