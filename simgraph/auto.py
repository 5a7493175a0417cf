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
from simgraph.structure import Structure, structure

logger = logging.getLogger(__name__)

Auto: TypeAlias = Literal["auto"]

MIN_QUERIES, MIN_GALLERY = 10, 5
"""Fewer tell nothing."""
MIN_AGREEMENT = 0.1
"""Of a first hit's neighbours with the query, above chance: less is no structure to use."""
CHOSEN = ("k", "num_paths", "k_query", "k_gallery")
"""The parameters that may be `"auto"`."""
_PUBLISHED = {"num_paths": 9, "k_query": 20, "k_gallery": 20}
"""Numbers that follow k when that is chosen; any other number is the caller's own."""
_CLEARLY = 0.1  # log of how much wider the first step must be than all others to stand out
_ENDS = 0.8  # a later end is taken for as clear as the clearest above this share of it
_AGREES = 0.4  # agreement below this share of the largest is other identities'
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

    $$e(k) = [1 - 1/s_g(k)]_+ \, [1 - 1/s_q(k + 1)]_+, \qquad
      k = \min\bigl(\max\{k : e(k) \ge 0.8 \max e\}, \; k_a\bigr)$$

    where s_g(k) and s_q(k) say how much wider than by chance the step from the k-th to the
    (k + 1)-th nearest gallery image is, seen from gallery images and from queries; chance is a
    gallery without identities, of the same mean and covariance. k_a is how many neighbours of a
    query's first hit are near to the query too: the last before their agreement, over chance, falls
    below 0.4 of its largest value. All are smoothed over log k.
    k is 0, the baseline's ranking, where queries have one match (s_q is widest at 1), or where the
    neighbours of a query's first hit are hardly nearer to the query than by chance. K, k_q and k_g
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
    agreement = max(found.agreement[:k].mean() for k in (1, 2, 3))
    if agreement < MIN_AGREEMENT:
        return 0, (
            "the neighbours of a query's first hit are no nearer to it than by chance "
            f"(agreement {agreement:.2f}, below {MIN_AGREEMENT})"
        )
    both = _share(_smoothed(found.gallery)) * _share(_smoothed(found.query)[1:])
    if not both.any():
        return 0, "no neighbourhood ends more clearly than by chance"
    ends = 1 + int(np.flatnonzero(both >= _ENDS * both.max())[-1])
    k = min(ends, _agreeing(_smoothed(found.agreement)))
    return k, (
        f"neighbourhoods end near {ends} (steps {np.exp(found.gallery[ends - 1]):.1f} times as "
        f"wide as by chance among gallery images, {np.exp(found.query[ends]):.1f} times from "
        f"queries), and queries agree with {_agreeing(_smoothed(found.agreement))} neighbours of "
        "their first hits"
    )


def _agreeing(agreement: NDArray[np.float64]) -> int:
    """How many neighbours come before agreement falls below a part of its largest value."""
    start = int(agreement.argmax())
    below = np.flatnonzero(agreement[start:] < _AGREES * agreement[start])
    return start + int(below[0]) if len(below) else len(agreement)


def _share(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a step that chance does not explain, [1 − 1/s]₊."""
    return 1 - np.exp(-np.maximum(log_ratio, 0))


def _smoothed(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian mean over log k, k = 1..n."""
    place = np.log(np.arange(1, len(log_ratio) + 1))
    weight = np.exp(-0.5 * ((place[:, None] - place) / _WIDTH) ** 2)
    return np.asarray(weight @ log_ratio / weight.sum(1))
