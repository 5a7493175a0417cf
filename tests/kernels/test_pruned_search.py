"""The pruned search finds the lists of the dense distances, bit by bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import simgraph as sg
from simgraph.rerankers.ranked_lists import ranked_lists
from tests.kernels.search_problems import problems, pruned


@given(problems())
@settings(max_examples=150, deadline=None)
def test_pruned_lists_are_the_dense_ones(problem):
    d_qg, d_gg, params, top = problem
    dense = torch.from_numpy(sg.sim_distance(d_qg, d_gg, **params))
    values, index = ranked_lists(dense, top)
    found, images = pruned(d_qg, d_gg, params, top)
    np.testing.assert_array_equal(images, index)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("threads", [2, 3, 50])
def test_threads_share_the_queries(threads):
    generator = np.random.default_rng(0)
    d_qg, d_gg = generator.random((17, 60)), generator.random((60, 60))
    params = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 4, "alpha": 0.4,
              "expand": True}  # fmt: skip
    alone = pruned(d_qg, d_gg, params, 10)
    for part, whole in zip(pruned(d_qg, d_gg, params, 10, threads), alone, strict=True):
        np.testing.assert_array_equal(part, whole)
