"""The paired bootstrap against a loop, and on what can be known by hand."""

import numpy as np
import pytest

from simgraph.studies.bootstrap import paired_differences
from simgraph.studies.experiment import ExperimentResult
from simgraph.studies.measurement import Measurement


def one(method, precision, trial=1, queries="same"):
    held = [None if np.isnan(ap) else float(ap) for ap in precision]
    measured = Measurement(scores={}, average_precision=held, seconds=0.0, peak_mib=None)
    return ExperimentResult("set", trial, queries, method, {}, "", "", 0, measured)


def drawn(precision, other, resamples, seed):
    """Draw queries one by one: the obvious bootstrap, with other random numbers."""
    rng, n = np.random.default_rng(seed), len(precision)
    means = []
    for _ in range(resamples):
        rows = [int(rng.integers(n)) for _ in range(n)]
        means.append(sum(precision[i] - other[i] for i in rows) / n)
    return np.percentile(means, [2.5, 97.5])


def test_intervals_are_those_of_the_obvious_bootstrap():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(size=60), rng.uniform(size=60)
    got = paired_differences({"a": [one("a", a)], "b": [one("b", b)]}, "b", 4000)["a"]
    assert got.mean == pytest.approx((a - b).mean())
    assert (got.low, got.high) == pytest.approx(drawn(a, b, 4000, 7), abs=0.01)


def test_pairing_takes_out_what_methods_share():
    hard = np.random.default_rng(2).uniform(0, 0.9, size=50)  # queries differ a lot
    got = paired_differences({"a": [one("a", hard + 0.05)], "b": [one("b", hard)]}, "b")["a"]
    assert (got.mean, got.low, got.high) == pytest.approx((0.05, 0.05, 0.05))
    assert got.beyond_chance


def test_the_same_queries_in_all_trials_count_once():
    a = [one("a", [0.5, 0.7], 1), one("a", [0.9, 0.1], 2)]
    b = [one("b", [0.4, 0.3], 1), one("b", [0.6, 0.1], 2)]
    got = paired_differences({"a": a, "b": b}, "b")["a"]
    # Of the two queries: (0.1 + 0.3) / 2 and (0.4 + 0) / 2.
    assert (got.mean, got.low, got.high) == pytest.approx((0.2, 0.2, 0.2))


def test_other_queries_in_each_trial_count_each():
    a = [one("a", [1.0, np.nan], 1, "first"), one("a", [0.0], 2, "second")]
    b = [one("b", [0.0, np.nan], 1, "first"), one("b", [0.0], 2, "second")]
    got = paired_differences({"a": a, "b": b}, "b")["a"]
    assert got.mean == pytest.approx(0.5)  # two queries with a match, differences 1 and 0
    assert (got.low, got.high) == (0, 1) and not got.beyond_chance


def test_queries_without_a_match_are_left_out():
    a, b = [one("a", [0.5, np.nan, 0.9])], [one("b", [0.4, np.nan, 0.8])]
    got = paired_differences({"a": a, "b": b}, "b")["a"]
    assert (got.mean, got.low, got.high) == pytest.approx((0.1, 0.1, 0.1))


def test_a_seed_gives_the_same_draws_and_methods_share_them():
    rng = np.random.default_rng(3)
    a, b = rng.uniform(size=40), rng.uniform(size=40)
    records = {"a": [one("a", a)], "twin": [one("twin", a)], "b": [one("b", b)]}
    first, again, other = (paired_differences(records, "b", 150, seed=s) for s in (5, 5, 6))
    assert first == again and first != other
    assert first["a"] == first["twin"]


def test_confidence_widens_the_interval():
    rng = np.random.default_rng(4)
    records = {m: [one(m, rng.uniform(size=40))] for m in "ab"}
    narrow, wide = (paired_differences(records, "b", confidence=c)["a"] for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_nothing_to_compare_with_gives_nothing():
    assert paired_differences({"a": [one("a", [1.0])], "b": []}, "b") == {}
    assert paired_differences({"b": [one("b", [1.0])]}, "b") == {}
