"""The choice among candidates: the best one, unless a simpler one is as good within the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simgraph.studies.bootstrap import Difference, resampled_by_identity


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, and what the choice was made from.

    Attributes:
        chosen: index of the candidate to use; 0 keeps the first one.
        best: index of the candidate with the highest mAP.
        gains: of each candidate over the first one, with the interval.
        reason: why the candidate was chosen, without its name.
        unit: what the bootstrap draws, `identities` or `queries`.
    """

    chosen: int
    best: int
    gains: tuple[Difference, ...]
    reason: str
    unit: str


def least_units(confidence: float) -> int:
    """The least number n of identities that can show a gain: 2^-n is at most the interval's tail.

    If a change helps and harms identities equally often, all n gain by chance with probability
    2^-n. The same holds for queries.
    """
    return int(np.ceil(np.log2(2 / (1 - confidence))))


def choose(
    precision: NDArray[np.float64],
    pids: NDArray[np.int64],
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Choice:
    """Choose a candidate by the AP of the queries.

    The first candidate stays unless the interval of the best one's gain is above 0. Otherwise the
    choice is the first candidate in the given order that also has its interval above 0, and whose
    mAP is below the best by at most one standard error of that difference. The bootstrap draws
    identities, because the parameters will be used on other identities. Where there are too few of
    them for any interval it draws queries, which says less.

    Args:
        precision: AP of each query, [n, M]; column 0 is what a gain is measured against, the
            others are ordered from the simplest on.
        pids: identities of the queries, [n].
        resamples: number of the bootstrap over identities.
        confidence: share of the resamples within an interval, in (0, 1).
        seed: of the bootstrap.

    Returns:
        The choice.

    Source:
        One standard error: Breiman et al., Classification and Regression Trees, 1984, section 3.4.
    """
    means = precision.mean(axis=0)
    best = int(means.argmax())
    least = least_units(confidence)
    unit = "identities" if len(np.unique(pids)) >= least else "queries"
    drawn_by = pids if unit == "identities" else np.arange(len(pids))
    drawn = resampled_by_identity(precision - precision[:, :1], drawn_by, resamples, seed)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    gains = tuple(
        Difference(*map(float, values)) for values in zip(means - means[0], low, high, strict=True)
    )
    if len(pids) < least:
        few = f"{len(pids)} queries are too few, at least {least} are needed"
        return Choice(0, best, gains, few, unit)
    if low[best] <= 0:
        return Choice(0, best, gains, "no candidate is better beyond chance", unit)
    error = (drawn[:, [best]] - drawn).std(axis=0)
    as_good = (means[best] - means <= error) & (low > 0)
    chosen = int(np.flatnonzero(as_good)[0])
    why = "it has the highest mAP" if chosen == best else "the best is within one standard error"
    return Choice(chosen, best, gains, why, unit)
