"""SIM with weights by rank: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL
from tests.rerankers.contract import LoopsContract, on_circle


class TestContract(LoopsContract):
    method = "rank_sim"
    params = SMALL["rank_sim"]
    defaults = {"k": 20, "alpha": 0.3}
    limits = [{"k": 0}, {"k": 4}, {"k": 3, "alpha": 0.0}, {"k": 2, "alpha": 1}]
    refused = [
        ({"k": 5}, ["k = 5", "Ng − 1 = 4"]),
        ({"k": -1}, ["k = -1", "at least 0"]),
        ({"k": "auto"}, ["k", "integer", "'auto'"]),
        ({"k": 2, "alpha": 1.5}, ["alpha = 1.5", "[0, 1]"]),
        ({"k": 2, "memory": "1 MiB"}, ["memory", "rank_sim", "raise memory"]),
    ]
    cosine = False


def test_rank_sim_by_hand():
    # Weights 1 and 1/2. Lists: q has g0, g1; g0 has g0, g1; g1 has g1, g0; g2 has g2, g1.
    query, gallery = on_circle(0), on_circle(20, 50, 90)
    found = sg.rerank(query, gallery, "rank_sim", k=1, alpha=0.25)
    d = 2 * np.sin(np.radians(np.array([20, 50, 90]) / 2))
    mean = np.array([d[0] + d[1] / 2, d[1] + d[0] / 2, d[2] + d[1] / 2]) / 1.5
    shared = np.array([1.5, 1.0, 0.5])
    np.testing.assert_allclose(
        found[0], 0.25 * mean + 0.75 * (1 - shared / (3 - shared)), rtol=1e-12
    )
