"""Database-side augmentation: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL, distances, unit
from tests.rerankers.contract import LoopsContract, on_circle


class TestContract(LoopsContract):
    method = "dba"
    params = SMALL["dba"]
    defaults = {"k": 20}
    limits = [
        {"k": 4},
        {"k": 1},
        {"k": 0},
    ]
    refused = [
        ({"k": 5}, ["k = 5", "Ng − 1 = 4"]),
    ]


def test_dba_by_hand():
    query, gallery = on_circle(0), on_circle(10, 30, 80)
    # k = 2: weight 1/2 for the nearest, 0 for the second.
    augmented = unit(gallery + gallery[[1, 0, 1]] / 2)
    found = sg.rerank(query, gallery, "dba", k=2)
    np.testing.assert_allclose(found, distances(query, augmented), rtol=1e-12)
