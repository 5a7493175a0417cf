"""Mean of the K shortest paths (Eq. 4–5): many queries side by side, or few one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.kernels._constants import LANES
from simgraph.kernels.loops._jit import jit

# Columns of a transposed tile: one cache line of float32.
_TILE = 16

# The layout of mean_k_shortest, for LANES queries at a time:
#
#     legs [Nq, Ng]                     by_image [Ng, LANES]
#                                                lane:   q0    q1    q2  …  q63
#     q0   l00 l01 l02 …                image 0         l00   l10   l20  …
#     q1   l10 l11 l12 …   transpose    image 1         l01   l11   l21  …
#     q2   l20 l21 l22 …   ────────▶    image 2         l02   l12   l22  …
#     …                                 …
#
# All paths of a target go through the same neighbors t with the same last hops w. So lane by lane
# the work is the same, and one instruction serves a register of queries:
#
#     path[u]  =  by_image[t]  +  w           a row of LANES values plus a scalar
#     best[i]  =  min(best[i], path[u])       K rows, ascending in every lane
#
# by_image (Ng × LANES values) stays in the cache of a core while all targets pass; best and path
# (K + 4 rows) stay in its first level. The result of a target is one row of LANES values. It is
# collected in `tile`, and written back transposed, a cache line per query.


@jit
def mean_k_shortest(
    start: int,
    stop: int,
    direct: NDArray[Any],
    legs: NDArray[Any],
    one_leg: bool,
    neighbors: NDArray[Any],
    weight: NDArray[Any],
    targets: NDArray[Any],
    num_paths: int,
    out: NDArray[Any],
) -> None:
    """Eq. 4–5 for queries start to stop, LANES of them side by side.

    The rows of these queries are transposed first. Then the paths of each target, four at a time,
    pass through the K smallest so far. `one_leg` says that legs are direct.
    """
    infinite = direct.dtype.type(np.inf)
    degree = neighbors.shape[1]
    by_image = np.zeros((legs.shape[1], LANES), direct.dtype)
    own = by_image if one_leg else np.zeros((direct.shape[1], LANES), direct.dtype)
    best = np.empty((min(num_paths, degree + 1), LANES), direct.dtype)
    path = np.empty((4, LANES), direct.dtype)
    count = np.empty(LANES, direct.dtype)
    tile = np.empty((_TILE, LANES), direct.dtype)
    for first in range(start, stop, LANES):
        width = min(LANES, stop - first)
        _transpose_lanes(legs, first, width, by_image)
        if not one_leg:
            _transpose_lanes(direct, first, width, own)
        for j in range(len(neighbors)):
            for q in range(LANES):
                best[0, q] = own[targets[j], q]
            for i in range(1, len(best)):
                for q in range(LANES):
                    best[i, q] = infinite
            for s in range(0, degree, 4):
                for u in range(4):
                    # An incomplete group of four is filled with paths of infinite length.
                    t = neighbors[j, min(s + u, degree - 1)]
                    w = weight[j, s + u] if s + u < degree else infinite
                    for q in range(LANES):
                        path[u, q] = by_image[t, q] + w
                # Before this group best holds at most s + 1 values: rows past s + 5 stay infinite.
                _sorting_network(best, min(len(best), s + 5), path)
            _mean_of_lanes(best, count, tile, j % _TILE)
            if j % _TILE == _TILE - 1 or j == len(neighbors) - 1:
                for q in range(width):
                    for c in range(j % _TILE + 1):
                        out[first + q, j - j % _TILE + c] = tile[c, q]


@jit
def _transpose_lanes(rows: NDArray[Any], first: int, width: int, columns: NDArray[Any]) -> None:
    """Write rows first to first + width as columns, by tiles that stay in the cache."""
    for j0 in range(0, rows.shape[1], _TILE):
        for q in range(width):
            for j in range(j0, min(j0 + _TILE, rows.shape[1])):
                columns[j, q] = rows[first + q, j]


# The sorting network: one column of comparators per path, one row per kept value. A comparator ┼
# keeps the smaller of both on its row, and passes the larger one down its column:
#
#               path 0   path 1   path 2   path 3
#                  │        │        │        │
#     best[0] ─────┼────────┼────────┼────────┼──▶ best[0], the smallest so far
#                  │        │        │        │
#     best[1] ─────┼────────┼────────┼────────┼──▶ best[1]
#                  ⋮        ⋮        ⋮        ⋮
#     best[K−1] ───┼────────┼────────┼────────┼──▶ best[K−1]
#                  ▼        ▼        ▼        ▼
#                           dropped
#
# It has no branches: a comparator is a minimum and a maximum of two registers. Four paths at once
# load and store each row of best once instead of four times. best is ascending in every lane
# before and after. Its values are those that insertion one by one would leave, so the sum over
# them has the same bits.


@jit
def _sorting_network(best: NDArray[Any], rows: int, path: NDArray[Any]) -> None:
    """Pass four paths through the first rows of the ascending `best`."""
    for i in range(rows):
        for q in range(LANES):
            kept = best[i, q]
            kept, a = _compare_exchange(kept, path[0, q])
            kept, b = _compare_exchange(kept, path[1, q])
            kept, c = _compare_exchange(kept, path[2, q])
            kept, d = _compare_exchange(kept, path[3, q])
            best[i, q] = kept
            path[0, q] = a
            path[1, q] = b
            path[2, q] = c
            path[3, q] = d


@jit
def _compare_exchange(kept: Any, path: Any) -> tuple[Any, Any]:
    return (kept if kept < path else path), (path if kept < path else kept)


@jit
def _mean_of_lanes(best: NDArray[Any], count: NDArray[Any], out: NDArray[Any], row: int) -> None:
    """Mean of the finite values of each lane, summed from the smallest upwards."""
    kind = best.dtype.type
    zero, one, infinite = kind(0), kind(1), kind(np.inf)
    for q in range(LANES):
        out[row, q] = zero
        count[q] = zero
    for i in range(len(best)):
        for q in range(LANES):
            finite = best[i, q] < infinite
            out[row, q] += best[i, q] if finite else zero
            count[q] += one if finite else zero
    for q in range(LANES):
        out[row, q] = out[row, q] / count[q] if count[q] > zero else infinite


@jit
def mean_k_shortest_of_few(
    start: int,
    stop: int,
    direct: NDArray[Any],
    legs: NDArray[Any],
    neighbors: NDArray[Any],
    weight: NDArray[Any],
    targets: NDArray[Any],
    num_paths: int,
    out: NDArray[Any],
) -> None:
    """Eq. 4–5 for targets start to stop, one query at a time."""
    kind = direct.dtype.type
    zero, one, infinite = kind(0), kind(1), kind(np.inf)
    degree = neighbors.shape[1]
    best = np.empty(min(num_paths, degree + 1), direct.dtype)
    for j in range(start, stop):
        for q in range(len(direct)):
            best[0] = direct[q, targets[j]]
            for i in range(1, len(best)):
                best[i] = infinite
            for s in range(degree):
                path = legs[q, neighbors[j, s]] + weight[j, s]
                place = len(best) - 1
                if path < best[place]:
                    while place > 0 and path < best[place - 1]:
                        best[place] = best[place - 1]
                        place -= 1
                    best[place] = path
            total, finite = zero, zero
            for i in range(len(best)):
                if best[i] < infinite:
                    total += best[i]
                    finite += one
            out[q, j] = total / finite if finite > zero else infinite
