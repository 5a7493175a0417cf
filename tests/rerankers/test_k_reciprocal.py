"""k-reciprocal encoding: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL
from tests.rerankers.contract import LoopsContract, assert_scores, on_circle


class TestContract(LoopsContract):
    method = "k_reciprocal"
    params = SMALL["k_reciprocal"]
    defaults = {"k1": 20, "k2": 6, "lam": 0.3}
    limits = [
        {"k1": 7, "k2": 8},
        {"k1": 1, "k2": 1, "lam": 0.0},
        {"k1": 3, "lam": 1},
    ]
    refused = [
        ({"k1": 8}, ["k1 = 8", "Nq + Ng − 1 = 7"]),
        ({"k1": 0}, ["k1 = 0", "at least 1"]),
        ({"k1": 2, "k2": 9}, ["k2 = 9", "Nq + Ng = 8"]),
        ({"k1": 2, "lam": 1.5}, ["lam = 1.5", "[0, 1]"]),
        ({"k1": 2.5}, ["k1", "integer", "2.5"]),
    ]
    cosine = False


def test_k_reciprocal_by_hand():
    # q and g0 are each other's nearest, g1 and g2 too: with k1 = 1 (no expansion, round(1/2) = 0)
    # the sets are {q, g0} and {g1, g2}.
    query, gallery = on_circle(0), on_circle(20, 90, 100)
    found = sg.rerank(query, gallery, "k_reciprocal", k1=1, k2=1, lam=0.25)
    squared = 2 - 2 * np.cos(np.radians([20, 90, 100]))
    q = np.array([1, np.exp(-squared[0] / squared[2])])
    # Seen from g0 the farthest is g2, 80 degrees off.
    g = np.array([np.exp(-squared[0] / (2 - 2 * np.cos(np.radians(80)))), 1])
    shared = np.minimum(q / q.sum(), g / g.sum()).sum()
    jaccard = np.array([1 - shared / (2 - shared), 1, 1])
    np.testing.assert_allclose(found[0], 0.25 * squared / squared[2] + 0.75 * jaccard, rtol=1e-12)


def test_scores_of_the_authors_own_code(shared):
    assert_scores(shared, "k_reciprocal", {}, 71.93, 73.20)
