"""Compiled distances from inner products equal those of the reference, up to its square roots."""

import numpy as np
import pytest
import torch

from simgraph.kernels import cpu, reference
from tests.kernels.problems import DTYPES, rng


@DTYPES
@pytest.mark.parametrize("dim", [1, 3, 512])
def test_distances_of_products_equal_the_reference(dim, dtype):
    x = torch.randn(40, dim, generator=rng(1), dtype=dtype)
    y = torch.cat([x[::2], x[:9] * (1 + 1e-3), torch.randn(70, dim, generator=rng(2), dtype=dtype)])
    args = x, y, x.square().sum(1), y.square().sum(1)
    found = cpu.distances_of_products(x @ y.T, *args)
    expected = reference.distances_of_products(x @ y.T, *args)
    near = torch.cdist(x.double(), y.double()) < 0.05 * x.double().norm(dim=1)[:, None]
    # Far pairs take the same steps up to the root, which MKL, behind torch, rounds the other way
    # here and there; near ones are a sum over dim, whose order may differ.
    exact = (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * (x @ y.T)).clamp(min=0)
    assert np.array_equal(found[~near].numpy(), np.sqrt(exact[~near].numpy()))
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=0)
    assert (found[torch.arange(0, 40, 2), torch.arange(20)] == 0).all()


def test_distances_are_written_where_the_products_were():
    x = torch.randn(5, 3, generator=rng(3))
    products = x @ x.T
    for kernels in (cpu, reference):
        part = products.clone()
        squares = x.square().sum(1)
        assert kernels.distances_of_products(part, x, x, squares, squares) is part
