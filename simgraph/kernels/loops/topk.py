"""The k smallest values, in three ways that differ in what decides ties.

- Insertion by value: columns come in ascending order, so an equal value stays behind those that
  are there, and ties go to the lower column without a comparison of indices.
- Insertion by (value, index): images come in any order.
- A heap of (value, index): for a k too large to shift a list at every insertion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph._arrays import Floats, Ints
from simgraph.kernels.loops._jit import CHUNK, jit

# --- Insertion by value ----------------------------------------------------------------------


@jit
def topk_smallest(
    start: int, stop: int, d: NDArray[Any], own: int, values: NDArray[Any], index: NDArray[Any]
) -> None:
    """Find the k smallest of each row; own < 0 excludes no column."""
    width = d.shape[1]
    for i in range(start, stop):
        excluded = own + i if own >= 0 else -1
        column = 0
        taken = 0
        while taken < values.shape[1]:
            if column != excluded:
                _insert(values[i], index[i], d[i, column], column, taken)
                taken += 1
            column += 1
        if excluded >= column:
            _merge(values[i], index[i], d[i], column, excluded, 0)
            column = excluded + 1
        _merge(values[i], index[i], d[i], column, width, 0)


@jit
def merge_topk_of_rows(
    start: int, stop: int, values: NDArray[Any], index: NDArray[Any], d: NDArray[Any], first: int
) -> None:
    """Merge further columns into the k smallest of each row of d."""
    for i in range(start, stop):
        _merge(values[i], index[i], d[i], 0, d.shape[1], first)


@jit
def merge_topk_of_columns(
    start: int, stop: int, values: NDArray[Any], index: NDArray[Any], d: NDArray[Any], first: int
) -> None:
    """Merge further rows into the k smallest of each column of d: start and stop are columns.

    d is read row by row, as it lies in memory. So all columns start to stop grow together, and
    their bounds are kept side by side, where a whole chunk is compared at once.
    """
    last = values.shape[1] - 1
    bound = values[:, last].copy()
    for i in range(d.shape[0]):
        for j0 in range(start, stop, CHUNK):
            j1 = min(j0 + CHUNK, stop)
            below = 0
            for j in range(j0, j1):
                below += d[i, j] < bound[j]
            if below:
                for j in range(j0, j1):
                    if d[i, j] < bound[j]:
                        _insert(values[j], index[j], d[i, j], first + i, last)
                        bound[j] = values[j, last]


@jit
def _merge(
    values: NDArray[Any], index: NDArray[Any], row: NDArray[Any], start: int, stop: int, first: int
) -> None:
    """Merge row[start:stop] into the k smallest so far; equals stay behind those that are there."""
    last = len(values) - 1
    for j0 in range(start, stop, CHUNK):
        j1 = min(j0 + CHUNK, stop)
        bound = values[last]
        below = 0
        for j in range(j0, j1):
            below += row[j] < bound
        if below:
            for j in range(j0, j1):
                if row[j] < values[last]:
                    _insert(values, index, row[j], first + j, last)


@jit
def _insert(values: NDArray[Any], index: NDArray[Any], value: Any, column: int, place: int) -> None:
    """Insert a value into an ascending list, behind its equals; the entry at `place` is lost."""
    while place > 0 and value < values[place - 1]:
        values[place] = values[place - 1]
        index[place] = index[place - 1]
        place -= 1
    values[place] = value
    index[place] = column


# --- Insertion by (value, index) -------------------------------------------------------------


@jit
def insert_pair(values: Floats, index: Ints, value: Any, image: int) -> None:
    """Insert an image into an ascending list, with ties to the lower index; the last is lost."""
    place = len(values) - 1
    while place > 0 and precedes(value, image, values[place - 1], index[place - 1]):
        values[place] = values[place - 1]
        index[place] = index[place - 1]
        place -= 1
    values[place] = value
    index[place] = image


@jit
def precedes(value: Any, image: int, other: Any, other_image: int) -> bool:
    """Whether (value, image) comes before (other, other_image)."""
    return value < other or (value == other and image < other_image)


# --- A heap of (value, index) ----------------------------------------------------------------


@jit
def heap_smallest(
    values: Floats, image: Ints | None, count: int, smallest: Floats, which: Ints
) -> None:
    """Find the smallest of `count` values and their images, ascending, by a max-heap.

    `image` None takes the positions of the values. The heap holds the smallest so far, with the
    largest of them on top, where it can be replaced. At the end it is sorted in place: the top
    moves behind the shrinking heap again and again.
    """
    size = len(smallest)
    for i in range(count):
        value, g = values[i], i if image is None else image[i]
        if i < size:
            _sift_up(smallest, which, i, value, g)
        elif value < smallest[0] or (value == smallest[0] and g < which[0]):
            _sift_down(smallest, which, size, value, g)
    for end in range(size - 1, 0, -1):
        value, g = smallest[end], which[end]
        smallest[end], which[end] = smallest[0], which[0]
        _sift_down(smallest, which, end, value, g)


@jit
def _sift_up(heap: Floats, which: Ints, i: int, value: np.floating[Any], g: int) -> None:
    """Add a pair to the heap [0, i): it moves up past its smaller parents."""
    while i > 0:
        up = (i - 1) // 2
        if value < heap[up] or (value == heap[up] and g < which[up]):
            break
        heap[i], which[i] = heap[up], which[up]
        i = up
    heap[i], which[i] = value, g


@jit
def _sift_down(heap: Floats, which: Ints, size: int, value: np.floating[Any], g: int) -> None:
    """Replace the top of the heap [0, size) by a pair: it moves down past its larger children."""
    i = 0
    while 2 * i + 1 < size:
        down = 2 * i + 1
        right = down + 1
        if right < size and (
            heap[right] > heap[down] or (heap[right] == heap[down] and which[right] > which[down])
        ):
            down = right
        if value > heap[down] or (value == heap[down] and g > which[down]):
            break
        heap[i], which[i] = heap[down], which[down]
        i = down
    heap[i], which[i] = value, g
