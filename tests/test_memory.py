"""Budgets: what they say, and peak memory against what is predicted and against N_q × N_g × k."""

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph import _memory
from simgraph._memory import blocks, budget
from simgraph.rerankers import METHODS
from tests.oracles.sim import CASES

PROGRAM = """
import logging, re, sys, torch
from pathlib import Path
import simgraph as sg
generator = torch.Generator().manual_seed(0)
query = torch.randn(3803, 2048, generator=generator)
gallery = torch.randn(3010, 2048, generator=generator)
way = sys.argv[1]
method = way if way in ("baseline", "sgr", "mnnr") else "sim"
sg.rerank(query[:50], gallery[:50], method)  # libraries load and compile what they do
predicted = []
class Log(logging.Handler):
    def emit(self, record):
        predicted.append(record.getMessage())
logging.getLogger("simgraph").addHandler(Log())
logging.getLogger("simgraph").setLevel(logging.INFO)
def held(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024
if way == "distances":
    d_gg, d_qg = torch.cdist(gallery, gallery), torch.cdist(query, gallery)
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
before = held("VmRSS")
if way == "graph":
    d = sg.SIM()(sg.similarity_graph(query, gallery))
elif way == "distances":
    d = sg.sim_distance(d_qg, d_gg)
else:
    d = sg.rerank(query, gallery, method, memory=sys.argv[2])
assert d.shape == (3803, 3010)
size = re.search(r"peak ([0-9.]+) (.iB)", " ".join(predicted) + "peak 0 MiB")
print(held("VmHWM") - before, int(float(size[1]) * {"MiB": 2**20, "GiB": 2**30}[size[2]]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
@pytest.mark.parametrize(
    ("way", "memory", "limit"),
    [
        ("sim", "2GiB", 300 * 2**20),
        ("sim", "230MiB", 230 * 2**20),
        ("baseline", "200MiB", 200 * 2**20),
        ("distances", "2GiB", 200 * 2**20),
        ("graph", None, 2 * 2**30),  # the complete edge index is explicit here
    ],
)
def test_peak_above_the_inputs(way, memory, limit):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way, str(memory)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peak, predicted = map(int, done.stdout.split())
    assert peak < limit
    if way != "graph":
        assert peak <= predicted <= limit


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (1000, 1000),
        (np.int64(5), 5),
        ("1000", 1000),
        ("2GiB", 2 * 2**30),
        ("1.5 gib", 3 * 2**29),
        ("500 MB", 500 * 10**6),
        ("64k", 64_000),
        ("1 B", 1),
    ],
)
def test_budgets_are_bytes_or_text(memory, expected):
    assert budget(memory) == expected


@pytest.mark.parametrize("memory", ["", "much", "-1GiB", "1XiB", "iB", None, True, 1.5, 0, "0", -3])
def test_other_budgets_are_refused(memory):
    with pytest.raises(ValueError, match="memory: expected"):
        budget(memory)


@pytest.mark.parametrize("num_rows", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("room", [1, 10, 63, 64, 127, 128, 10**6])
def test_blocks_cover_the_rows_and_keep_the_budget(num_rows, room):
    whole, row = 1000, 300
    memory = whole + _memory._LIBRARIES + room * row
    found = list(blocks("x", memory, whole, row, num_rows))
    assert [i for rows in found for i in range(rows.start, rows.stop)] == list(range(num_rows))
    longest = max(rows.stop - rows.start for rows in found)
    assert longest <= room
    assert longest == num_rows or longest < 64 or longest % 64 == 0


def test_the_peak_is_logged_before_the_work(caplog):
    with caplog.at_level(logging.INFO, logger="simgraph"):
        sg.rerank(torch.rand(5, 4), torch.rand(30, 4), memory="1GiB")
    assert "sim: predicted peak" in caplog.text and "of 1 GiB; blocks of 5 rows" in caplog.text


@pytest.mark.parametrize(
    "method", ["baseline", "sgr", "mnnr", "sim", "sgr_authors", "mnnr_authors", "sim_authors"]
)
def test_a_budget_too_small_names_both_numbers(method):
    with pytest.raises(ValueError, match=r"memory = 1 MiB cannot hold the 4\d.* MiB .*memory"):
        sg.rerank(torch.rand(5, 4), torch.rand(30, 4), method, memory="1MiB")
    with pytest.raises(ValueError, match=r"memory = 1 MiB cannot hold the 4\d.* MiB .*memory"):
        sg.rerank_distances(torch.rand(5, 30), torch.rand(30, 30), method, memory="1MiB")


def test_a_budget_too_small_for_distances():
    with pytest.raises(ValueError, match=r"memory = 10 bytes cannot hold .* sim_distance"):
        sg.sim_distance(torch.rand(5, 30), torch.rand(30, 30), memory=10)


@pytest.mark.parametrize("method", ["baseline", "sgr", "mnnr", "sim"])
def test_blocks_of_queries_are_the_whole(monkeypatch, method):
    generator = torch.Generator().manual_seed(0)
    query, gallery = (torch.randn(n, 8, generator=generator).double() for n in (40, 60))
    whole = sg.rerank(query, gallery, method)
    monkeypatch.setattr(_memory, "_USEFUL", 30_000)
    blocked = sg.rerank(query, gallery, method)
    torch.testing.assert_close(blocked, whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["ties", "clusters", "defaults", "one query"])
def test_blocks_of_distances_are_the_whole(monkeypatch, name):
    case = CASES[name]
    whole = sg.sim_distance(*case.tensors(), **case.params)
    monkeypatch.setattr(_memory, "_USEFUL", 1)
    assert torch.equal(sg.sim_distance(*case.tensors(), **case.params), whole)


OTHERS = [name for name in METHODS if "memory" in sg.rerankers.parameters(name)]


def test_all_methods_but_the_authors_take_a_budget():
    assert set(METHODS) - set(OTHERS) <= {"sgr_authors", "mnnr_authors", "sim_authors"}


@pytest.mark.parametrize("method", OTHERS)
def test_a_size_that_cannot_fit_is_refused_before_the_work(method, monkeypatch):
    monkeypatch.setattr("simgraph.kernels.distances_of_products", lambda *_: pytest.fail("began"))
    x = torch.randn(120_000, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(
        ValueError, match=rf"memory = 2 GiB cannot hold the [\d.]+ .iB that {method}"
    ):
        sg.rerank(x, x, method)


@pytest.mark.parametrize("method", ["k_reciprocal", "gnn", "diffusion", "dba", "alpha_qe", "gcr"])
def test_the_budget_is_read_from_the_call(method):
    x = np.random.default_rng(0).normal(size=(60, 8))
    with pytest.raises(ValueError, match=r"memory = 1 MiB cannot hold .* 60 queries and 60"):
        sg.rerank(x, x, method, memory="1MiB")
    assert sg.rerank(x, x, method, memory="1GiB").shape == (60, 60)
