"""The baseline: direct distances."""

import numpy as np

import simgraph as sg
from simgraph.rerankers import rerank_distances
from tests.rerankers.contract import SIMContract, on_circle


class TestContract(SIMContract):
    method = "baseline"

    @staticmethod
    def expected(d_qg, d_gg):
        return d_qg


def test_the_baseline_by_hand():
    found = sg.rerank(on_circle(0), on_circle(60, 180), "baseline")
    np.testing.assert_allclose(found, [[1, 2]], rtol=1e-12)


def test_from_distances_it_is_a_copy_of_them():
    d_qg, d_gg = np.array([[3.0, 1.0]]), np.array([[0.0, 2.0], [2.0, 0.0]])
    found = rerank_distances(d_qg, d_gg, "baseline")
    np.testing.assert_array_equal(found, d_qg)
    found[:] = 0
    assert d_qg.tolist() == [[3, 1]]
