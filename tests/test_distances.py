"""L2 distances and nearest neighbors against numpy and loops."""

import numpy as np
import pytest
import torch

import simgraph.distances
from simgraph.distances import (
    k_smallest,
    l2_distance,
    nearest_in_distances,
    nearest_neighbors,
    row_blocks,
)
from tests.oracles.sim import euclidean, neighbor_lists


def random_rows(rows, dim, seed=0, dtype=torch.float32):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("dim", [1, 3, 64, 2048])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-13)], ids=["f32", "f64"]
)
def test_l2_distance_is_the_norm_of_the_difference(dim, dtype, tolerance):
    x, y = random_rows(20, dim, 1, dtype), random_rows(30, dim, 2, dtype)
    d = l2_distance(x, y)
    assert d.shape == (20, 30) and d.dtype == dtype
    expected = euclidean(x.double().numpy(), y.double().numpy())
    np.testing.assert_allclose(d.double().numpy(), expected, rtol=tolerance)


def test_l2_distance_by_hand():
    # (0,0)-(3,4): 5; (0,0)-(0,1): 1; (1,1)-(3,4): sqrt(4 + 9); (1,1)-(0,1): 1.
    d = l2_distance(torch.tensor([[0.0, 0], [1, 1]]), torch.tensor([[3.0, 4], [0, 1]]))
    assert torch.allclose(d, torch.tensor([[5, 1], [13**0.5, 1]]))


@pytest.mark.parametrize("dim", [2, 30, 2048])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_equal_rows_are_at_exactly_zero(dim, scale):
    x = random_rows(40, dim, 3) * scale
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    d = l2_distance(x, x[order])
    assert (d[order, torch.arange(40)] == 0).all()
    assert (d == 0).sum() == 40


@pytest.mark.parametrize("offset", [1e-6, 1e-4, 1e-3, 1e-2, 3e-2, 4e-2, 1e-1])
@pytest.mark.parametrize("normalized", [True, False])
def test_near_duplicates_in_2048_dimensions_keep_their_digits(offset, normalized):
    x = random_rows(32, 2048, 4)
    y = x + offset * random_rows(32, 2048, 5)
    if normalized:
        x, y = (torch.nn.functional.normalize(rows, dim=1) for rows in (x, y))
    expected = euclidean(x.double().numpy(), y.double().numpy())
    # torch.cdist is off by 7.7e-4 of the norm here; the product form alone by as much.
    np.testing.assert_allclose(l2_distance(x, y).double().numpy(), expected, rtol=2e-4)


@pytest.mark.parametrize("offset", [10.0, 1000.0])
def test_rows_far_from_the_origin_keep_their_digits(offset):
    x = random_rows(20, 16, 6) + offset
    expected = euclidean(x.double().numpy(), x.double().numpy())
    np.testing.assert_allclose(l2_distance(x, x).double().numpy(), expected, rtol=2e-4)


def test_l2_distance_never_calls_huge_rows_equal():
    # Their squares overflow float32; whatever comes, it must not be 0, the best rank.
    x = random_rows(4, 3, 7) * 1e25
    d = l2_distance(x, x.flip(0))
    assert (d[0, 1:3] != 0).all()


@pytest.mark.parametrize("block_bytes", [1, 1000, 5000])
def test_l2_distance_by_blocks_is_the_whole(monkeypatch, block_bytes):
    x, y = random_rows(23, 5, 8, torch.float64), random_rows(17, 5, 9, torch.float64)
    y[3] = x[11]
    whole = l2_distance(x, y)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    torch.testing.assert_close(l2_distance(x, y), whole, rtol=1e-13, atol=0)


def test_l2_distance_has_the_right_gradient():
    x = random_rows(4, 3, 10, torch.float64).requires_grad_()
    y = random_rows(5, 3, 11, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(l2_distance, (x, y))


def test_the_gradient_at_distance_zero_is_zero():
    x = random_rows(3, 8, 12).requires_grad_()
    d = l2_distance(x, x)
    d.diagonal().sum().backward()
    assert (x.grad == 0).all()
    x.grad = None
    l2_distance(x, x).sum().backward()
    assert torch.isfinite(x.grad).all() and (x.grad != 0).any()


def test_with_and_without_gradient_agree():
    x, y = random_rows(9, 6, 13, torch.float64), random_rows(7, 6, 14, torch.float64)
    plain = l2_distance(x, y)
    torch.testing.assert_close(
        l2_distance(x.clone().requires_grad_(), y), plain, rtol=1e-14, atol=0
    )


def tied_matrix(kind):
    rng = np.random.default_rng(0)
    d = {
        "distinct": rng.random((12, 15)),
        "integers": rng.integers(0, 4, (12, 15)).astype(float),
        "equal": np.ones((12, 15)),
        "two values": rng.integers(0, 2, (12, 15)).astype(float),
        "some inf": np.where(rng.random((12, 15)) < 0.5, np.inf, rng.integers(0, 3, (12, 15))),
        "all inf": np.full((12, 15), np.inf),
        "wide": rng.integers(0, 40, (6, 500)).astype(float),
    }
    return torch.from_numpy(d[kind])


@pytest.mark.parametrize(
    "kind", ["distinct", "integers", "equal", "two values", "some inf", "all inf", "wide"]
)
@pytest.mark.parametrize("k", [0, 1, 2, 7, 14, 15])
def test_k_smallest_is_the_head_of_a_stable_sort(kind, k):
    d = tied_matrix(kind)
    values, index = k_smallest(d, k)
    expected = np.argsort(d.numpy(), axis=1, kind="stable")[:, :k]
    assert index.dtype == torch.long
    np.testing.assert_array_equal(index.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(d.numpy(), expected, 1))


def test_k_smallest_by_hand():
    # Of the three 1s the two with the lower indices come first.
    values, index = k_smallest(torch.tensor([[2.0, 1, 3, 1, 1]]), 2)
    assert values.tolist() == [[1, 1]] and index.tolist() == [[1, 3]]


@pytest.mark.parametrize("block_bytes", [1, 700])
def test_k_smallest_by_blocks_is_the_whole(monkeypatch, block_bytes):
    d = tied_matrix("integers")
    whole = k_smallest(d, 5)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    for part, expected in zip(k_smallest(d, 5), whole, strict=True):
        assert torch.equal(part, expected)


def test_k_smallest_carries_the_gradient_of_the_values():
    d = tied_matrix("distinct")[:3].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: k_smallest(x, 4)[0], (d,))


