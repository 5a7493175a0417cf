"""The compiled kernels give the numbers of the torch reference, bit by bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simgraph.kernels import _threads, cpu, reference
from simgraph.kernels.csr import ReciprocalSets

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
FEW = settings(max_examples=25, deadline=None, derandomize=True)


def rng(seed):
    return torch.Generator().manual_seed(seed)


def values(shape, dtype, kind="distinct", seed=0):
    d = torch.rand(shape, generator=rng(seed), dtype=dtype)
    if kind == "ties":
        return (4 * d).round() / 4
    if kind == "some inf":
        return d.masked_fill(d > 0.6, torch.inf)
    if kind == "all inf":
        return torch.full_like(d, torch.inf)
    return torch.ones_like(d) if kind == "equal" else d


KINDS = pytest.mark.parametrize("kind", ["distinct", "ties", "equal", "some inf", "all inf"])


def equal(found, expected):
    if isinstance(found, tuple):
        return all(map(equal, found, expected))
    return found.dtype == expected.dtype and torch.equal(found, expected)


# --- The K smallest path lengths -------------------------------------------------------------


def path_problem(num_queries, num_gallery, k, dtype, kind="distinct", seed=0):
    direct = values((num_queries, num_gallery), dtype, kind, seed)
    neighbors = torch.randint(0, num_gallery, (num_gallery, k), generator=rng(seed))
    weight = values((num_gallery, k), dtype, "ties" if kind == "ties" else "distinct", seed + 1)
    return direct, neighbors, weight


@DTYPES
@KINDS
@pytest.mark.parametrize("num_queries", [1, 7, 8, 64, 65, 200])
@pytest.mark.parametrize(("k", "num_paths"), [(0, 1), (1, 2), (5, 1), (6, 4), (20, 9), (20, 21)])
def test_path_means_are_the_reference(num_queries, k, num_paths, dtype, kind):
    direct, neighbors, weight = path_problem(num_queries, 37, k, dtype, kind)
    args = direct, direct, neighbors, weight, num_paths
    assert equal(cpu.mean_k_shortest(*args), reference.mean_k_shortest(*args))


def test_path_means_by_hand():
    # One target: direct 5, over image 0: 1 + 0.5, over image 1: inf. K = 2: (1.5 + 5) / 2; K = 3
    # has but two paths.
    direct = torch.tensor([[1.0, torch.inf, 5.0]])
    neighbors, weight = torch.tensor([[0, 1]]), torch.tensor([[0.5, 0.0]])
    for kernels in (cpu, reference):
        for queries in (1, 9):
            d = direct.expand(queries, -1)
            for num_paths in (2, 3):
                found = kernels.mean_k_shortest(
                    d, d, neighbors, weight, num_paths, torch.tensor([2])
                )
                assert found.tolist() == [[3.25]] * queries


@DTYPES
@pytest.mark.parametrize("num_queries", [3, 70])
def test_first_legs_may_differ_from_the_direct_edges(num_queries, dtype):
    direct, neighbors, weight = path_problem(num_queries, 25, 6, dtype)
    legs = direct * values(direct.shape, dtype, seed=5)
    args = direct, legs, neighbors, weight, 4
    assert equal(cpu.mean_k_shortest(*args), reference.mean_k_shortest(*args))
    assert not torch.equal(
        cpu.mean_k_shortest(*args), cpu.mean_k_shortest(direct, direct, *args[2:])
    )


@DTYPES
@pytest.mark.parametrize("num_queries", [3, 70])
def test_some_targets_are_columns_of_all(num_queries, dtype):
    direct, neighbors, weight = path_problem(num_queries, 25, 6, dtype)
    targets = torch.tensor([4, 0, 24, 4])
    for kernels in (cpu, reference):
        whole = kernels.mean_k_shortest(direct, direct, neighbors, weight, 4)
        some = kernels.mean_k_shortest(
            direct, direct, neighbors[targets], weight[targets], 4, targets
        )
        assert torch.equal(some, whole[:, targets])


@pytest.mark.parametrize("num_queries", [1, 70])
def test_path_means_of_columns_and_views(num_queries):
    direct, neighbors, weight = path_problem(num_queries, 25, 6, torch.float32)
    expected = cpu.mean_k_shortest(direct, direct, neighbors, weight, 4)
    turned = direct.T.contiguous().T
    wide = torch.cat([weight, weight], dim=1)[:, :6]
    assert torch.equal(cpu.mean_k_shortest(turned, turned, neighbors, wide, 4), expected)


# --- The k smallest --------------------------------------------------------------------------


@DTYPES
@KINDS
@pytest.mark.parametrize("width", [5, 64, 300])
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("own", [None, 0, 2])
def test_smallest_is_the_reference_and_a_stable_sort(width, k, own, dtype, kind):
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
def test_further_columns_make_the_smallest_of_all(block, rows, kind, dtype):
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


# --- Distances -------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("dim", [1, 3, 512])
def test_distances_of_products_are_the_reference(dim, dtype):
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


# --- Overlaps --------------------------------------------------------------------------------


def random_sets(num_gallery, share, seed):
    member, owner = (torch.rand((num_gallery, num_gallery), generator=rng(seed)) < share).nonzero(
        as_tuple=True
    )
    ptr = torch.searchsorted(member, torch.arange(num_gallery + 1))
    return ReciprocalSets(owner, member, ptr, torch.bincount(owner, minlength=num_gallery))


def overlap_problem(num_queries, num_gallery, k_query, dtype, kind, seed=0):
    d = values((num_queries, num_gallery), dtype, kind, seed)
    best, nearest = reference.topk_smallest(d, k_query)
    return d, nearest, torch.isfinite(best).sum(1)


@DTYPES
@KINDS
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("k_query", [1, 5, 23])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_fused_overlap_is_the_reference(alpha, k_query, share, dtype, kind):
    args = *overlap_problem(11, 23, k_query, dtype, kind), random_sets(23, share, 1), alpha
    found, expected = cpu.jaccard_fuse(*args), reference.jaccard_fuse(*args)
    assert found.dtype == dtype
    # Neither set has a member: 0 / 0.
    assert np.array_equal(found.numpy(), expected.numpy(), equal_nan=share == 0)


def test_fused_overlap_by_hand():
    # N_c = {0, 2}; R*(0) = {0, 2}, R*(1) = {1}, R*(2) = {0, 1, 2}: d_M = 0, 1, 1/3.
    owner, member = torch.tensor([0, 2, 1, 2, 0, 2]), torch.tensor([0, 0, 1, 1, 2, 2])
    sets = ReciprocalSets(owner, member, torch.tensor([0, 2, 4, 6]), torch.tensor([2, 1, 3]))
    d = torch.tensor([[1.0, torch.inf, 2.0]])
    for kernels in (cpu, reference):
        found = kernels.jaccard_fuse(d, torch.tensor([[0, 2]]), torch.tensor([2]), sets, 0.5)
        torch.testing.assert_close(found, torch.tensor([[0.5, torch.inf, 1 + 1 / 6]]))


# --- Ranks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["distinct", "ties", "equal", "some inf", "all inf"])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("many", [0, 10**6], ids=["sorted", "counted"])
def test_match_ranks_are_the_reference(monkeypatch, many, share, kind):
    monkeypatch.setattr(cpu, "_MANY", many)
    d = values((17, 90), torch.float32, kind)
    kept = torch.rand(d.shape, generator=rng(7)) < 0.7
    query_of, column = (kept & (torch.rand(d.shape, generator=rng(8)) < share)).nonzero(
        as_tuple=True
    )
    args = kept, query_of, column, torch.randint(0, 12, (90,), generator=rng(9))
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        converted = d.to(dtype)
        found, expected = cpu.match_ranks(converted, *args), reference.match_ranks(converted, *args)
        assert equal(found, expected)
    for e in range(0, len(column), 40):
        row, j = d[query_of[e]], column[e]
        ahead = [t for t in range(90) if kept[query_of[e], t] and (row[t], t) < (row[j], int(j))]
        assert reference.match_ranks(d, *args)[0][e] == len(ahead) + 1


# --- Threads ---------------------------------------------------------------------------------


@FEW
@given(st.integers(0, 10**6), st.integers(1, 150), st.integers(1, 40), st.integers(1, 8))
def test_any_number_of_threads_gives_the_same(seed, num_queries, num_gallery, threads):
    k = min(5, num_gallery - 1)
    direct, neighbors, weight = path_problem(num_queries, num_gallery, k, torch.float32, seed=seed)
    sets = random_sets(num_gallery, 0.3, seed)
    nearest, reached = overlap_problem(num_queries, num_gallery, 1, torch.float32, "distinct")[1:]

    def run():
        d = cpu.mean_k_shortest(direct, direct, neighbors, weight, 3)
        return d, *cpu.topk_smallest(d, 1), cpu.jaccard_fuse(d, nearest, reached, sets, 0.5)

    alone, grain = run(), _threads._GRAIN
    try:
        _threads._GRAIN = 1
        torch_threads = torch.get_num_threads()
        torch.set_num_threads(threads)
        assert equal(run(), alone)
    finally:
        _threads._GRAIN = grain
        torch.set_num_threads(torch_threads)
