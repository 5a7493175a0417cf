"""The benchmark: its plain ways compute the same, its tables add up, its picture appears."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import (
    Result,
    Size,
    draw_growth,
    markdown,
    measure,
    measurements,
    plain,
    write_results,
)
from benchmarks.peak import peak_above_inputs
from benchmarks.sizes import draw
from benchmarks.stages import (
    EXACT_SEARCH,
    FLOOR,
    INDEX_SEARCH,
    PLAIN_SEARCH,
    PRODUCT,
    WHOLE,
)
from benchmarks.timing import best_times

import simgraph as sg
from simgraph.distances import l2_distance, nearest_neighbors
from simgraph.sim.params import SIMParams
from simgraph.sim.sgr import two_hop_distances

TINY = Size("tiny", 30, 120, dim=16, per_identity=20)


def test_draw_has_the_size_and_a_gap_that_sim_mends():
    query, gallery = draw(Size("", 300, 600, dim=64, per_identity=30))
    assert query.shape == (300, 64) and gallery.shape == (600, 64)
    torch.testing.assert_close(torch.cat([query, gallery]).norm(dim=1), torch.ones(900))
    again = draw(Size("", 300, 600, dim=64, per_identity=30))
    assert torch.equal(again[0], query) and torch.equal(again[1], gallery)


def test_plain_sgr_is_sgr():
    query, gallery = draw(TINY)
    d_qg, nearest = l2_distance(query, gallery), nearest_neighbors(gallery, 5)
    found = plain.sgr(d_qg, *nearest, lam=0.1, num_paths=4, rows=7)
    torch.testing.assert_close(
        found, two_hop_distances(d_qg, nearest, SIMParams(lam=0.1, num_paths=4))
    )


def test_plain_k_reciprocal_is_the_peer():
    query, gallery = (x.double().numpy() for x in draw(TINY))
    found = plain.k_reciprocal(query, gallery, k1=8, k2=3)
    expected = sg.rerank(query, gallery, "k_reciprocal", k1=8, k2=3, normalize=False)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_plain_search_is_the_head_of_the_row():
    query, gallery = draw(TINY)
    values, index = plain.row_and_topk(query[3], gallery, gallery.square().sum(1), 5)
    expected = l2_distance(query, gallery)[3].sort()
    assert torch.equal(index, expected.indices[:5])
    torch.testing.assert_close(values, expected.values[:5])


def test_best_times_are_of_the_rounds_that_count():
    calls = []
    stages = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    assert set(best_times(stages, "cpu", 2)) == {"a", "b"}
    assert calls == ["a", "b"] * 3  # one round to warm up
    calls.clear()
    assert all(0 < seconds < 1 for seconds in best_times(stages, "cpu", 1).values())
    assert calls == ["a", "b"]


def test_measure_a_size(monkeypatch):
    monkeypatch.setattr(measurements, "peak_above_inputs", lambda size, way, device: 2**20)
    result = measure(TINY, "cpu", repeats=1)
    assert {FLOOR, PRODUCT, WHOLE, PLAIN_SEARCH, INDEX_SEARCH} <= set(result.seconds)
    assert "plain k-reciprocal re-ranking" in result.seconds and not result.notes
    assert all(0 < seconds < 60 for seconds in result.seconds.values())
    assert set(result.peak.values()) == {2**20}


def test_measure_a_size_by_its_index(monkeypatch):
    monkeypatch.setattr(measurements, "_INDEXED", 100)
    result = measure(TINY, "cpu", repeats=1)
    assert {"build", FLOOR, PLAIN_SEARCH, INDEX_SEARCH} <= set(result.seconds)
    assert result.values["recall of gallery neighbors"] == 1


def test_measure_a_size_by_lists(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(measurements, "_INDEXED", 100)
    monkeypatch.setattr(measurements, "_APPROXIMATE", 100)
    monkeypatch.setattr(measurements, "_PROBES", 2)
    monkeypatch.setattr(measurements, "_RECALLS", [1, 400])
    result = measure(Size("", 30, 1200, dim=16), "cpu", repeats=1)
    assert {"build", PLAIN_SEARCH, INDEX_SEARCH, EXACT_SEARCH} <= set(result.seconds)
    few, all_lists = (value for name, value in result.values.items() if "top 20" in name)
    assert 0 < few < 1 and all_lists == 1
    assert 0.5 < result.values["recall of gallery neighbors"] < 1


def test_too_large_ways_are_left_out_and_named(monkeypatch):
    monkeypatch.setattr("benchmarks.stages._DENSE_LIMIT", 1000)
    monkeypatch.setattr(measurements, "peak_above_inputs", lambda size, way, device: 0)
    result = measure(TINY, "cpu", repeats=1)
    assert "plain k-reciprocal re-ranking" not in result.seconds
    assert "whole, from distances" not in result.seconds
    assert "150 images" in result.notes[0]


@pytest.mark.skipif(sys.platform != "linux", reason="reads ru_maxrss in KiB, as Linux gives it")
def test_peak_memory_is_that_of_the_way():
    size = Size("", 500, 4000, dim=16)
    answer = 4 * size.num_queries * size.num_gallery
    assert answer < peak_above_inputs(size, WHOLE, "cpu") < 400 * 2**20


RESULT = Result(
    TINY,
    "CPU, 2 threads",
    {FLOOR: 2.0, PRODUCT: 0.5, WHOLE: 3.0, PLAIN_SEARCH: 0.01, INDEX_SEARCH: 0.02},
    {WHOLE: 3 * 2**20},
    {"recall": 0.98765},
    ["something is left out"],
)


def test_table_by_hand():
    lines = markdown(RESULT).splitlines()
    assert lines[0] == "### tiny: 30 × 120 × 16"
    assert "| whole, from features | 3 | 1.50 | 6.00 |" in lines
    assert f"| {INDEX_SEARCH} (2.00 × the plain row) | 0.02 |  |  |" in lines
    assert "| whole, from features | 3 |" in lines  # MiB
    assert "| recall | 0.9877 |" in lines and lines[-1] == "something is left out."


def test_files(tmp_path):
    write_results([RESULT, RESULT], tmp_path, "tables")
    assert (tmp_path / "tables.md").read_text() == markdown(RESULT) + "\n" + markdown(RESULT)
    read = json.loads((tmp_path / "tables.json").read_text())
    assert read[1]["seconds"][WHOLE] == 3 and read[1]["size"]["num_gallery"] == 120


def test_growth_as_a_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(measurements, "peak_above_inputs", lambda size, way, device: 2**20)
    results = measurements.measure_growth([100, 200], "cpu", repeats=1)
    draw_growth(results, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_tool_refuses_what_is_not_there(tmp_path):
    tool = Path(sg.__file__).parents[1] / "tools" / "benchmark.py"
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    arguments = ["--device", "cuda", "--output", str(tmp_path)]
    done = subprocess.run([sys.executable, tool, *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: device cuda: torch sees no CUDA card here\n"
