"""The kernels of the CPU equal the reference to the bit, whatever memory order comes in.

Each family of loops has its own tests in tests/kernels/loops.
"""

import pytest
import torch

from simgraph.kernels import cpu, reference


@pytest.fixture
def d():
    values = torch.rand(6, 40, generator=torch.Generator().manual_seed(0))
    return (8 * values).round() / 8  # ties


def test_topk_of_views_equals_topk_of_copies(d):
    for view in (d.T, d[:, ::2], d[::2]):
        for mine, theirs in zip(
            cpu.topk_smallest(view, 3), reference.topk_smallest(view.clone(), 3), strict=True
        ):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("num_queries", [1, 7, 8, 65])
def test_few_and_many_queries_give_the_same_means(num_queries):
    generator = torch.Generator().manual_seed(1)
    d = torch.rand(num_queries, 12, generator=generator)
    neighbors = torch.stack([torch.randperm(12, generator=generator)[:5] for _ in range(12)])
    weight = torch.rand(12, 5, generator=generator)
    mine = cpu.mean_k_shortest(d, d, neighbors, weight, 3)
    assert torch.equal(mine, reference.mean_k_shortest(d, d, neighbors, weight, 3))


@pytest.mark.parametrize("expand", [False, True])
def test_reciprocal_sets_equal_the_reference(d, expand):
    square = torch.cdist(d.T, d.T)
    neighbors = reference.topk_smallest(square, 6, own=0)[1]
    mine, theirs = (k.reciprocal_sets(neighbors, 6, expand) for k in (cpu, reference))
    assert all(
        torch.equal(a, b) for a, b in zip(vars(mine).values(), vars(theirs).values(), strict=True)
    )
