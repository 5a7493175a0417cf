"""A small test set with a modality gap, and settings that fit it."""

import numpy as np
import pytest

from simgraph.config import Config, SIMConfig
from simgraph.features import Features, save_features
from simgraph.studies import StudyConfig, experiment
from simgraph.studies.inputs import StudyTrial

SMALL = SIMConfig(k=4, num_paths=3, k_query=4, k_gallery=4)


def make_features(seed=0, gallery_noise=0.4):
    """Six identities of five images per modality, with a gap that SIM can correct."""
    rng = np.random.default_rng(seed)
    pid = np.repeat(np.arange(6), 5)
    center = rng.normal(size=(6, 16))
    gallery = center[pid] + gallery_noise * rng.normal(size=(30, 16))
    query = center[pid] + 2.0 * rng.normal(size=(30, 16)) + rng.normal(size=16)
    return Features(query.astype("f4"), gallery.astype("f4"), pid, pid)


@pytest.fixture
def features():
    return make_features()


@pytest.fixture
def files(tmp_path):
    for seed, name in enumerate(("one", "two")):
        save_features(make_features(seed), tmp_path / f"{name}.npz")
    return [str(tmp_path / f"{name}.npz") for name in ("one", "two")]


@pytest.fixture
def trial(features):
    return StudyTrial("small", 1, Config(features="small.npz", sim=SMALL), features)


@pytest.fixture
def settings(tmp_path, files):
    return StudyConfig(features=tuple(files), sim=SMALL, output=str(tmp_path / "out"))


@pytest.fixture
def count(monkeypatch):
    """Method and parameters of every measurement."""
    calls = []
    measure = experiment.measure
    monkeypatch.setattr(experiment, "measure", lambda *a: (calls.append(a[2:4]), measure(*a))[1])
    return calls
