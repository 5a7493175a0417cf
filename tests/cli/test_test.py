"""`simgraph test` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import simgraph as sg
from tests.cli.commands import run


def test_reads_a_config_and_overrides_any_key(small, tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text("sim: {k: 4, num_paths: 3, k_query: 4, k_gallery: 4}\n")
    done = run(
        "test",
        "--config",
        file,
        "--features",
        small,
        "--output",
        tmp_path / "run",
        "--methods",
        "baseline",
        "sim",
        "--sim.alpha",
        "0.5",
        "--normalize",
        "False",
        "--sim.k_query",
        "5",
    )
    assert done.returncode == 0, done.stderr
    assert "mAP" in done.stdout
    assert "alpha=0.5" in done.stdout
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert list(results["methods"]) == ["baseline", "sim"]
    sim = results["config"]["sim"]
    assert (sim["alpha"], sim["k_query"], sim["k"]) == (0.5, 5, 4)
    assert results["config"]["normalize"] is False
    assert results["versions"]["simgraph"] == sg.__version__
    assert all(0 <= v <= 1 for row in results["methods"].values() for v in row.values())


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--config", "none.yaml"], ["none.yaml: no such config file"]),
        (["--features", "none.npz"], ["none.npz"]),
        (["--sim.alhpa", "1"], ["--sim.alhpa", "--sim.alpha"]),
        (["--sim.k", "x"], ["--sim.k"]),
        ([], ["features: expected a feature file"]),
    ],
)
def test_fails_in_one_line_without_a_traceback(arguments, parts):
    done = run("test", *arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_checks_the_output_before_it_works(small, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("test", "--features", "none.npz", "--output", tmp_path / "file")
    assert done.returncode != 0
    assert "expected a folder that can be written to" in done.stderr
    assert "none.npz" not in done.stderr


def test_files_are_written_though_nobody_reads_the_table(small, tmp_path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "simgraph", "test", "--features", str(small), "--methods",
             "baseline", "--output", str(tmp_path / "out")],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=300,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert (tmp_path / "out" / "results.json").is_file()
