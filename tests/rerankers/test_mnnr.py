"""MNNR behind `rerank` and `rerank_distances`."""

import numpy as np

from simgraph.rerankers import rerank_distances
from tests.oracles.sim import fuse, mnnr
from tests.rerankers.contract import SIMContract


class TestContract(SIMContract):
    method = "mnnr"
    params = {"k": 5, "k_query": 4, "k_gallery": 5, "alpha": 0.4}

    @staticmethod
    def expected(d_qg, d_gg):
        return fuse(d_qg, mnnr(d_qg, d_gg, 4, 5, True), 0.4)


def test_mnnr_by_hand():
    # N_c = {1, 2}. 0 and 1 are each other's nearest: R = {0,1}, {0,1}, {2}, and d_M is
    # 1 − 1/3, 1 − 1/3, 1 − 1/2.
    d_qg = np.array([[5.0, 1, 3]])
    d_gg = np.array([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]])
    found = rerank_distances(d_qg, d_gg, "mnnr", k=1, k_query=2, k_gallery=1, alpha=0.5)
    expected = [[2.5 + 1 / 3, 0.5 + 1 / 3, 1.5 + 1 / 4]]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
