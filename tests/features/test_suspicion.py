"""Scores that are perfect for a wrong reason come with a warning that names it."""

import numpy as np
import pytest

import simgraph as sg
from simgraph.config import Config
from simgraph.features import Features, save_features
from simgraph.pipeline import run_test
from tests.features.example_features import matrix

PIDS = np.arange(12) // 2
SAME = Features(matrix(12), matrix(12), PIDS, PIDS)
CONSTANT = Features(np.ones((12, 4)), np.ones((12, 4)), PIDS, PIDS)
HALF = Features(np.concatenate([matrix(6), matrix(6, seed=5)]), matrix(12), PIDS, PIDS)
FEWER = Features(np.concatenate([matrix(12)[:5], matrix(7, seed=5)]), matrix(12), PIDS, PIDS)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (SAME, "12 of 12 query rows are also in the gallery, bit for bit"),
        (HALF, "6 of 12 query rows are also in the gallery, bit for bit"),
        (CONSTANT, "all features are the same row, so all distances are equal"),
        (FEWER, None),
    ],
)
def test_the_pipeline_names_the_cause(tmp_path, caplog, features, message):
    save_features(features, tmp_path / "f.npz")
    run_test(Config(features=str(tmp_path / "f.npz"), methods=("baseline",)))
    assert (message or "") in caplog.text
    assert bool(caplog.records) == (message is not None)


def test_equal_distances_are_warned_of(caplog):
    sg.evaluate(np.full((2, 3), 0.5), [1, 2], [1, 2, 3])
    assert "all distances are equal" in caplog.text
    caplog.clear()
    sg.evaluate(np.array([[0.5, 0.5], [0.5, 0.4]]), [1, 2], [1, 2])
    sg.evaluate(np.zeros((1, 1)), [1], [1])
    assert not caplog.records
