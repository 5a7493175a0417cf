"""The nearest images by d_SIM of each query, scored no further than a certificate needs.

From the query's M nearest images by D_qg on, with D_(M) the largest of their distances:

- A path over none of the M is at least D_(M) long. So an image that is not among them, and has
  none of them among its neighbors, has d_S >= s(M), the mean of K or fewer paths of length D_(M).
- N_c is known once its farthest member is nearer than s(M).
- Outside the inverted lists of N_c, d_M is 1. So an image that was not scored has
  d_SIM >= α · s(M) + (1 − α).

Both bounds are computed as the distances themselves, by the same operations in the same order,
each of which is monotone under rounding: they hold to the last bit. A distance equal to a bound
may tie with an unseen image of a lower index, so only smaller ones pass; M = Ng always does.
Where D_(M) is `inf`, so are s(M) and the d_SIM of all that was not scored: nothing leads there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simgraph._arrays import Floats, Ints
from simgraph.kernels._threads import parallel_map


class GalleryIndex(NamedTuple):
    """What a search reads of a gallery. The field names are array names of the index file.

    neighbors: [Ng, k] int32, nearest first; distances: [Ng, k] D_gg to them, unscaled;
    near_ptr, near: compressed rows, see `kernels.csr`; per image, the images that have it among
    their neighbors;
    owner_ptr, owner: likewise, the images that have it in their R*; size: [Ng], |R*|, in the
    dtype of the distances.
    """

    neighbors: Ints
    distances: Floats
    near_ptr: Ints
    near: Ints
    owner_ptr: Ints
    owner: Ints
    size: Floats


class SIMScalars(NamedTuple):
    """The parameters of Eq. 4–8; the real ones in the dtype of D_qg, so that no sum is widened.

    lam: λ; num_paths: K; k_query: k_q; alpha: α; rest: 1 − α; one: 1.
    """

    lam: np.floating[Any]
    num_paths: int
    k_query: int
    alpha: np.floating[Any]
    rest: np.floating[Any]
    one: np.floating[Any]

    @classmethod
    def of(
        cls, lam: float, num_paths: int, k_query: int, alpha: float, dtype: np.dtype[Any]
    ) -> SIMScalars:
        """The parameters for distances of a dtype."""
        real = dtype.type
        return cls(real(lam), num_paths, k_query, real(alpha), real(1 - alpha), real(1))


def nearest_by_sim(
    d: Floats, lists: GalleryIndex, terms: SIMScalars, top_k: int, num_threads: int
) -> tuple[Floats, Ints]:
    """Find the nearest images of each query by d_SIM, with ties to the lower index.

    Args:
        d: D_qg [B, Ng], without NaN; `inf` where there is no edge.
        lists: of the gallery, read-only arrays in the dtype of d.
        terms: the parameters.
        top_k: length of each list, at most Ng.
        num_threads: threads that share the queries.

    Returns:
        d_SIM [B, top_k], ascending, and the images [B, top_k] int64.
    """
    # Imported here because numba takes its time.
    from simgraph.kernels.loops.pruned_search import search_rows

    found, index = np.empty((len(d), top_k), d.dtype), np.empty((len(d), top_k), np.int64)
    first = 2 * max(top_k, terms.k_query)
    step = -(-len(d) // num_threads)
    parts = [slice(i, i + step) for i in range(0, len(d), step)]

    def search(part: slice) -> None:
        search_rows(d[part], lists, terms, first, found[part], index[part])

    parallel_map(search, parts, num_threads)
    return found, index
