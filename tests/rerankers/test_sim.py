"""SIM behind `rerank` and `rerank_distances`."""

import numpy as np
import pytest

import simgraph as sg
from simgraph.rerankers import rerank_distances
from tests.oracles.sim import CASES, sim
from tests.rerankers.contract import GALLERY, QUERY, SIMContract, real_features

SMALL = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 5, "alpha": 0.4}


class TestContract(SIMContract):
    method = "sim"
    params = SMALL

    @staticmethod
    def expected(d_qg, d_gg):
        return sim(d_qg, d_gg, 0.1, 5, 3, 4, 5, 0.4, True)


def test_sim_by_hand():
    # As in tests/sim/test_fusion.py: d_S = 3.25, 3.25, 2.5 and d_M = 2/3, 2/3, 1/2.
    d_qg = np.array([[5.0, 1, 3]])
    d_gg = np.array([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]])
    params = {"k": 1, "lam": 0.5, "num_paths": 2, "k_query": 2, "k_gallery": 1}
    expected = [[0.3 * 3.25 + 0.7 * 2 / 3, 0.3 * 3.25 + 0.7 * 2 / 3, 0.3 * 2.5 + 0.7 / 2]]
    np.testing.assert_allclose(rerank_distances(d_qg, d_gg, "sim", **params), expected, rtol=1e-14)


def test_sim_is_the_default_method():
    assert np.array_equal(
        sg.rerank(QUERY, GALLERY, **SMALL), sg.rerank(QUERY, GALLERY, method="sim", **SMALL)
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_from_distances_it_is_sim_distance_to_the_bit(case):
    found = sg.rerank_distances(case.d_qg, case.d_gg, "sim", **case.params, alpha=0.7)
    expected = sg.sim_distance(case.d_qg, case.d_gg, **case.params, alpha=0.7)
    np.testing.assert_array_equal(found, expected)


def test_from_distances_it_takes_the_budget_of_sim_distance():
    d_qg, d_gg = np.ones((3, 30)), np.ones((30, 30))
    with pytest.raises(ValueError, match=r"memory = 1 KiB cannot hold .* sim_distance"):
        sg.rerank_distances(d_qg, d_gg, "sim", memory="1KiB")


@pytest.mark.parametrize(
    ("method", "params", "mean_ap", "rank_1"),
    [
        ("baseline", {}, 61.96, 74.00),
        ("sim", {}, 73.62, 76.00),
        ("sim_authors", {"k_query": 12}, 73.92, 74.40),
    ],
    ids=["baseline", "sim", "authors"],
)
def test_scores_on_real_features(shared, method, params, mean_ap, rank_1):
    file = real_features(shared)
    d = sg.rerank(file["query_feat"], file["gallery_feat"], method=method, **params)
    found = mean_average_precision_and_rank_1(d, file["query_pid"], file["gallery_pid"])
    assert found == pytest.approx((mean_ap, rank_1), abs=0.005 + 1e-9)


def mean_average_precision_and_rank_1(d, query_pids, gallery_pids):
    precisions, first = [], []
    for row, identity in zip(d, query_pids, strict=True):
        hits = gallery_pids[np.argsort(row, kind="stable")] == identity
        ranks = np.flatnonzero(hits) + 1
        precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        first.append(hits[0])
    return 100 * np.mean(precisions), 100 * np.mean(first)
