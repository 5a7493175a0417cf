"""Throughput is counted in images, of the batch that the config describes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks import training_speed

from simgraph.config import Config, ModelConfig, TrainConfig

TOOL = Path(__file__).parents[2] / "tools" / "throughput.py"
SMALL = Config(
    model=ModelConfig(arch="resnet18", height=32, width=16),  # its weights are not asked for
    train=TrainConfig(num_ids=3, visible_per_id=2, infrared_per_id=1),
)


def test_the_batch_is_the_configs():
    pixels, labels, infrared = training_speed.random_batch(SMALL)
    assert pixels.shape == (9, 3, 32, 16) and pixels.dtype == torch.uint8
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert infrared.tolist() == [False, False, True] * 3


@pytest.mark.parametrize(("clock", "done"), [([0.0, 0.0, 1.0, 2.5], 2), ([0.0, 9.0, 10.0], 1)])
def test_work_is_repeated_for_the_time_and_at_least_once(clock, done, monkeypatch):
    ticks, calls = iter(clock), []
    monkeypatch.setattr(training_speed.time, "perf_counter", lambda: next(ticks))
    rate = training_speed._rate(lambda: calls.append(1), seconds=2.0)
    assert len(calls) == done + training_speed._WARM_UP
    assert rate == done / clock[-1]


def test_images_not_batches_are_counted(monkeypatch):
    monkeypatch.setattr(training_speed, "_rate", lambda work, seconds: (work(), 2.0)[1])
    found = training_speed.measure(SMALL)
    assert (found.training, found.extraction) == (18.0, 18.0)
    assert found.device.startswith("CPU") == (found.peak_gib is None)


def test_the_tool_prints_a_line(tmp_path):
    script = (
        "import sys, functools, runpy; from benchmarks import training_speed as t; "
        "t.measure = functools.partial(t.measure, seconds=0.1); "
        f"sys.argv = ['throughput.py', *sys.argv[1:]]; runpy.run_path({str(TOOL)!r}, "
        "run_name='__main__')"
    )
    paths = os.pathsep.join([str(TOOL.parent), os.environ.get("PYTHONPATH", "")])
    keys = ["--model.arch", "resnet18", "--model.height", "32", "--model.width", "16"]
    done = subprocess.run(
        [sys.executable, "-c", script, *keys, "--train.num_ids", "2"],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "resnet18 at 32 x 16, batch 16, 32-true" in done.stdout
    assert "images/s" in done.stdout
