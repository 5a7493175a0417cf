"""Affinity inference: by hand, and what every method must hold."""

import numpy as np
import pytest

import simgraph as sg
from tests.oracles.rerankers import SMALL
from tests.rerankers.contract import LoopsContract, assert_scores, on_circle


class TestContract(LoopsContract):
    method = "aim"
    params = SMALL["aim"]
    defaults = {"k1": 30, "k2": 6}
    limits = [
        {"k1": 5, "k2": 5},
        {"k1": 1, "k2": 1},
        {"k1": 1, "k2": 4},
    ]
    refused = [
        ({"k1": 6}, ["k1 = 6", "Ng = 5"]),
        ({"k1": 3, "k2": 6}, ["k2 = 6", "Ng = 5"]),
    ]


def test_aim_by_hand():
    # k1 = 1: the query is told by g0 alone, each gallery image by itself; k2 = 2 averages g0 and
    # g1, which both become (1, 1, 0) / 2, and g2 with its nearest, g1.
    cos = np.cos(np.radians([10, 40, 120]))
    found = sg.rerank(on_circle(0), on_circle(10, 40, 120), "aim", k1=1, k2=2)
    alike = np.array([1, 1, 0]) / np.sqrt(2)
    np.testing.assert_allclose(found[0], 2 - alike - cos, rtol=1e-12)


@pytest.mark.parametrize(
    ("params", "mean_ap", "rank_1"),
    [({"k1": 20, "k2": 6}, 70.20, 75.20), ({"k1": 4, "k2": 1}, 63.50, 72.80)],
)
def test_scores_of_the_authors_own_code(shared, params, mean_ap, rank_1):
    assert_scores(shared, "aim", params, mean_ap, rank_1)
