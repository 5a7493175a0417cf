"""The rule of tuning against a loop that draws identities one by one."""

import numpy as np
import pytest

from simgraph.studies.bootstrap import resampled_by_identity
from simgraph.studies.tuning_choice import choose, least_units


def test_resampled_means_are_those_of_a_loop_over_drawn_identities():
    rng = np.random.default_rng(0)
    pids = np.array([5, 5, 5, 2, 2, 9])
    deltas = rng.normal(size=(6, 2))
    means = resampled_by_identity(deltas, pids, 4000, seed=1)
    loop = []
    for _ in range(4000):
        drawn = rng.choice([2, 5, 9], size=3)
        loop.append(np.concatenate([deltas[pids == pid] for pid in drawn]).mean(axis=0))
    for share in (2.5, 25, 50, 75, 97.5):
        near = np.percentile(means, share, axis=0), np.percentile(loop, share, axis=0)
        assert near[0] == pytest.approx(near[1], abs=0.12)
    assert resampled_by_identity(deltas, np.ones(6), 10, 0) == pytest.approx(
        np.tile(deltas.mean(axis=0), (10, 1))
    )


def test_gains_of_one_identity_are_not_gains_of_all():
    rng = np.random.default_rng(0)
    pids = np.repeat(np.arange(20), 30)
    baseline = rng.uniform(0.2, 0.4, 600)
    better = baseline + np.where(pids < 2, 0.5, 0) + rng.normal(size=600) * 0.001
    assert choose(np.stack([baseline, better], 1), np.arange(600)).chosen == 1
    assert choose(np.stack([baseline, better], 1), pids).chosen == 0


def test_the_simplest_candidate_within_one_standard_error_wins():
    rng = np.random.default_rng(0)
    n = 400
    baseline = rng.uniform(0.2, 0.4, n)
    noise = rng.normal(size=(n, 3)) * 0.1
    columns = [baseline, baseline + 0.05, baseline + 0.2, baseline + 0.2005]
    precision = np.stack(columns, 1) + np.hstack([np.zeros((n, 1)), noise - noise.mean(axis=0)])
    choice = choose(precision, np.arange(n))
    assert (choice.best, choice.chosen) == (3, 2)
    assert choice.gains[2].low > 0 and "standard error" in choice.reason
    clear = choose(precision[:, [0, 1, 2]], np.arange(n))
    assert (clear.best, clear.chosen) == (2, 2) and "highest mAP" in clear.reason


def test_noise_is_chosen_no_more_often_than_its_interval_allows():
    rng = np.random.default_rng(0)
    chosen = 0
    for _ in range(200):
        baseline = rng.uniform(size=60)
        other = baseline + rng.normal(size=60) * 0.1
        chosen += choose(np.stack([baseline, other], 1), np.arange(60), 200).chosen > 0
    assert chosen <= 0.06 * 200  # 2.5 % expected


def test_as_many_identities_are_needed_as_the_confidence_asks_for():
    assert [least_units(c) for c in (0.5, 0.9, 0.95, 0.99)] == [2, 5, 6, 8]
    for n, chosen in ((5, 0), (6, 1)):
        precision = np.stack([np.full(n, 0.1), np.full(n, 0.9)], 1)
        assert choose(precision, np.arange(n)).chosen == chosen
