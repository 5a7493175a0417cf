"""SGR behind `rerank` and `rerank_distances`."""

import numpy as np

from simgraph.rerankers import rerank_distances
from tests.oracles.sim import sgr
from tests.rerankers.contract import SIMContract


class TestContract(SIMContract):
    method = "sgr"
    params = {"k": 5, "lam": 0.1, "num_paths": 3}

    @staticmethod
    def expected(d_qg, d_gg):
        return sgr(d_qg, d_gg, lam=0.1, k=5, num_paths=3)


def test_sgr_by_hand():
    # Nearest to 0 is 1, to 1 is 0, to 2 is 1; λ = 0.5, K = 2: direct paths 5, 1, 3, and by the
    # neighbor 1 + 0.5, 5 + 0.5, 1 + 1.
    d_qg = np.array([[5.0, 1, 3]])
    d_gg = np.array([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]])
    found = rerank_distances(d_qg, d_gg, "sgr", k=1, lam=0.5, num_paths=2)
    np.testing.assert_array_equal(found, [[3.25, 3.25, 2.5]])
