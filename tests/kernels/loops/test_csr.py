"""Compiled grouping and reciprocal sets equal a stable sort, the reference and the oracle."""

import numpy as np
import pytest
import torch

from simgraph.kernels import cpu, reference
from simgraph.kernels.csr import group_by_key
from tests.kernels.problems import equal, neighbor_lists
from tests.oracles.sim import expanded, reciprocal

EXPAND = pytest.mark.parametrize("expand", [False, True], ids=["plain", "expanded"])


@pytest.mark.parametrize("num_keys", [1, 7, 300])
@pytest.mark.parametrize("count", [0, 1, 200])
def test_groups_are_a_stable_sort(count, num_keys):
    keys = np.random.default_rng(0).integers(0, num_keys, count)
    values = np.arange(count, dtype=np.int32)
    ptr, grouped = group_by_key(keys, values, num_keys)
    assert grouped.dtype == np.int32
    np.testing.assert_array_equal(grouped, np.argsort(keys, kind="stable"))
    np.testing.assert_array_equal(np.diff(ptr), np.bincount(keys, minlength=num_keys))


def parts(sets):
    return sets.owner, sets.member, sets.ptr, sets.size


@EXPAND
@pytest.mark.parametrize(("num_gallery", "degree"), [(1, 0), (2, 1), (30, 6), (30, 29), (400, 20)])
@pytest.mark.parametrize("k", [0, 1, 2, 5, 6, 20])
def test_reciprocal_sets_equal_the_reference_and_the_oracle(k, num_gallery, degree, expand):
    neighbors = neighbor_lists(num_gallery, degree)
    sets = cpu.reciprocal_sets(neighbors, k, expand)
    assert equal(parts(sets), parts(reference.reciprocal_sets(neighbors, k, expand)))
    expected = (expanded if expand else reciprocal)(neighbors.tolist(), k)
    for g, members in enumerate(expected):
        assert set(sets.member[sets.owner == g].tolist()) == members


@EXPAND
def test_reciprocal_sets_in_which_all_have_each_other(expand):
    # Groups of seven: every set is its group, before and after the expansion.
    image = torch.arange(70)
    group = image.view(10, 7)
    others = group[:, None].expand(-1, 7, -1)[~torch.eye(7).bool().expand(10, -1, -1)]
    sets = cpu.reciprocal_sets(others.view(70, 6), 6, expand)
    assert (sets.size == 7).all()
    assert torch.equal(sets.owner.view(70, 7) // 7, (image // 7)[:, None].expand(-1, 7))
