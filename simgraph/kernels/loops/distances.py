"""Euclidean distances from inner products, and squared distances of single pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.kernels._constants import CANCELLED
from simgraph.kernels.loops._jit import jit, jit_reordered


@jit
def euclidean(
    start: int,
    stop: int,
    products: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    x_squares: NDArray[Any],
    y_squares: NDArray[Any],
) -> None:
    """Turn inner products into distances, in place."""
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
                    row[j] = squared_difference(x[i], y[j])
        for j in range(len(row)):
            # Not max: the NaN of overflowing rows must not turn into 0, the best rank.
            row[j] = np.sqrt(zero if row[j] < zero else row[j])


@jit
def squared_difference(a: NDArray[Any], b: NDArray[Any]) -> Any:
    """|a − b|², summed in the order of the features."""
    total = a.dtype.type(0)
    for f in range(len(a)):
        difference = a[f] - b[f]
        total += difference * difference
    return total


@jit_reordered
def squared_difference_reordered(a: NDArray[Any], b: NDArray[Any]) -> Any:
    """|a − b|², summed in any order: for callers that no reference is compared with bit by bit."""
    total = a.dtype.type(0)
    for f in range(len(a)):
        difference = a[f] - b[f]
        total += difference * difference
    return total
