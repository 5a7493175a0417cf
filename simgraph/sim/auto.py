"""k="auto": k, K, k_q and k_g from the gallery and the query–gallery distances, without labels."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair
from simgraph._params import Variant, require_int
from simgraph.sim.gap_statistics import Structure, structure

logger = logging.getLogger(__name__)

Auto: TypeAlias = Literal["auto"]

MIN_QUERIES, MIN_GALLERY = 10, 30
"""Fewer tell too little."""
MIN_SUPPORT = 0.15
"""Of a query's first hits by their neighbours, over noise: less is no structure to use."""
CHOSEN = ("k", "num_paths", "k_query", "k_gallery")
"""The parameters that may be `"auto"`."""
_PUBLISHED = {"num_paths": 9, "k_query": 20, "k_gallery": 20}
"""Numbers that follow k when that is chosen; any other number is the caller's own."""
_CLEARLY = 0.1  # log of how much wider the first step must be than all others to stand out
_WEIGHT = 2  # of ends against support: clear ends decide, unclear ones do not
_NEAR = 0.85  # a larger k whose score is above this share of the best is as good
_AGREES = 0.5  # agreement below this share of the largest is other identities'
# How clear a first step is, alone and beside the clearest, tells of many identities of one image
# among larger ones.
_SINGLE, _SINGLES = 0.4, 0.3
_WIDTH = 0.15  # of the smoothing over log k: one image more or less is much at 4 and little at 30


@dataclass(frozen=True)
class Choice:
    """Parameters of SIM, and why they are these.

    Attributes:
        k: neighbours per gallery image; 0 is the baseline's ranking.
        num_paths: K.
        k_query: k_q.
        k_gallery: k_g.
        reason: one sentence.
    """

    k: int
    num_paths: int
    k_query: int
    k_gallery: int
    reason: str


def choose(query: ArrayT, gallery: ArrayT, normalize: bool = True) -> Choice:
    r"""Choose k, K, k_q and k_g for a gallery and the queries that come to it.

    $$S(k) = \frac{1}{\sqrt{k}} \sum_{j \le k} a(j), \qquad
      e(k) = [1 - 1/s_g(k)]_+ \, [1 - 1/s_q(k + 1)]_+$$

    $$k = \min\bigl(\max\{k : S(k) e^{2 e(k)} \ge 0.85 \max_j S(j) e^{2 e(j)}\}, \;
      \max\{k : a(k) \ge \min(\tfrac12, \max_j e(j)) \max_j a(j)\}\bigr)$$

    where a(k) is how near to a query the k-th neighbours of its first two hits are, so that S is
    signal over noise of a mean over k neighbours, and s_g(k) and s_q(k) say how much wider than
    by chance the step from the k-th to the (k + 1)-th nearest gallery image is, seen from gallery
    images and from queries; chance is a gallery without identities, of the same mean and
    covariance. Steps, and a in the second bound, are smoothed over log k.
    k is 0, the baseline's ranking, where queries have one match (s_q is widest at 1), or where S is
    below 0.15; and at most 1 where many queries have one match and others more. K, k_q and k_g
    follow k. Deterministic; the order of rows has no effect.

    Args:
        query: [Nq, D], floating, numpy or torch; all queries together, or a sample of them.
        gallery: [Ng, D], the same.
        normalize: scale every feature row to length 1 first.

    Returns:
        The choice; where it is the baseline's ranking, a warning is logged too.

    Raises:
        ValueError: for bad features.

    Source: docs/concepts/auto.md.
    """
    return _choose(*feature_pair(query, gallery, normalize), normalize)


