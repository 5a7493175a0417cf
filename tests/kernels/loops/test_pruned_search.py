"""The search loop where edges are missing, and its bounds: no rounding breaks them."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simgraph.kernels.loops.pruned_search import _least_mean, _mean_of_paths
from simgraph.kernels.pruned_search import SIMScalars
from simgraph.rerankers.ranked_lists import ranked_lists
from tests.kernels.search_problems import problems, pruned
from tests.oracles import sim as oracles


@given(problems(), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_pruned_lists_equal_the_oracle_where_edges_are_missing(problem, share, seed):
    d_qg, d_gg, params, top = problem
    d_qg, d_gg = d_qg.astype(np.float64), d_gg.astype(np.float64)
    d_qg[np.random.default_rng(seed).random(d_qg.shape) < share] = np.inf
    dense = oracles.sim(d_qg, d_gg, **params)
    values, index = ranked_lists(torch.from_numpy(dense), top)
    found, images = pruned(d_qg, d_gg, params, top)
    np.testing.assert_allclose(found, values, rtol=1e-14)
    np.testing.assert_array_equal(images, index)


@given(
    st.floats(2**-20, 2**20, width=32), st.lists(st.floats(1, 2), max_size=20), st.integers(0, 20)
)
@settings(max_examples=200, deadline=None)
def test_no_mean_of_longer_paths_is_below_the_bound(farthest, factors, missing):
    farthest = np.float32(farthest)
    terms = SIMScalars.of(0.01, 1 + len(factors) + missing, 20, 0.3, np.dtype(np.float32))
    paths = np.sort(np.array([farthest, *(farthest * np.float32(f) for f in factors)]))
    best = np.concatenate([paths, np.full(missing, np.inf)]).astype(np.float32)
    assert _mean_of_paths(best, terms.one) >= _least_mean(farthest, terms)
