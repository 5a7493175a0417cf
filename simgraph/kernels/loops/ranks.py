"""Ranks of matches by counting, without sorting a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.kernels.loops._jit import jit


@jit
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
    """Rank the matches column[ptr[i]:ptr[i + 1]] of rows start to stop.

    The kept images of a row are copied side by side first. A match is then behind all images
    before it that are at its distance or nearer, and all images after it that are nearer: two
    loops without branches.
    """
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
