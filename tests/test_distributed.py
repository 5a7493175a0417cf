"""Sharded over Ray: equal to one process, for any number of workers, also when one is killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
import torch

import simgraph as sg
import simgraph.distances

ray = pytest.importorskip("ray")
from simgraph import distributed  # noqa: E402

PARAMS = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 5, "alpha": 0.4}
GENERATOR = torch.Generator().manual_seed(0)
QUERY, GALLERY = (torch.randn(num, 16, generator=GENERATOR) for num in (60, 500))


@pytest.fixture(scope="module", autouse=True)
def cluster():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=2**28)
    yield
    ray.shutdown()


@pytest.fixture
def small_blocks(monkeypatch):
    """Shards of 20 rows."""
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", 20 * 6 * 500 * 4)


def test_equal_for_any_number_of_workers(small_blocks):
    one, two, four = (distributed.rerank(QUERY, GALLERY, **PARAMS, workers=w) for w in (1, 2, 4))
    assert torch.equal(one, two) and torch.equal(one, four)
    torch.testing.assert_close(one, sg.rerank(QUERY, GALLERY, **PARAMS))


CALLER = """
import sys, torch
from simgraph import distributed
generator = torch.Generator().manual_seed(0)
query, gallery = (torch.randn(num, 16, generator=generator) for num in (60, 500))
torch.save(distributed.rerank(query, gallery, address=sys.argv[1]), sys.argv[2])
"""


def test_a_running_cluster_by_its_address(tmp_path):
    address = ray.get_runtime_context().gcs_address
    subprocess.run([sys.executable, "-c", CALLER, address, tmp_path / "d"], check=True)
    torch.testing.assert_close(torch.load(tmp_path / "d"), sg.rerank(QUERY, GALLERY))


def test_the_address_of_a_running_cluster_answers():
    distributed._require_answer(ray.get_runtime_context().gcs_address)


@pytest.mark.parametrize("workers", [1, 4])
def test_an_index_fitted_and_searched_by_workers(small_blocks, workers):
    index = distributed.fit(sg.SIMIndex(**PARAMS), GALLERY, workers=workers)
    here = sg.SIMIndex(**PARAMS).fit(GALLERY)
    for name, found, expected in zip(
        here.state()[0], index.state()[0].values(), here.state()[0].values(), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=name)
    distances, indices = distributed.search(index, QUERY.numpy(), 30, workers=workers)
    expected = here.search(QUERY.numpy(), 30)
    np.testing.assert_allclose(distances, expected[0], rtol=1e-5)
    np.testing.assert_array_equal(indices, expected[1])


def test_an_index_with_lists(small_blocks):
    pytest.importorskip("faiss")
    index = distributed.fit(sg.SIMIndex(**PARAMS, probes=2), GALLERY)
    exact = sg.SIMIndex(**PARAMS).fit(GALLERY)
    np.testing.assert_array_equal(index.state()[0]["neighbors"], exact.state()[0]["neighbors"])
    for probes in (None, 3, index.num_lists):
        found = distributed.search(index, QUERY, 30, num_probes=probes)
        here = index.search(QUERY, 30, probes)
        torch.testing.assert_close(found[0], here[0])
        assert torch.equal(found[1], here[1])


def kill_a_worker(stop, killed):
    """SIGKILL one worker of this process's cluster while it finds neighbors."""
    while not stop.is_set() and not killed:
        for process in psutil.Process().children(recursive=True):
            try:
                if "ray::_nearest" in " ".join(process.cmdline()):
                    process.send_signal(signal.SIGKILL)
                    killed.append(process.pid)
                    return
            except psutil.Error:
                continue
        time.sleep(0.002)


def test_a_killed_worker_costs_time_not_results(monkeypatch):
    gallery = torch.randn(3000, 256, generator=GENERATOR)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", 300 * 6 * 3000 * 4)
    expected = distributed.rerank(QUERY @ torch.ones(16, 256), gallery, **PARAMS)
    stop, killed = threading.Event(), []
    killer = threading.Thread(target=kill_a_worker, args=(stop, killed))
    killer.start()
    found = distributed.rerank(QUERY @ torch.ones(16, 256), gallery, **PARAMS)
    stop.set()
    killer.join()
    assert killed, "no worker was seen at work"
    assert torch.equal(found, expected)


def test_bad_input_is_refused_before_work():
    with pytest.raises(ValueError, match="k = 500 must be less than num_gallery = 500"):
        distributed.rerank(QUERY, GALLERY, k=500)
    with pytest.raises(ValueError, match="workers = 0 must be at least 1"):
        distributed.rerank(QUERY, GALLERY, workers=0)
    with pytest.raises(ValueError, match="call fit"):
        distributed.search(sg.SIMIndex(), QUERY)
