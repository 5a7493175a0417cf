"""Paired bootstrap over queries: whether a difference in mAP may be chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simgraph.studies.experiment import ExperimentResult

_BLOCK = 100


@dataclass(frozen=True)
class Difference:
    """Difference between the mAP of two methods, in [-1, 1], with its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def paired_differences(
    methods: dict[str, list[ExperimentResult]],
    against: str,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    r"""Compute differences in mAP to one method, each with a percentile bootstrap interval.

    With AP differences $\delta_i$ of the $n$ queries, each resample draws $n$ of them with
    replacement; the interval holds the middle share of the resamples' means $\bar\delta^*$. All
    methods are compared on the same resamples. If all trials have the same queries, a query's
    $\delta$ is its mean over trials; otherwise the queries of each trial count separately.

    Args:
        methods: method → its results, one per trial, for the same trials; methods without
            results are left out.
        against: the method that the others are compared with.
        resamples: their number.
        confidence: share of the resamples within the interval, in (0, 1).
        seed: of the random draws.

    Returns:
        Method → difference, for all methods but `against`.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    precision = {method: _per_query(results) for method, results in methods.items() if results}
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


def _per_query(results: list[ExperimentResult]) -> NDArray[np.float64]:
    """AP of each query with a match: means over trials, or the trials one after another."""
    trials = [
        np.array(r.measurement.average_precision, dtype=np.float64)
        for r in results
        if r.measurement is not None
    ]
    if len({r.query_fingerprint for r in results}) > 1:
        joined = np.concatenate(trials)
        return joined[~np.isnan(joined)]
    table = np.stack(trials)
    return np.asarray(np.nanmean(table[:, ~np.isnan(table).all(axis=0)], axis=0))


def _resampled_means(
    deltas: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Means [resamples, M] of rows drawn from [n, M], computed in blocks of resamples."""
    # The counts of a draw with replacement are multinomial: a matrix product sums the rows.
    n = len(deltas)
    even = np.full(n, 1 / n)
    sizes = [min(_BLOCK, resamples - done) for done in range(0, resamples, _BLOCK)]
    return np.concatenate([rng.multinomial(n, even, size=size) @ deltas / n for size in sizes])


def resampled_by_identity(
    deltas: NDArray[np.float64], pids: NDArray[np.int64], resamples: int, seed: int
) -> NDArray[np.float64]:
    r"""Compute means of differences over identities drawn with replacement, with all their queries.

    With counts $w_c$ of the drawn identities, each mean is
    $\sum_c w_c \sum_{i \in c} \delta_i / \sum_c w_c n_c$. Queries of one identity share its gallery
    images, so they are not independent: intervals from single queries would be too narrow.

    Args:
        deltas: differences in AP, one row per query and one column per comparison, [n, M].
        pids: identities of the queries, [n].
        resamples: their number.
        seed: of the random draws.

    Returns:
        The means, [resamples, M].

    Source:
        Field and Welsh, Bootstrapping clustered data, JRSS B, 2007.
    """
    identities, code = np.unique(pids, return_inverse=True)
    sums = np.zeros((len(identities), deltas.shape[1]))
    np.add.at(sums, code, deltas)
    size = np.bincount(code).astype(np.float64)
    even = np.full(len(identities), 1 / len(identities))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(identities), even, size=resamples)
    return np.asarray(drawn @ sums / (drawn @ size)[:, None])
