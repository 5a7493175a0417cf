"""The thread pool: any number of threads and any ranges give the same."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
from simgraph.kernels import _threads, cpu
from tests.kernels.problems import equal, neighbor_lists, overlap_problem, path_problem, random_sets

FEW = settings(max_examples=25, deadline=None, derandomize=True)


@FEW
@given(st.integers(0, 10**6), st.integers(1, 150), st.integers(1, 40), st.integers(1, 8))
def test_any_number_of_threads_gives_the_same(seed, num_queries, num_gallery, threads):
    k = min(5, num_gallery - 1)
    direct, neighbors, weight = path_problem(num_queries, num_gallery, k, torch.float32, seed=seed)
    sets = random_sets(num_gallery, 0.3, seed)
    nearest, reached = overlap_problem(num_queries, num_gallery, 1, torch.float32, "distinct")[1:]
    lists = neighbor_lists(num_gallery, k, seed)

    def run():
        d = cpu.mean_k_shortest(direct, direct, neighbors, weight, 3)
        found = cpu.reciprocal_sets(lists, k, True)
        fused = cpu.jaccard_fuse(d, nearest, reached, sets, 0.5)
        return d, *cpu.topk_smallest(d, 1), fused, found.owner, found.member, found.ptr, found.size

    alone, grain = run(), _threads._GRAIN
    try:
        _threads._GRAIN = 1
        torch_threads = torch.get_num_threads()
        torch.set_num_threads(threads)
        assert equal(run(), alone)
    finally:
        _threads._GRAIN = grain
        torch.set_num_threads(torch_threads)


def test_threads_may_call_at_once(monkeypatch):
    monkeypatch.setattr(_threads, "_GRAIN", 1)
    query, gallery = torch.randn(70, 8).double(), torch.randn(90, 8).double()
    expected, found = sg.rerank(query, gallery), [None] * 8

    def work(i):
        found[i] = sg.rerank(query, gallery)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for d in found:
        torch.testing.assert_close(d, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("count", "threads", "multiple", "longest", "expected"),
    [
        (10, 1, 1, None, [(0, 10)]),
        (10, 1, 1, 4, [(0, 4), (4, 8), (8, 10)]),
        (16, 2, 1, None, [(i, i + 2) for i in range(0, 16, 2)]),
        (130, 2, 64, None, [(0, 64), (64, 128), (128, 130)]),
        (0, 3, 1, None, [(0, 0)]),
    ],
)
def test_ranges_by_hand(count, threads, multiple, longest, expected):
    assert _threads.row_ranges(count, threads, multiple, longest) == expected


def test_products_have_one_thread_and_torch_gets_its_own_back():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), _threads.pool_of_products() as pool:
        assert list(pool.map(lambda _: torch.get_num_threads(), range(3))) == [1, 1, 1]
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
