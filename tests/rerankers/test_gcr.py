"""Graph convolution: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL, distances, unit
from tests.rerankers.contract import LoopsContract, on_circle


class TestContract(LoopsContract):
    method = "gcr"
    params = SMALL["gcr"]
    defaults = {"k": 15, "beta": 0.2, "rounds": 3}
    limits = [
        {"k": 8, "beta": 5.0, "rounds": 1},
        {"k": 1},
        {"k": 3, "beta": 0.01},
        {"k": 2, "rounds": 0},
    ]
    refused = [
        ({"k": 9}, ["k = 9", "Nq + Ng = 8"]),
        ({"k": 3, "beta": 0.0}, ["beta = 0.0", "above 0"]),
        ({"k": 3, "rounds": True}, ["rounds", "integer", "True"]),
    ]


def test_gcr_by_hand():
    # Two images, each the other's neighbor: weights 1 and w = exp((cos − 1) / β) in rows that
    # sum to 1 + w, and columns likewise, so both move towards their mean.
    query, gallery = on_circle(0), on_circle(60)
    w = np.exp((0.5 - 1) / 0.2)
    moved = unit(query + w * gallery), unit(gallery + w * query)
    found = sg.rerank(query, gallery, "gcr", k=2, rounds=1)
    np.testing.assert_allclose(found, distances(*moved), rtol=1e-12)
