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


@jit
def add_min_overlaps(
    start: int,
    stop: int,
    query_ptr: NDArray[Any],
    member: NDArray[Any],
    weight: NDArray[Any],
    ptr: NDArray[Any],
    owner: NDArray[Any],
    value: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Add Σ_m min(V_qm, V_gm) to rows start to stop of out, from V_q by rows and V_g by columns."""
    for q in range(start, stop):
        for e in range(query_ptr[q], query_ptr[q + 1]):
            m, own = member[e], weight[e]
            for p in range(ptr[m], ptr[m + 1]):
                out[q, owner[p]] += min(own, value[p])
