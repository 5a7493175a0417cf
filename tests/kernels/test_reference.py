"""The kernels by hand, on the reference and the CPU; the reference by blocks of any size."""

import pytest
import torch

from simgraph.kernels import cpu, reference
from simgraph.kernels.csr import ReciprocalSets
from tests.kernels.problems import equal, neighbor_lists, overlap_problem, path_problem, random_sets

BOTH = pytest.mark.parametrize("kernels", [cpu, reference], ids=["cpu", "reference"])


@BOTH
@pytest.mark.parametrize("queries", [1, 9])
def test_mean_of_the_shortest_paths_by_hand(queries, kernels):
    # One target: direct 5, over image 0: 1 + 0.5, over image 1: inf. K = 2: (1.5 + 5) / 2; K = 3
    # has but two paths.
    direct = torch.tensor([[1.0, torch.inf, 5.0]])
    neighbors, weight = torch.tensor([[0, 1]]), torch.tensor([[0.5, 0.0]])
    d, target = direct.expand(queries, -1), torch.tensor([2])
    for num_paths in (2, 3):
        found = kernels.mean_k_shortest(d, d, neighbors, weight, num_paths, target)
        assert found.tolist() == [[3.25]] * queries


@BOTH
def test_fused_overlap_by_hand(kernels):
    # N_c = {0, 2}; R*(0) = {0, 2}, R*(1) = {1}, R*(2) = {0, 1, 2}: d_M = 0, 1, 1/3.
    owner, member = torch.tensor([0, 2, 1, 2, 0, 2]), torch.tensor([0, 0, 1, 1, 2, 2])
    sets = ReciprocalSets(owner, member, torch.tensor([0, 2, 4, 6]), torch.tensor([2, 1, 3]))
    d = torch.tensor([[1.0, torch.inf, 2.0]])
    found = kernels.jaccard_fuse(d, torch.tensor([[0, 2]]), torch.tensor([2]), sets, 0.5)
    torch.testing.assert_close(found, torch.tensor([[0.5, torch.inf, 1 + 1 / 6]]))


@BOTH
def test_reciprocal_sets_by_hand(kernels):
    lists = [[1, 2, 3], [2, 3, 4], [1, 3, 0], [1, 2, 0], [1, 5, 2], [4, 3, 2]]
    # 1 has not 0, 2 has not 4, and 2 and 3 have not 5 among their three nearest.
    expected = [{0, 2, 3}, {1, 2, 3, 4}, {0, 1, 2, 3}, {0, 1, 2, 3}, {1, 4, 5}, {4, 5}]
    # R(c, 3 / 2), with 1.5 rounded to 2, has at most three members. More than 2/3 of them is all
    # of them, so the expansion adds nothing.
    for expand in (False, True):
        sets = kernels.reciprocal_sets(torch.tensor(lists), 3, expand)
        assert sets.size.tolist() == [len(members) for members in expected]
        for c in range(6):
            owners = sets.owner[sets.ptr[c] : sets.ptr[c + 1]].tolist()
            assert owners == [g for g, members in enumerate(expected) if c in members]


@pytest.mark.parametrize("block_values", [1, 500])
def test_blocks_give_the_whole(monkeypatch, block_values):
    direct, neighbors, weight = path_problem(9, 40, 6, torch.float64, "ties")
    overlaps = *overlap_problem(9, 40, 5, torch.float64, "ties"), random_sets(40, 0.2, 1), 0.3
    lists = neighbor_lists(40, 8)

    def run():
        sets = reference.reciprocal_sets(lists, 8, True)
        return (
            reference.mean_k_shortest(direct, direct, neighbors, weight, 4),
            *reference.topk_smallest(direct, 5),
            reference.jaccard_fuse(*overlaps),
            *(sets.owner, sets.member, sets.ptr, sets.size),
        )

    whole = run()
    monkeypatch.setattr(reference, "_BLOCK_VALUES", block_values)
    monkeypatch.setattr(reference, "_CACHED_VALUES", block_values)
    assert equal(run(), whole)
