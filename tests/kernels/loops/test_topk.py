"""The compiled top-k: insertion by value, by (value, index), and a heap, with ties decided."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simgraph.kernels import cpu, reference
from simgraph.kernels.loops.topk import heap_smallest, insert_pair
from tests.kernels.problems import DTYPES, KINDS, equal, values

FEW = settings(max_examples=60, deadline=None, derandomize=True)


@DTYPES
@KINDS
@pytest.mark.parametrize("width", [5, 64, 300])
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("own", [None, 0, 2])
def test_topk_equals_the_reference_and_a_stable_sort(width, k, own, dtype, kind):
    d = values((3, width), dtype, kind)
    found = cpu.topk_smallest(d, k, own)
    if own is None or not kind.endswith("inf"):
        assert equal(found, reference.topk_smallest(d, k, own))
    for i, row in enumerate(d.numpy()):
        columns = [j for j in np.argsort(row, kind="stable") if own is None or j != own + i]
        assert found[1][i].tolist() == columns[:k]
        assert found[0][i].tolist() == row[columns[:k]].tolist()


@DTYPES
@pytest.mark.parametrize("kind", ["distinct", "ties", "equal"])
@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("block", [1, 7, 100])
def test_merged_blocks_of_columns_are_the_topk_of_all(block, rows, kind, dtype):
    d = values((9, 230), dtype, kind)
    expected = reference.topk_smallest(d, 6)
    for kernels in (cpu, reference):
        best = torch.full((9, 6), torch.inf, dtype=dtype)
        index = torch.full((9, 6), -1)
        for first in range(0, 230, block):
            part = d[:, first : first + block]
            part = part.contiguous() if rows else part.T.contiguous()
            kernels.merge_topk(best, index, part, first, rows)
        assert equal((best, index), expected)


pairs = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@FEW
@given(pairs, st.integers(1, 40), st.integers(0, 99), st.booleans())
def test_the_heap_and_inserted_pairs_are_the_head_of_a_sort(levels, k, seed, by_position):
    value, k = np.array(levels, np.float32), min(k, len(levels))
    image = np.random.default_rng(seed).permutation(len(value))
    image = np.arange(len(value)) if by_position else image
    expected = sorted(zip(value.tolist(), image.tolist(), strict=True))[:k]

    smallest, which = np.empty(k, np.float32), np.empty(k, np.int64)
    heap_smallest(value, None if by_position else image, len(value), smallest, which)
    assert list(zip(smallest.tolist(), which.tolist(), strict=True)) == expected

    smallest[:], which[:] = np.inf, len(value)
    for v, g in zip(value, image, strict=True):
        if (v, g) < (smallest[-1], which[-1]):
            insert_pair(smallest, which, v, g)
    assert list(zip(smallest.tolist(), which.tolist(), strict=True)) == expected
