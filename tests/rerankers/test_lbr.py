"""Local blurring: by hand, and what every method must hold."""

import numpy as np

import simgraph as sg
from tests.oracles.rerankers import SMALL
from tests.rerankers.contract import LoopsContract, on_circle


class TestContract(LoopsContract):
    method = "lbr"
    params = SMALL["lbr"]
    defaults = {"n": 100, "temperature": 0.3}
    limits = [
        {"n": 5, "temperature": 10.0},
        {"n": 1, "temperature": 0.02},
    ]
    refused = [
        ({"n": 6}, ["n = 6", "Ng = 5"]),
        ({"n": 3, "temperature": "hot"}, ["temperature", "number above 0", "'hot'"]),
    ]


def test_lbr_by_hand():
    # n = 2: g0 at 10 and g1 at 40 degrees mix by softmax of (1, cos 30) / σ; g2 stays behind.
    cos = np.cos(np.radians([10, 40, 120, 30]))
    mix = np.exp(np.array([1, cos[3]]) / 0.5)
    mix /= mix.sum()
    found = sg.rerank(on_circle(0), on_circle(10, 40, 120), "lbr", n=2, temperature=0.5)
    near = [1 - mix @ cos[:2], 1 - mix @ cos[1::-1]]
    np.testing.assert_allclose(found[0], [*near, 3 - cos[2]], rtol=1e-12)
