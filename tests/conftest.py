"""Fixtures every test file may use: the real data, where it is there."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data; tests that ask for it skip where it is absent."""
    wanted = ("features", "omniglot", "regdb/idx", "sysu_mm01/exp")
    missing = [name for name in wanted if not (SHARED / name).is_dir()]
    if missing:
        pytest.skip(f"real data not there: {', '.join(missing)} below {SHARED}")
    return SHARED