def resolve(
    query: Tensor,
    gallery: Tensor,
    normalize: bool,
    k: int | Auto,
    num_paths: int | Auto,
    k_query: int | Auto,
    k_gallery: int | Auto,
    variant: Variant,
) -> Choice:
    """Numbers for all four, from those given and those at `"auto"`.

    Args:
        query: checked features [Nq, D].
        gallery: [Ng, D], the same.
        normalize: whether rows have been scaled to length 1.
        k: a number, or `"auto"`: chosen; then so are the others at their published defaults.
        num_paths: K, likewise; `"auto"` follows k.
        k_query: k_q, likewise.
        k_gallery: k_g, likewise.
        variant: must be `"paper"` where anything is `"auto"`.

    Returns:
        The choice; numbers that were given stay, or come down to what the chosen k allows.

    Raises:
        ValueError: for `"auto"` in the authors' variant.
    """
    given: dict[str, Any] = dict(zip(CHOSEN, (k, num_paths, k_query, k_gallery), strict=True))
    if "auto" not in given.values():
        return Choice(**given, reason="all were given")
    if variant != "paper":
        raise ValueError(f"'auto': expected variant='paper', got {variant!r}; give numbers there")
    own = {name: value for name, value in given.items() if value != "auto"}
    for name, value in own.items():
        require_int(name, value, 0)
    if k != "auto":
        return replace(_following(k, "k was given, the others follow it"), **own)
    chosen = _choose(query, gallery, normalize)
    most = {"num_paths": chosen.k + 1, "k_query": len(gallery), "k_gallery": chosen.k}
    kept = {name: min(n, most[name]) for name, n in own.items() if n != _PUBLISHED[name]}
    return replace(chosen, **kept)


def _choose(query: Tensor, gallery: Tensor, normalize: bool) -> Choice:
    k, reason = _decide(query, gallery, normalize)
    if k == 0:
        logger.warning("k='auto': the baseline's ranking stays, because %s", reason)
    else:
        logger.info("k='auto': k = %d, because %s", k, reason)
    return _following(k, reason)


def _following(k: int, reason: str) -> Choice:
    """k_q and k_g are k, K is half of the k + 1 paths."""
    return Choice(k, max(1, round((k + 1) / 2)), max(1, k), k, reason)


def _decide(query: Tensor, gallery: Tensor, normalize: bool) -> tuple[int, str]:
    if len(query) < MIN_QUERIES:
        return 0, f"{len(query)} queries tell too little, {MIN_QUERIES} are needed"
    if len(gallery) < MIN_GALLERY:
        return 0, f"{len(gallery)} gallery images tell too little, {MIN_GALLERY} are needed"
    found = structure(query, gallery, normalize)
    if found is None:
        return 0, "the gallery's images are all alike"
    return _by_structure(found)


def _by_structure(found: Structure) -> tuple[int, str]:
    if found.query[0] - found.query[1:].max() > _CLEARLY:
        return 0, "queries have one near gallery image each: the widest step follows the first"
    support = found.agreement.cumsum() / np.sqrt(np.arange(1, len(found.agreement) + 1))
    if support.max() < MIN_SUPPORT:
        return 0, (
            "the neighbours of a query's first hits are hardly nearer to the query than by chance "
            f"(support {support.max():.2f}, below {MIN_SUPPORT})"
        )
    steps = _share(_smoothed(found.query))[1:]
    ends = _share(_smoothed(found.gallery)) * steps
    score = support * np.exp(_WEIGHT * ends)
    agreement = _smoothed(found.agreement)
    best = _last(score >= _NEAR * score.max())
    # Other identities' images average noise away too; where ends are clear there is little noise.
    follow = _last(agreement >= min(_AGREES, ends.max()) * agreement.max())
    k = min(best, follow)
    single = _share(found.query[:1])[0]
    if k > 1 and single > _SINGLE and single**2 > _SINGLES * steps.max():
        return 1, f"some queries have one near gallery image, others have about {k + 1}"
    return k, (
        f"the neighbours of queries' first hits tell most up to {best} (support "
        f"{support[best - 1]:.2f}), and queries agree with {follow} of them"
    )


def _last(holds: NDArray[np.bool_]) -> int:
    """The largest k = 1..n of which it holds, 0 where of none."""
    return int(np.max(1 + np.flatnonzero(holds), initial=0))


def _share(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a step that chance does not explain, [1 − 1/s]₊."""
    return 1 - np.exp(-np.maximum(log_ratio, 0))


def _smoothed(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian mean over log k, k = 1..n."""
    place = np.log(np.arange(1, len(log_ratio) + 1))
    weight = np.exp(-0.5 * ((place[:, None] - place) / _WIDTH) ** 2)
    return np.asarray(weight @ log_ratio / weight.sum(1))
