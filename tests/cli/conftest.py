"""A small feature file for the commands to work on."""

import numpy as np
import pytest

from simgraph.features import Features, save_features


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Six identities of five images per side, infrared far off: SIM has something to correct."""
    rng = np.random.default_rng(0)
    pid = np.repeat(np.arange(6), 5)
    center = rng.normal(size=(6, 16))
    gallery = center[pid] + 0.4 * rng.normal(size=(30, 16))
    query = center[pid] + 2.0 * rng.normal(size=(30, 16)) + rng.normal(size=16)
    file = tmp_path_factory.mktemp("small") / "small.npz"
    save_features(Features(query.astype("f4"), gallery.astype("f4"), pid, pid), file)
    return file
