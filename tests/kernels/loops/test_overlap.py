"""Compiled overlaps, fused with distances, equal those of the reference bit by bit."""

import numpy as np
import pytest

from simgraph.kernels import cpu, reference
from tests.kernels.problems import DTYPES, KINDS, overlap_problem, random_sets


@DTYPES
@KINDS
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("k_query", [1, 5, 23])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_fused_overlaps_equal_the_reference(alpha, k_query, share, dtype, kind):
    args = *overlap_problem(11, 23, k_query, dtype, kind), random_sets(23, share, 1), alpha
    found, expected = cpu.jaccard_fuse(*args), reference.jaccard_fuse(*args)
    assert found.dtype == dtype
    # Neither set has a member: 0 / 0.
    assert np.array_equal(found.numpy(), expected.numpy(), equal_nan=share == 0)
