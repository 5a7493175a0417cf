"""k="auto": k, K, k_q and k_g from the gallery and the query–gallery distances, without labels."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair
from simgraph._params import require_int
from simgraph.sim.gap_statistics import NeighborhoodGaps, neighborhood_gaps
from simgraph.sim.params import AUTO_PARAMETERS, SIMParams

logger = logging.getLogger(__name__)

MIN_QUERIES, MIN_GALLERY = 10, 30
"""With fewer there is too little evidence."""
MIN_SUPPORT = 0.15
"""Least signal over noise of the first hits' neighbors; below it the baseline's ranking stays."""
_CLEARLY = 0.1  # log ratio by which the first gap must exceed all others to stand out
_WEIGHT = 2  # of ends against support: clear ends decide, unclear ones do not
_NEAR = 0.85  # a larger k is as good where its score is at least this share of the best
_AGREES = (
    0.5  # neighbors with less than this share of the largest agreement are of other identities
)
# Least clarity of a first gap, alone and relative to the clearest gap, that shows many identities
# with one image among larger ones.
_SINGLE, _SINGLES = 0.4, 0.3
_WIDTH = 0.15  # of the smoothing over log k: one image more or less matters at k = 4, little at 30


def choose(query: ArrayT, gallery: ArrayT, normalize: bool = True) -> SIMParams:
    r"""Choose k, K, k_q and k_g for a gallery and the queries that come to it.

    $$S(k) = \frac{1}{\sqrt{k}} \sum_{j \le k} a(j), \qquad
      e(k) = [1 - 1/s_g(k)]_+ \, [1 - 1/s_q(k + 1)]_+$$

    $$k = \min\bigl(\max\{k : S(k) e^{2 e(k)} \ge 0.85 \max_j S(j) e^{2 e(j)}\}, \;
      \max\{k : a(k) \ge \min(\tfrac12, \max_j e(j)) \max_j a(j)\}\bigr)$$

    a(k) is how near to a query the k-th neighbors of its first two hits are, so S(k) is the signal
    over noise of a mean over k neighbors. s_g(k) and s_q(k) are the gap between the k-th and the
    (k + 1)-th nearest gallery image, seen from gallery images and from queries, over the same gap
    in a null gallery: one without identities, of the same mean and covariance. Gaps, and a in the
    second bound, are smoothed over log k.

    k is 0, which keeps the baseline's ranking, where queries have one match (s_q is widest at 1),
    or where S is below 0.15. It is at most 1 where many queries have one match and others more.
    K, k_q and k_g follow k. The result is deterministic and does not depend on the order of rows.

    Args:
        query: [Nq, D], floating, numpy or torch; all queries together, or a sample of them.
        gallery: [Ng, D], the same.
        normalize: scale every feature row to length 1 first.

    Returns:
        Parameters with the four numbers and the reason; λ, α and expansion are the defaults. Where
        the baseline's ranking stays, a warning is logged too.

    Raises:
        ValueError: for bad features.

    Source: docs/concepts/auto.md.
    """
    return SIMParams(**_choose(*feature_pair(query, gallery, normalize), normalize))


def resolve_auto(params: SIMParams, query: Tensor, gallery: Tensor, normalize: bool) -> SIMParams:
    """Put numbers in place of `"auto"`.

    Where k is a number, K, k_q and k_g at `"auto"` follow it. Where k is `"auto"`, it is chosen;
    then those at `"auto"` follow it, and so do those at their published defaults. Other numbers
    are the caller's own: they stay, or come down to what the chosen k allows.

    Args:
        params: numbers, or `"auto"`.
        query: checked features [Nq, D].
        gallery: [Ng, D], the same.
        normalize: whether rows have been scaled to length 1.

    Returns:
        The parameters with numbers, and with a reason where anything was `"auto"`.
    """
    if not params.has_auto:
        return params
    given = {name: getattr(params, name) for name in AUTO_PARAMETERS}
    own = {name: value for name, value in given.items() if value != "auto"}
    for name, value in own.items():
        require_int(name, value, 0)
    if params.k != "auto":
        return replace(params, **from_k(params.k, "k was given, the others follow it") | own)
    chosen = _choose(query, gallery, normalize)
    most = {"num_paths": chosen["k"] + 1, "k_query": len(gallery), "k_gallery": chosen["k"]}
    kept = {name: min(n, most[name]) for name, n in own.items() if n != getattr(SIMParams, name)}
    return replace(params, **chosen | kept)


def _choose(query: Tensor, gallery: Tensor, normalize: bool) -> dict[str, Any]:
    k, reason = _decide(query, gallery, normalize)
    if k == 0:
        logger.warning("k='auto': the baseline's ranking stays, because %s", reason)
    else:
        logger.info("k='auto': k = %d, because %s", k, reason)
    return from_k(k, reason)


def from_k(k: int, reason: str) -> dict[str, Any]:
    """The four numbers by name, and the reason: k_q and k_g are k, K is half of the k + 1 paths."""
    numbers = (k, max(1, round((k + 1) / 2)), max(1, k), k)
    return dict(zip(AUTO_PARAMETERS, numbers, strict=True)) | {"reason": reason}


def _decide(query: Tensor, gallery: Tensor, normalize: bool) -> tuple[int, str]:
    if len(query) < MIN_QUERIES:
        return 0, f"{len(query)} queries are too few, {MIN_QUERIES} are needed"
    if len(gallery) < MIN_GALLERY:
        return 0, f"{len(gallery)} gallery images are too few, {MIN_GALLERY} are needed"
    found = neighborhood_gaps(query, gallery, normalize)
    if found is None:
        return 0, "all gallery images are alike"
    return _by_gaps(found)


def _by_gaps(found: NeighborhoodGaps) -> tuple[int, str]:
    if found.query[0] - found.query[1:].max() > _CLEARLY:
        return 0, "queries have one near gallery image each: the widest gap is after the first"
    support = found.agreement.cumsum() / np.sqrt(np.arange(1, len(found.agreement) + 1))
    if support.max() < MIN_SUPPORT:
        return 0, (
            "the neighbors of a query's first hits are hardly nearer to it than by chance "
            f"(support {support.max():.2f}, below {MIN_SUPPORT})"
        )
    query_ends = _share(_smoothed(found.query))[1:]
    ends = _share(_smoothed(found.gallery)) * query_ends
    score = support * np.exp(_WEIGHT * ends)
    agreement = _smoothed(found.agreement)
    best = _last(score >= _NEAR * score.max())
    # A mean over other identities' images has less noise too, so support alone can grow too far.
    # Where ends are clear there is little noise, and agreement may decide.
    follow = _last(agreement >= min(_AGREES, ends.max()) * agreement.max())
    k = min(best, follow)
    single = _share(found.query[:1])[0]
    if k > 1 and single > _SINGLE and single**2 > _SINGLES * query_ends.max():
        return 1, f"some queries have one near gallery image, others have about {k + 1}"
    return k, (
        f"the first {best} neighbors of queries' first hits have the most support "
        f"({support[best - 1]:.2f}), and {follow} of them agree with the queries"
    )


def _last(holds: NDArray[np.bool_]) -> int:
    """The largest k = 1..n that satisfies the condition, 0 where none does."""
    return int(np.max(1 + np.flatnonzero(holds), initial=0))


def _share(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a gap that chance does not explain, [1 − 1/s]₊."""
    return 1 - np.exp(-np.maximum(log_ratio, 0))


def _smoothed(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian-weighted mean over log k, k = 1..n."""
    place = np.log(np.arange(1, len(log_ratio) + 1))
    weight = np.exp(-0.5 * ((place[:, None] - place) / _WIDTH) ** 2)
    return np.asarray(weight @ log_ratio / weight.sum(1))
