"""Expanded cross neighborhoods: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL
from tests.rerankers.contract import LoopsContract, assert_scores, on_circle


class TestContract(LoopsContract):
    method = "ecn"
    params = SMALL["ecn"]
    defaults = {"k": 25, "t": 3, "q": 8}
    limits = [
        {"k": 8, "t": 7, "q": 7},
        {"k": 1, "t": 1, "q": 1},
    ]
    refused = [
        ({"k": 9}, ["k = 9", "Nq + Ng = 8"]),
        ({"k": 5, "t": 8}, ["t = 8", "Nq + Ng − 1 = 7"]),
        ({"k": 5, "q": 8}, ["q = 8", "Nq + Ng − 1 = 7"]),
    ]
    cosine = False


def test_ecn_by_hand():
    # k = 2: lists give 2 to the image itself and 1 to its nearest. t = q = 1: E(q) = {g0, q},
    # E(g0) = {q, g0}. R = (2·1 + 1·2) / 5 between q and g0, 1 of either with itself.
    found = sg.rerank(on_circle(0), on_circle(20, 90, 100), "ecn", k=2, t=1, q=1)
    far = 1 + 2 * np.sin(np.radians([90, 100]) / 2)
    np.testing.assert_allclose(found[0], [1 - (1 + 0.8 + 1 + 0.8) / 4, *far], rtol=1e-12)


def test_scores_of_the_authors_own_code(shared):
    assert_scores(shared, "ecn", {}, 73.50, 75.60)
