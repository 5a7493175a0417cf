"""Re-ranking as a graph neural network: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL
from tests.rerankers.contract import LoopsContract, on_circle


class TestContract(LoopsContract):
    method = "gnn"
    params = SMALL["gnn"]
    defaults = {"k1": 26, "k2": 7, "layers": 2}
    limits = [
        {"k1": 8, "k2": 8, "layers": 3},
        {"k1": 1, "k2": 1},
        {"k1": 3, "k2": 2, "layers": 0},
    ]
    refused = [
        ({"k1": 9}, ["k1 = 9", "Nq + Ng = 8"]),
        ({"k1": 5, "k2": 9}, ["k2 = 9", "Nq + Ng = 8"]),
        ({"k1": 5, "k2": 2, "layers": -1}, ["layers = -1", "at least 0"]),
    ]


def test_gnn_by_hand():
    # One layer, k1 = k2 = 2: A has rows (1, 1, 0, 0) twice and (0, 0, 1, 1) twice and is
    # symmetric, so A + Aᵀ = 2A, and the messages keep all rows of a pair parallel.
    found = sg.rerank(on_circle(0), on_circle(20, 90, 100), "gnn", k1=2, k2=2, layers=1)
    np.testing.assert_allclose(found, [[0, 1, 1]], atol=1e-12)
