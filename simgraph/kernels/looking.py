"""Looking at a part of a gallery only: at lists of it, and at the neighbours of what is found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.kernels._threads import parallel_rows
from simgraph.kernels.certified import Floats, Ints


def keep_members(d: Floats, rows: Ints, members: Ints, values: Floats, index: Ints) -> None:
    """Let a list's members take part in the k smallest of some rows, in place.

    Args:
        d: [B, M], of those rows to the members; may lack what is the same for all of a row.
        rows: [B], which they are.
        members: [M]; a row is left out of its own neighbours.
        values: [Ng, k], the smallest so far, ascending; `inf` where fewer came.
        index: [Ng, k] int32, their images.
    """
    from simgraph.kernels import looking_loops  # numba takes its time

    looking_loops.keep_members(d, rows, members, values, index)


def take_back(values: Floats, index: Ints) -> tuple[Floats, Ints]:
    """The k nearest among each image's neighbours and those that have it among theirs.

    Args:
        values: [Ng, k], distances to the neighbours, ascending, `inf` where there is none.
        index: [Ng, k] int32, the neighbours, -1 there.

    Returns:
        The same of more.
    """
    from simgraph.kernels import looking_loops

    found = values.copy(), index.copy()
    looking_loops.take_back(values, index, *found)
    return found


def look_around(x: Floats, order: Ints, index: Ints) -> tuple[Floats, Ints]:
    """The k nearest among each image's neighbours and their neighbours, ties to the lower index.

    Args:
        x: features [Ng, D].
        order: [Ng], images in the order to go through them: those beside each other share
            neighbours, which then stay at hand.
        index: [Ng, k] int32, neighbours so far, -1 where there is none.

    Returns:
        squared distances [Ng, k], ascending, `inf` where there is none, and images, -1 there.
    """
    from simgraph.kernels import looking_loops

    found = np.full(index.shape, np.inf, x.dtype), np.full(index.shape, -1, np.int32)
    cost = index.shape[1] ** 2 * x.shape[1]
    parallel_rows(looking_loops.look_around, len(x), cost, _frozen(x), order, index, *found)
    return found


def distances_in_lists(
    q: Floats,
    x: Floats,
    lists: Ints,
    list_ptr: Ints,
    list_members: Ints,
    neighbors: Ints,
    first: int,
) -> Floats:
    """Distances of queries to the images of some lists, and `inf` to all others.

    The neighbours of the nearest images found are looked at as well.

    Args:
        q: [B, D].
        x: features of the gallery [Ng, D].
        lists: [B, probes], the lists to look into.
        list_ptr: [C + 1], where the lists begin.
        list_members: [Ng] int32, their images.
        neighbors: [Ng, k] int32, of each gallery image.
        first: how many of the nearest have their neighbours looked at.

    Returns:
        [B, Ng].
    """
    from simgraph.kernels import looking_loops

    d = np.empty((len(q), len(x)), x.dtype)
    arrays = map(_frozen, (q, x, lists, list_ptr, list_members, neighbors))
    parallel_rows(looking_loops.distances_in_lists, len(q), d.shape[1], *arrays, first, d)
    return d


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view, as of a memory map: compiled code tells the two apart."""
    view: NDArray[Any] = array.view()
    view.flags.writeable = False
    return view
