"""Compressed rows: gathering them, and building sets by ranges that fit the buffer."""

import numpy as np
import pytest
import torch

from simgraph.kernels import csr
from tests.kernels.problems import neighbor_lists


def test_gathered_rows_by_hand():
    # Rows [7, 8], [], [9]: rows 2, 0, 1, 0 have the entries 9; 7, 8; none; 7, 8.
    ptr, index = torch.tensor([0, 2, 2, 3]), torch.tensor([7, 8, 9])
    which, place = csr.gather_rows(ptr, torch.tensor([2, 0, 1, 0]))
    assert which.tolist() == [0, 1, 1, 3, 3]
    assert index[place].tolist() == [9, 7, 8, 7, 8]


@pytest.mark.parametrize("buffer", [1, 300, 5000])
def test_a_small_buffer_gives_the_same_sets(monkeypatch, buffer):
    neighbors = neighbor_lists(90, 12).numpy().astype(np.int32)
    rows = np.array([4, 0, 89, 17, 17], np.int32).repeat(9)
    whole = csr.reciprocal_members(neighbors, rows, 12, True)
    monkeypatch.setattr(csr, "_BUFFER_VALUES", buffer)
    for part, expected in zip(
        csr.reciprocal_members(neighbors, rows, 12, True), whole, strict=True
    ):
        assert part.dtype == np.int32
        np.testing.assert_array_equal(part, expected)


def test_no_rows_have_no_sets():
    neighbors = neighbor_lists(9, 3).numpy().astype(np.int32)
    size, members = csr.reciprocal_members(neighbors, np.empty(0, np.int32), 3, True)
    assert len(size) == len(members) == 0
