"""Search of the nearest images by d_SIM with lower bounds; one thread searches for one query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simgraph._arrays import Floats, Ints
from simgraph.kernels.loops._jit import jit
from simgraph.kernels.loops.topk import heap_smallest

if TYPE_CHECKING:
    from simgraph.kernels.pruned_search import GalleryIndex, SIMScalars


class Candidates(NamedTuple):
    """The images scored for a query, in the order they were met.

    total: [1], how many; place: [Ng], position of an image in this order, from 1, or 0; image,
    d_s, d_sim and shared = |N_c ∩ R*|: [Ng], filled as far as total.
    """

    total: Ints
    place: Ints
    image: Ints
    d_s: Floats
    shared: Floats
    d_sim: Floats


@jit
def search_rows(
    d: Floats, lists: GalleryIndex, terms: SIMScalars, first: int, found: Floats, index: Ints
) -> None:
    """Find the nearest images of each query, starting from its `first` nearest by D_qg."""
    size = d.shape[1]
    place, image = np.zeros(size, np.int32), np.empty(size, np.int32)
    d_s, shared, d_sim = np.empty((3, size), d.dtype)
    scored = Candidates(np.zeros(1, np.int64), place, image, d_s, shared, d_sim)
    for row in range(len(d)):
        _search(d[row], lists, terms, first, scored, found[row], index[row])
        for g in scored.image[: scored.total[0]]:
            scored.place[g] = 0
        scored.total[0] = 0


# The invariant of the loop in _search. At its start, with `opened` the m of the round before:
#
# - The `opened` nearest images by D_qg, and every image that has one of them among its neighbors,
#   are among the candidates with their exact d_S. So every other image is at d_S >= bound, for the
#   bound of that round.
# - Once `known`, N_c is final: `reached` is its size, and `shared` counts the members of N_c that
#   the R* of each candidate holds. All images of the inverted lists of N_c are candidates. So every
#   other image has d_M = 1, and d_SIM >= fused(bound, 1).
#
# Candidates are never removed, so nothing computed in a round is computed again in the next: only
# near[opened:] is new. New candidates have shared = 0, which is right: they are in no inverted list
# of N_c, or they would be candidates already.
#
# m doubles, and jumps to Ng from a quarter of it on. With m = Ng all images are candidates, and the
# loop ends: N_c is known without a bound, and the list is returned without one.


@jit
def _search(
    d: Floats,
    lists: GalleryIndex,
    terms: SIMScalars,
    first: int,
    scored: Candidates,
    found: Floats,
    index: Ints,
) -> None:
    best = np.empty(terms.num_paths, d.dtype)
    chosen, members = np.empty(terms.k_query, d.dtype), np.empty(terms.k_query, np.int64)
    known, reached = False, terms.one - terms.one
    opened, m = 0, first
    while True:
        m = len(d) if 4 * m >= len(d) else m
        near, farthest = _nearest_by_distance(d, m)
        whole = m == len(d)
        # All of Ng come in the order of their indices, not of their distances.
        _score_neighborhood(near if whole else near[opened:], d, lists, terms, best, scored)
        opened = m
        bound = _least_mean(farthest, terms)
        all_paths = whole or bound == np.inf  # no path leads to an image that is not scored
        if not known and (all_paths or scored.total[0] >= terms.k_query):
            size = min(terms.k_query, scored.total[0])
            heap_smallest(scored.d_s, scored.image, scored.total[0], chosen[:size], members[:size])
            known = all_paths or chosen[-1] < bound
            if known:
                for i in range(size):
                    if chosen[i] < np.inf:
                        reached += terms.one
                        _count_shared(members[i], d, lists, terms, best, scored)
        if known and scored.total[0] >= len(found):
            _fuse_candidates(lists.size, terms, reached, scored)
            heap_smallest(scored.d_sim, scored.image, scored.total[0], found, index)
            if whole or found[-1] < _fuse(bound, terms.one, terms):
                return
        m = len(d) if bound == np.inf else 2 * m


@jit
def _nearest_by_distance(d: Floats, m: int) -> tuple[Ints, np.floating[Any]]:
    """The m nearest images by D_qg, nearest first, and the largest of their distances.

    All Ng come in the order of their indices.
    """
    if m == len(d):
        return np.arange(m), d.max()
    values, near = np.empty(m, d.dtype), np.empty(m, np.int64)
    heap_smallest(d, None, len(d), values, near)
    return near, values[-1]


@jit
def _score_neighborhood(
    near: Ints, d: Floats, lists: GalleryIndex, terms: SIMScalars, best: Floats, scored: Candidates
) -> None:
    """Score images, and all that have one of them among their neighbors."""
    for t in near:
        _score_image(t, d, lists, terms, best, scored)
        for g in lists.near[lists.near_ptr[t] : lists.near_ptr[t + 1]]:
            _score_image(g, d, lists, terms, best, scored)


@jit
def _score_image(
    g: int, d: Floats, lists: GalleryIndex, terms: SIMScalars, best: Floats, scored: Candidates
) -> None:
    """Eq. 4–5 for one image, unless it is scored already; best holds its K shortest paths."""
    if scored.place[g] > 0:
        return
    best[0], kept = d[g], 1
    for s in range(lists.neighbors.shape[1]):
        path = d[lists.neighbors[g, s]] + terms.lam * lists.distances[g, s]
        if kept < terms.num_paths:
            kept += 1
        elif path >= best[-1]:
            continue
        i = kept - 1
        while i > 0 and best[i - 1] > path:
            best[i] = best[i - 1]
            i -= 1
        best[i] = path
    count = scored.total[0]
    scored.image[count] = g
    scored.d_s[count] = _mean_of_paths(best, terms.one)
    scored.shared[count] = 0
    scored.total[0] = scored.place[g] = count + 1


@jit
def _mean_of_paths(best: Floats, one: Any) -> Any:
    """Mean of the finite values of an ascending list; `inf` without any."""
    total, count = best[0], one
    for value in best[1:]:
        if value == np.inf:
            break
        total += value
        count += one
    return total / count


@jit
def _least_mean(farthest: Any, terms: SIMScalars) -> Any:
    """The smallest mean of 1 to K paths of one length, as the sums round."""
    total, count, least = farthest, terms.one, farthest
    for _ in range(1, terms.num_paths):
        total += farthest
        count += terms.one
        least = min(least, total / count)
    return least


@jit
def _count_shared(
    c: int, d: Floats, lists: GalleryIndex, terms: SIMScalars, best: Floats, scored: Candidates
) -> None:
    """Count a member of N_c for every image whose R* holds it, and score those not scored yet."""
    for g in lists.owner[lists.owner_ptr[c] : lists.owner_ptr[c + 1]]:
        _score_image(g, d, lists, terms, best, scored)
        scored.shared[scored.place[g] - 1] += terms.one


@jit
def _fuse_candidates(
    size: Floats, terms: SIMScalars, members: np.floating[Any], scored: Candidates
) -> None:
    """Eq. 7–8 of the candidates; members: |N_c|."""
    for i in range(scored.total[0]):
        shared = scored.shared[i]
        union = members + size[scored.image[i]] - shared
        scored.d_sim[i] = _fuse(scored.d_s[i], terms.one - shared / union, terms)


@jit
def _fuse(d_s: Any, d_m: Any, terms: SIMScalars) -> Any:
    """Eq. 8; `inf` where no path leads, for any α."""
    return terms.alpha * d_s + terms.rest * d_m if d_s < np.inf else d_s
