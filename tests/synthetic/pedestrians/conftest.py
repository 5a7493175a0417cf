"""A small drawn set in each layout."""

from pathlib import Path

import pytest

from simgraph.synthetic import pedestrians
from tests.synthetic.pedestrians.small_sets import SMALL


@pytest.fixture(scope="session")
def sysu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sysu") / "set"
    return pedestrians.draw_sysu_mm01(root, workers=1, **SMALL)


@pytest.fixture(scope="session")
def reg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("regdb") / "set"
    return pedestrians.draw_regdb(root, ids=6, images=2, size=(64, 32), workers=1)
