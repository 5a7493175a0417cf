"""Paired bootstrap over queries: how far a difference in mAP might be chance of the queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simgraph.studies.experiment import Record

_BLOCK = 100


@dataclass(frozen=True)
class Difference:
    """Of a method's mAP to another's, in [-1, 1], with its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired_differences(
    methods: dict[str, list[Record]],
    against: str,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    r"""Differences in mAP to one method, each with a percentile bootstrap interval.

    With AP differences $\delta_i$ of the $n$ queries, each resample draws $n$ of them with
    replacement; the interval holds the middle of the resamples' means $\bar\delta^*$. All methods
    are judged on the same resamples. Where trials ask the same queries, a query's $\delta$ is its
    mean over trials; where they do not, each trial's queries count for themselves.

    Args:
        methods: method → its records, one a trial, of the same trials; those without any are
            left out.
        against: the method the others are compared with.
        resamples: how many.
        confidence: share of the resamples within the interval, in (0, 1).
        seed: of the draws.

    Returns:
        Method → difference, for all but `against`.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    precision = {method: _per_query(records) for method, records in methods.items() if records}
    others = [method for method in precision if method != against]
    if against not in precision or not others:
        return {}
    deltas = np.stack([precision[method] - precision[against] for method in others], axis=1)
    means = _resampled_means(deltas, resamples, np.random.default_rng(seed))
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    values = zip(deltas.mean(axis=0), low, high, strict=True)
    return {
        method: Difference(*map(float, value)) for method, value in zip(others, values, strict=True)
    }


def _per_query(records: list[Record]) -> NDArray[np.float64]:
    """AP of each query with a match: its mean over trials, or one trial's after another's."""
    trials = [
        np.array(r.measurement.average_precision, dtype=np.float64)
        for r in records
        if r.measurement is not None
    ]
    if len({r.queries for r in records}) > 1:
        joined = np.concatenate(trials)
        return joined[~np.isnan(joined)]
    table = np.stack(trials)
    return np.asarray(np.nanmean(table[:, ~np.isnan(table).all(axis=0)], axis=0))


def _resampled_means(
    deltas: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Means [resamples, M] of rows drawn from [n, M], a few resamples at a time."""
    n = len(deltas)
    even = np.full(n, 1 / n)
    sizes = [min(_BLOCK, resamples - done) for done in range(0, resamples, _BLOCK)]
    return np.concatenate([rng.multinomial(n, even, size=size) @ deltas / n for size in sizes])
