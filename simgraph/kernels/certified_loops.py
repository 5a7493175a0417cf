"""The loops that numba compiles for `certified`; each query is searched by one thread."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simgraph.kernels.certified import Floats, GalleryLists, Ints, Terms
from simgraph.kernels.loops import _compiled


class Scored(NamedTuple):
    """The images scored for a query, in the order they were met.

    total: [1], how many; place: [Ng], where an image stands, from 1, or 0; image, d_s, d_sim and
    shared = |N_c ∩ R*|: [Ng], filled so far as total says.
    """

    total: Ints
    place: Ints
    image: Ints
    d_s: Floats
    shared: Floats
    d_sim: Floats


@_compiled
def search_rows(
    d: Floats, lists: GalleryLists, terms: Terms, first: int, found: Floats, index: Ints
) -> None:
    """Fill in the nearest images of each query, beginning with the first nearest by D_qg."""
    size = d.shape[1]
    place, image = np.zeros(size, np.int32), np.empty(size, np.int32)
    d_s, shared, d_sim = np.empty((3, size), d.dtype)
    scored = Scored(np.zeros(1, np.int64), place, image, d_s, shared, d_sim)
    for row in range(len(d)):
        _search(d[row], lists, terms, first, scored, found[row], index[row])
        for g in scored.image[: scored.total[0]]:
            scored.place[g] = 0
        scored.total[0] = 0


@_compiled
def _search(
    d: Floats,
    lists: GalleryLists,
    terms: Terms,
    first: int,
    scored: Scored,
    found: Floats,
    index: Ints,
) -> None:
    best = np.empty(terms.num_paths, d.dtype)
    chosen, members = np.empty(terms.k_query, d.dtype), np.empty(terms.k_query, np.int64)
    known, reached = False, terms.one - terms.one
    opened, m = 0, first
    while True:
        m = len(d) if 4 * m >= len(d) else m
        near, farthest = _nearest(d, m)
        whole = m == len(d)
        _open(near if whole else near[opened:], d, lists, terms, best, scored)
        opened = m
        bound = _bound(farthest, terms)
        all_paths = whole or bound == np.inf  # nothing leads to what is not scored
        if not known and (all_paths or scored.total[0] >= terms.k_query):
            size = min(terms.k_query, scored.total[0])
            _smallest(scored.d_s, scored.image, scored.total[0], chosen[:size], members[:size])
            known = all_paths or chosen[-1] < bound
            if known:
                for i in range(size):
                    if chosen[i] < np.inf:
                        reached += terms.one
                        _count_shared(members[i], d, lists, terms, best, scored)
        if known and scored.total[0] >= len(found):
            _fuse(lists.size, terms, reached, scored)
            _smallest(scored.d_sim, scored.image, scored.total[0], found, index)
            if whole or found[-1] < _fused(bound, terms.one, terms):
                return
        m = len(d) if bound == np.inf else 2 * m


@_compiled
def _nearest(d: Floats, m: int) -> tuple[Ints, np.floating[Any]]:
    """The m nearest images by D_qg, nearest first, and the distance of the last."""
    if m == len(d):
        return np.arange(m), d.max()
    values, near = np.empty(m, d.dtype), np.empty(m, np.int64)
    _smallest(d, None, len(d), values, near)
    return near, values[-1]


@_compiled
def _open(
    near: Ints, d: Floats, lists: GalleryLists, terms: Terms, best: Floats, scored: Scored
) -> None:
    """Score images and all that have one of them among their neighbours."""
    for t in near:
        _score(t, d, lists, terms, best, scored)
        for g in lists.near[lists.near_ptr[t] : lists.near_ptr[t + 1]]:
            _score(g, d, lists, terms, best, scored)


@_compiled
def _score(
    g: int, d: Floats, lists: GalleryLists, terms: Terms, best: Floats, scored: Scored
) -> None:
    """Eq. 4–5 for one image, if it is not scored yet: the K smallest sink into best, ascending."""
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
    scored.d_s[count] = _mean(best, terms.one)
    scored.shared[count] = 0
    scored.total[0] = scored.place[g] = count + 1


@_compiled
def _mean(best: Floats, one: Any) -> Any:
    """Mean of the finite ones of ascending values; `inf` without any."""
    total, count = best[0], one
    for value in best[1:]:
        if value == np.inf:
            break
        total += value
        count += one
    return total / count


@_compiled
def _bound(farthest: Any, terms: Terms) -> Any:
    """The least that a mean of up to K paths of a length comes to, by the rounding of its sums."""
    total, count, least = farthest, terms.one, farthest
    for _ in range(1, terms.num_paths):
        total += farthest
        count += terms.one
        least = min(least, total / count)
    return least


@_compiled
def _count_shared(
    c: int, d: Floats, lists: GalleryLists, terms: Terms, best: Floats, scored: Scored
) -> None:
    """A member of N_c counts for every image whose R* holds it; those not scored yet are."""
    for g in lists.owner[lists.owner_ptr[c] : lists.owner_ptr[c + 1]]:
        _score(g, d, lists, terms, best, scored)
        scored.shared[scored.place[g] - 1] += terms.one


@_compiled
def _fuse(size: Floats, terms: Terms, members: np.floating[Any], scored: Scored) -> None:
    """Eq. 7–8 of the scored images; members: |N_c|."""
    for i in range(scored.total[0]):
        shared = scored.shared[i]
        union = members + size[scored.image[i]] - shared
        scored.d_sim[i] = _fused(scored.d_s[i], terms.one - shared / union, terms)


@_compiled
def _fused(d_s: Any, d_m: Any, terms: Terms) -> Any:
    """Eq. 8; `inf` where no path leads, whatever α."""
    return terms.alpha * d_s + terms.rest * d_m if d_s < np.inf else d_s


@_compiled
def _smallest(values: Floats, image: Ints | None, count: int, least: Floats, which: Ints) -> None:
    """The smallest values and their images into least and which, ascending, by a max-heap."""
    size = len(least)
    for i in range(count):
        value, g = values[i], i if image is None else image[i]
        if i < size:
            _rise(least, which, i, value, g)
        elif value < least[0] or (value == least[0] and g < which[0]):
            _sink(least, which, size, value, g)
    for end in range(size - 1, 0, -1):
        value, g = least[end], which[end]
        least[end], which[end] = least[0], which[0]
        _sink(least, which, end, value, g)


@_compiled
def _rise(least: Floats, which: Ints, i: int, value: np.floating[Any], g: int) -> None:
    """Add a pair to the heap [0, i)."""
    while i > 0:
        up = (i - 1) // 2
        if value < least[up] or (value == least[up] and g < which[up]):
            break
        least[i], which[i] = least[up], which[up]
        i = up
    least[i], which[i] = value, g


@_compiled
def _sink(least: Floats, which: Ints, size: int, value: np.floating[Any], g: int) -> None:
    """Put a pair in place of the largest of the heap [0, size)."""
    i = 0
    while 2 * i + 1 < size:
        down = 2 * i + 1
        right = down + 1
        if right < size and (
            least[right] > least[down]
            or (least[right] == least[down] and which[right] > which[down])
        ):
            down = right
        if value > least[down] or (value == least[down] and g > which[down]):
            break
        least[i], which[i] = least[down], which[down]
        i = down
    least[i], which[i] = value, g
