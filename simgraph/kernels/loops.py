"""The loops that numba compiles for `cpu`: each takes a range of rows and fills its part of `out`.

They run without the GIL and are kept on disk once compiled. Indices are not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from simgraph.kernels import LANES
from simgraph.kernels.reference import CANCELLED

# Columns of a transposed tile: one cache line of float32.
_TILE = 16
# Columns that are compared with a bound together, before any of them is looked at alone.
_CHUNK = 64


def _compiled(function: Callable[..., Any], fastmath: bool | set[str] = False) -> Any:
    options = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:
        # Nowhere to keep it: compile anew in each process.
        return numba.njit(function, **options)


def _compiled_to_reorder(function: Callable[..., Any]) -> Any:
    """For sums whose order is free: a register of them at a time."""
    return _compiled(function, {"reassoc", "contract"})


@_compiled
def roots(
    start: int,
    stop: int,
    products: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    x_squares: NDArray[Any],
    y_squares: NDArray[Any],
) -> None:
    """Inner products to distances, in place."""
    kind = products.dtype.type
    share, two, zero = kind(CANCELLED), kind(2), kind(0)
    for i in range(start, stop):
        row = products[i]
        near = 0
        for j in range(len(row)):
            norms = x_squares[i] + y_squares[j]
            row[j] = norms - two * row[j]
            near += row[j] < share * norms
        if near:
            for j in range(len(row)):
                if row[j] < share * (x_squares[i] + y_squares[j]):
                    row[j] = _squared_difference(x[i], y[j])
        for j in range(len(row)):
            # Not max: the NaN of overflowing rows must not turn into 0, the best rank.
            row[j] = np.sqrt(zero if row[j] < zero else row[j])


@_compiled
def _squared_difference(a: NDArray[Any], b: NDArray[Any]) -> Any:
    total = a.dtype.type(0)
    for f in range(len(a)):
        difference = a[f] - b[f]
        total += difference * difference
    return total


@_compiled
def smallest(
    start: int, stop: int, d: NDArray[Any], own: int, values: NDArray[Any], index: NDArray[Any]
) -> None:
    """The k smallest of each row; own < 0 leaves out no column."""
    width = d.shape[1]
    for i in range(start, stop):
        left_out = own + i if own >= 0 else -1
        column = 0
        taken = 0
        while taken < values.shape[1]:
            if column != left_out:
                _insert(values[i], index[i], d[i, column], column, taken)
                taken += 1
            column += 1
        if left_out >= column:
            _keep(values[i], index[i], d[i], column, left_out, 0)
            column = left_out + 1
        _keep(values[i], index[i], d[i], column, width, 0)


@_compiled
def keep_in_rows(
    start: int, stop: int, values: NDArray[Any], index: NDArray[Any], d: NDArray[Any], first: int
) -> None:
    """Further columns for the k smallest of each row of d."""
    for i in range(start, stop):
        _keep(values[i], index[i], d[i], 0, d.shape[1], first)


@_compiled
def keep_in_columns(
    start: int, stop: int, values: NDArray[Any], index: NDArray[Any], d: NDArray[Any], first: int
) -> None:
    """Further rows for the k smallest of each column of d: start and stop are columns."""
    last = values.shape[1] - 1
    bound = values[:, last].copy()
    for i in range(d.shape[0]):
        for j0 in range(start, stop, _CHUNK):
            j1 = min(j0 + _CHUNK, stop)
            below = 0
            for j in range(j0, j1):
                below += d[i, j] < bound[j]
            if below:
                for j in range(j0, j1):
                    if d[i, j] < bound[j]:
                        _insert(values[j], index[j], d[i, j], first + i, last)
                        bound[j] = values[j, last]


@_compiled
def _keep(
    values: NDArray[Any], index: NDArray[Any], row: NDArray[Any], start: int, stop: int, first: int
) -> None:
    """Let row[start:stop] into the k smallest so far; equals stay behind those there are."""
    last = len(values) - 1
    for j0 in range(start, stop, _CHUNK):
        j1 = min(j0 + _CHUNK, stop)
        bound = values[last]
        below = 0
        for j in range(j0, j1):
            below += row[j] < bound
        if below:
            for j in range(j0, j1):
                if row[j] < values[last]:
                    _insert(values, index, row[j], first + j, last)


@_compiled
def _insert(values: NDArray[Any], index: NDArray[Any], value: Any, column: int, place: int) -> None:
    """Put a value into an ascending list, behind its equals; what stood at `place` goes."""
    while place > 0 and value < values[place - 1]:
        values[place] = values[place - 1]
        index[place] = index[place - 1]
        place -= 1
    values[place] = value
    index[place] = column


@_compiled
def path_means(
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

    The queries' rows are turned into columns first; then each target's paths, four at a time,
    sink through the K smallest so far. `one_leg` says that legs are direct.
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
        _turn(legs, first, width, by_image)
        if not one_leg:
            _turn(direct, first, width, own)
        for j in range(len(neighbors)):
            for q in range(LANES):
                best[0, q] = own[targets[j], q]
            for i in range(1, len(best)):
                for q in range(LANES):
                    best[i, q] = infinite
            for s in range(0, degree, 4):
                for u in range(4):
                    # A group that is not full is filled up with paths that lead nowhere.
                    t = neighbors[j, min(s + u, degree - 1)]
                    w = weight[j, s + u] if s + u < degree else infinite
                    for q in range(LANES):
                        path[u, q] = by_image[t, q] + w
                _sink(best, min(len(best), s + 5), path)
            _mean(best, count, tile, j % _TILE)
            if j % _TILE == _TILE - 1 or j == len(neighbors) - 1:
                for q in range(width):
                    for c in range(j % _TILE + 1):
                        out[first + q, j - j % _TILE + c] = tile[c, q]


@_compiled
def _turn(rows: NDArray[Any], first: int, width: int, columns: NDArray[Any]) -> None:
    for j0 in range(0, rows.shape[1], _TILE):
        for q in range(width):
            for j in range(j0, min(j0 + _TILE, rows.shape[1])):
                columns[j, q] = rows[first + q, j]


@_compiled
def _exchange(kept: Any, path: Any) -> tuple[Any, Any]:
    return (kept if kept < path else path), (path if kept < path else kept)


@_compiled
def _sink(best: NDArray[Any], rows: int, path: NDArray[Any]) -> None:
    """Four paths sink through the first rows of the ascending `best`."""
    for i in range(rows):
        for q in range(LANES):
            kept = best[i, q]
            kept, a = _exchange(kept, path[0, q])
            kept, b = _exchange(kept, path[1, q])
            kept, c = _exchange(kept, path[2, q])
            kept, d = _exchange(kept, path[3, q])
            best[i, q] = kept
            path[0, q] = a
            path[1, q] = b
            path[2, q] = c
            path[3, q] = d


@_compiled
def _mean(best: NDArray[Any], count: NDArray[Any], out: NDArray[Any], row: int) -> None:
    """Mean of the finite ones of ascending values, from the smallest upwards."""
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


@_compiled
def path_means_of_few(
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
    """Eq. 4–5 for targets start to stop, each query by itself."""
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


@_compiled
def fused_overlap(
    start: int,
    stop: int,
    d: NDArray[Any],
    nearest: NDArray[Any],
    reached: NDArray[Any],
    ptr: NDArray[Any],
    owner: NDArray[Any],
    size: NDArray[Any],
    alpha: Any,
    beta: Any,
    out: NDArray[Any],
) -> None:
    """Eq. 7–8 for rows start to stop; alpha and beta = 1 − alpha in the type of d."""
    kind = d.dtype.type
    one, infinite = kind(1), kind(np.inf)
    shared = np.zeros(d.shape[1], np.int32)
    for i in range(start, stop):
        for m in range(reached[i]):
            c = nearest[i, m]
            for e in range(ptr[c], ptr[c + 1]):
                shared[owner[e]] += 1
        members = kind(reached[i])
        for j in range(d.shape[1]):
            overlap = kind(shared[j])
            union = members + kind(size[j]) - overlap
            fused = alpha * d[i, j] + beta * (one - overlap / union)
            out[i, j] = fused if d[i, j] < infinite else infinite
            shared[j] = 0


@_compiled
def match_ranks(
    start: int,
    stop: int,
    d: NDArray[Any],
    kept: NDArray[Any],
    ptr: NDArray[Any],
    column: NDArray[Any],
    codes: NDArray[Any],
    ranks: NDArray[Any],
    before: NDArray[Any],
) -> None:
    """Ranks of the matches column[ptr[i]:ptr[i + 1]] of rows start to stop, by counting."""
    width = d.shape[1]
    row = np.empty(width, d.dtype)
    source = np.empty(width, np.int64)
    seen = np.full(width, -1)
    for i in range(start, stop):
        count = 0
        for j in range(width):
            if kept[i, j]:
                row[count] = d[i, j]
                source[count] = j
                count += 1
        place = 0
        first = -1
        for e in range(ptr[i], ptr[i + 1]):
            while source[place] != column[e]:
                place += 1
            value = row[place]
            ahead = 0
            for t in range(place):
                ahead += row[t] <= value
            for t in range(place + 1, count):
                ahead += row[t] < value
            ranks[e] = ahead + 1
            if first < 0 or value < row[first]:
                first = place
        if first >= 0:
            for t in range(count):
                if row[t] < row[first] or (row[t] == row[first] and t < first):
                    code = codes[source[t]]
                    before[i] += seen[code] != i
                    seen[code] = i
