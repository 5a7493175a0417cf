"""Reduced precision that a process allows for its training never reaches the distances."""

import threading

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph._exact_products import exact_products
from simgraph.distances import CenteredRows, l2_distance
from simgraph.search.approximate_knn import _probe_lists
from simgraph.search.inverted_file import InvertedFile
from tests.search.galleries import SMALL, clustered

QUERY, GALLERY = clustered(300, 512, 1), clustered(600, 512, 0)


def state():
    matmul = torch.backends.cuda.matmul
    return torch.get_float32_matmul_precision(), matmul.allow_tf32


@pytest.fixture(params=["highest", "high", "medium", "allow_tf32"])
def reduced(request):
    """A process that allows reduced precision in one of the ways that torch offers."""
    if request.param == "allow_tf32":
        torch.backends.cuda.matmul.allow_tf32 = True
    else:
        torch.set_float32_matmul_precision(request.param)
    yield request.param
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")


@pytest.fixture
def medium():
    """The precision that rounds products on this CPU; skipped where it does not."""
    exact = QUERY @ GALLERY.T
    torch.set_float32_matmul_precision("medium")
    if torch.equal(QUERY @ GALLERY.T, exact):
        torch.set_float32_matmul_precision("highest")
        pytest.skip("this CPU computes in full precision in any case")
    yield
    torch.set_float32_matmul_precision("highest")


def computed():
    file = InvertedFile.of_assignment(GALLERY[:9].numpy().copy(), torch.arange(600) % 9)
    near = file.nearest(GALLERY, 3)
    results = [*_probe_lists(CenteredRows.of(GALLERY), 5, file, near), near]
    results += sg.SIMIndex(**SMALL).fit(GALLERY).search(QUERY, 20)
    results += [sg.rerank(QUERY, GALLERY, m) for m in ("baseline", "sim", "gnn", "lbr")]
    results.append(l2_distance(QUERY.requires_grad_(), GALLERY).detach())
    QUERY.requires_grad_(False)
    return [np.asarray(result) for result in results]


EXPECTED = computed()


def test_distances_and_neighbors_keep_their_bits(medium):
    for found, expected in zip(computed(), EXPECTED, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_setting_comes_back(reduced):
    before = state()
    with exact_products("cpu"):
        assert state() == ("highest", False)
        with exact_products("cpu"):
            assert state() == ("highest", False)
        assert state() == ("highest", False)
    assert state() == before
    sg.rerank(QUERY[:5], GALLERY[:30], **SMALL)
    assert state() == before
    with pytest.raises(RuntimeError), exact_products("cpu"):
        raise RuntimeError
    assert state() == before


def test_the_setting_comes_back_when_the_last_thread_leaves(reduced):
    before, first_left = state(), threading.Event()
    entered, seen = threading.Barrier(2), []

    def stay():
        with exact_products("cpu"):
            entered.wait()
            first_left.wait()
            seen.append(state())

    thread = threading.Thread(target=stay)
    thread.start()
    with exact_products("cpu"):
        entered.wait()
    first_left.set()
    thread.join()
    assert seen == [("highest", False)]
    assert state() == before
