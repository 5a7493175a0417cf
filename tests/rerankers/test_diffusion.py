"""Diffusion: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL
from tests.rerankers.contract import LoopsContract, on_circle


class TestContract(LoopsContract):
    method = "diffusion"
    params = SMALL["diffusion"]
    defaults = {"k": 50, "k_query": 10, "gamma": 3.0, "alpha": 0.99}
    limits = [
        {"k": 5, "k_query": 5, "gamma": 1.0},
        {"k": 1, "k_query": 1},
        {"k": 3, "k_query": 2, "alpha": 0},
    ]
    refused = [
        ({"k": 6}, ["k = 6", "Ng = 5"]),
        ({"k": 5, "k_query": 6}, ["k_query = 6", "Ng = 5"]),
        ({"k": 5, "k_query": 2, "gamma": -1}, ["gamma = -1", "above 0"]),
        ({"k": 5, "k_query": 2, "alpha": 1}, ["alpha = 1", "less than 1"]),
    ]


def test_diffusion_by_hand():
    # g0 and g1 are mutual, so S = [[0, 1], [1, 0]] between them; g2 is alone. From g0 the walk
    # comes to f = (1, α) / (1 − α²); g2 keeps its direct distance, behind all that is reached.
    found = sg.rerank(on_circle(0), on_circle(10, 40, 120), "diffusion", k=2, k_query=1, alpha=0.5)
    np.testing.assert_allclose(
        found[0], [0, 0.5, 1 + 2 * np.sin(np.radians(60))], rtol=1e-7, atol=1e-9
    )
