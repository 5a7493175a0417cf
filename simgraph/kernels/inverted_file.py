"""Probing of inverted lists: the images of some lists instead of all images."""

from __future__ import annotations

import numpy as np

from simgraph._arrays import Floats, Ints, read_only
from simgraph.kernels._threads import parallel_rows


def merge_list_topk(d: Floats, rows: Ints, members: Ints, values: Floats, index: Ints) -> None:
    """Merge the members of a list into the k smallest of the rows that probe it, in place.

    Args:
        d: [B, M], distances of these rows to the members; a term that all values of a row share
            may be left out.
        rows: [B], the rows.
        members: [M]; a row is not its own neighbor.
        values: [Ng, k], the smallest so far, ascending; `inf` where there are fewer.
        index: [Ng, k] int32, their images.
    """
    from simgraph.kernels.loops import inverted_file as loops  # numba takes its time

    loops.merge_list_topk(d, rows, members, values, index)


def probed_distances(
    q: Floats,
    x: Floats,
    lists: Ints,
    list_ptr: Ints,
    list_members: Ints,
    neighbors: Ints,
    first: int,
) -> Floats:
    """Compute the distances of queries to the images of the probed lists; `inf` for all others.

    The neighbors of the nearest images found get their distances as well.

    Args:
        q: [B, D].
        x: features of the gallery [Ng, D].
        lists: [B, num_probes], the lists to probe.
        list_ptr: [C + 1], where the lists begin.
        list_members: [Ng] int32, their images.
        neighbors: [Ng, k] int32, of each gallery image.
        first: how many of the nearest images have their neighbors added.

    Returns:
        [B, Ng].
    """
    from simgraph.kernels.loops import inverted_file as loops

    d = np.empty((len(q), len(x)), x.dtype)
    arrays = map(read_only, (q, x, lists, list_ptr, list_members, neighbors))
    parallel_rows(loops.probed_distances, len(q), d.shape[1], *arrays, first, d)
    return d