def test_k_smallest_leaves_its_input_alone():
    d = tied_matrix("integers")
    before = d.clone()
    k_smallest(d, 5)
    assert torch.equal(d, before)


@pytest.mark.parametrize("k", [0, 1, 4, 14])
@pytest.mark.parametrize("copies", [1, 3], ids=["distinct", "duplicates"])
@pytest.mark.parametrize("block_bytes", [None, 1, 2000])
def test_nearest_neighbors_against_loops(monkeypatch, k, copies, block_bytes):
    if block_bytes is not None:
        monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    x = random_rows(15 // copies, 4, 15, torch.float64).repeat_interleave(copies, 0)
    d = euclidean(x.numpy(), x.numpy())
    distances, indices = nearest_neighbors(x, k)
    assert indices.tolist() == neighbor_lists(d, k)
    np.testing.assert_allclose(distances, np.take_along_axis(d, indices.numpy(), 1), rtol=1e-12)


def test_a_duplicate_is_a_neighbor_and_the_row_itself_is_not():
    x = torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    distances, indices = nearest_neighbors(x, 2)
    # Rows 0, 2 and 3 are equal: each has the other two at distance 0, the lower index first.
    # Row 1 is at sqrt(2) from all of them.
    assert indices.tolist() == [[2, 3], [0, 2], [0, 3], [0, 2]]
    assert torch.allclose(distances, torch.tensor([[0, 0], [2**0.5, 2**0.5], [0, 0], [0, 0]]))


@pytest.mark.parametrize("block_bytes", [None, 1])
def test_nearest_in_distances_reads_rows_and_not_the_diagonal(monkeypatch, block_bytes):
    if block_bytes is not None:
        monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    d = torch.tensor([[9.0, 2, 1], [3, 9, 3], [5, 4, 9]])
    before = d.clone()
    distances, indices = nearest_in_distances(d, 2)
    assert indices.tolist() == [[2, 1], [0, 2], [1, 0]]
    assert distances.tolist() == [[1, 2], [3, 3], [4, 5]]
    assert torch.equal(d, before)


@pytest.mark.parametrize("num_rows", [0, 1, 10])
@pytest.mark.parametrize("bytes_per_row", [0, 1, 2**20, 2**40])
def test_row_blocks_cover_the_rows_in_order(num_rows, bytes_per_row):
    blocks = list(row_blocks(num_rows, bytes_per_row))
    assert [i for rows in blocks for i in range(rows.start, rows.stop)] == list(range(num_rows))
    size = max(1, simgraph.distances.BLOCK_BYTES // max(1, bytes_per_row))
    assert all(rows.stop - rows.start <= size for rows in blocks)


def test_rows_of_one_narrow_cone_keep_their_digits_without_their_pairs_computed_one_by_one(
    monkeypatch,
):
    # An untrained network's features all but agree: the product form alone would cancel.
    cone = torch.nn.functional.normalize(1 + 0.02 * random_rows(60, 64, 8), dim=1)
    assert (cone @ cone.T).min() > 0.99
    expected = euclidean(cone.double().numpy(), cone.double().numpy())
    one_by_one = []
    original = simgraph.distances._squared_differences
    monkeypatch.setattr(
        simgraph.distances,
        "_squared_differences",
        lambda x, y, i, j: (one_by_one.append(len(i)), original(x, y, i, j))[1],
    )
    np.testing.assert_allclose(l2_distance(cone, cone).double().numpy(), expected, rtol=2e-4)
    tracked = l2_distance(cone.clone().requires_grad_(), cone).detach()
    np.testing.assert_allclose(tracked.double().numpy(), expected, rtol=2e-4)
    assert sum(one_by_one) == 60


def test_neighbors_of_features_with_gradient_keep_no_square_matrix():
    x = random_rows(30, 5, 9, torch.float64).requires_grad_()
    distances, index = nearest_neighbors(x, 3)
    expected = (x.detach()[:, None] - x.detach()[index]).norm(dim=2)
    torch.testing.assert_close(distances.detach(), expected)
    distances.sum().backward()
    own = x.grad.clone()
    x.grad = None
    (x[:, None] - x[index]).norm(dim=2).sum().backward()
    torch.testing.assert_close(own, x.grad)
