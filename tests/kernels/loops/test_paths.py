"""The compiled mean of the K shortest paths equals that of the reference, bit by bit."""

import pytest
import torch

from simgraph.kernels import cpu, reference
from tests.kernels.problems import DTYPES, KINDS, equal, path_problem, values


@DTYPES
@KINDS
@pytest.mark.parametrize("num_queries", [1, 7, 8, 64, 65, 200])
@pytest.mark.parametrize(("k", "num_paths"), [(0, 1), (1, 2), (5, 1), (6, 4), (20, 9), (20, 21)])
def test_means_equal_the_reference(num_queries, k, num_paths, dtype, kind):
    direct, neighbors, weight = path_problem(num_queries, 37, k, dtype, kind)
    args = direct, direct, neighbors, weight, num_paths
    assert equal(cpu.mean_k_shortest(*args), reference.mean_k_shortest(*args))


@DTYPES
@pytest.mark.parametrize("num_queries", [3, 70])
def test_first_legs_may_differ_from_the_direct_edges(num_queries, dtype):
    direct, neighbors, weight = path_problem(num_queries, 25, 6, dtype)
    legs = direct * values(direct.shape, dtype, seed=5)
    args = direct, legs, neighbors, weight, 4
    found = cpu.mean_k_shortest(*args)
    assert equal(found, reference.mean_k_shortest(*args))
    assert not torch.equal(found, cpu.mean_k_shortest(direct, direct, *args[2:]))


@DTYPES
@pytest.mark.parametrize("num_queries", [3, 70])
def test_some_targets_are_columns_of_all(num_queries, dtype):
    direct, neighbors, weight = path_problem(num_queries, 25, 6, dtype)
    targets = torch.tensor([4, 0, 24, 4])
    for kernels in (cpu, reference):
        whole = kernels.mean_k_shortest(direct, direct, neighbors, weight, 4)
        some = neighbors[targets], weight[targets], 4, targets
        found = kernels.mean_k_shortest(direct, direct, *some)
        assert torch.equal(found, whole[:, targets])


@pytest.mark.parametrize("num_queries", [1, 70])
def test_columns_and_views_give_the_same_means(num_queries):
    direct, neighbors, weight = path_problem(num_queries, 25, 6, torch.float32)
    expected = cpu.mean_k_shortest(direct, direct, neighbors, weight, 4)
    turned = direct.T.contiguous().T
    wide = torch.cat([weight, weight], dim=1)[:, :6]
    assert torch.equal(cpu.mean_k_shortest(turned, turned, neighbors, wide, 4), expected)
