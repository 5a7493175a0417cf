"""α-weighted query expansion: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL, distances, unit
from tests.rerankers.contract import LoopsContract, on_circle


class TestContract(LoopsContract):
    method = "alpha_qe"
    params = SMALL["alpha_qe"]
    defaults = {"n": 50, "alpha": 3.0}
    limits = [
        {"n": 5, "alpha": 0.5},
        {"n": 0},
    ]
    refused = [
        ({"n": 6}, ["n = 6", "Ng = 5"]),
        ({"n": 3, "alpha": float("inf")}, ["alpha = inf", "finite"]),
    ]


def test_alpha_qe_by_hand():
    query, gallery = on_circle(0), on_circle(60, 180)
    # The opposite image has weight 0, the other 0.5 ** 2.
    expanded = unit(query + 0.25 * gallery[:1])
    found = sg.rerank(query, gallery, "alpha_qe", n=2, alpha=2)
    np.testing.assert_allclose(found, distances(expanded, gallery), rtol=1e-12)
