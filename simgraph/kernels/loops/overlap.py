"""Overlap of neighborhoods, fused with a distance (Eq. 7–8)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.kernels.loops._jit import jit


@jit
def jaccard_fuse(
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
