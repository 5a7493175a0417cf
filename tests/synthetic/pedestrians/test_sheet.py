"""The contact sheet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simgraph.synthetic import pedestrians


def test_contact_sheet(sysu: Path, tmp_path: Path) -> None:
    file = pedestrians.contact_sheet(sysu, tmp_path / "sheet.png", identities=2)
    with Image.open(file) as image:
        pixels = np.asarray(image.convert("RGB"), int)
    assert pixels.shape[0] > 2 * 144 and pixels.shape[1] > 6 * 72 and pixels.std() > 20
    with pytest.raises(FileNotFoundError, match="cam1"):
        pedestrians.contact_sheet(tmp_path, tmp_path / "none.png")
    with pytest.raises(ValueError, match="at least 1"):
        pedestrians.contact_sheet(sysu, tmp_path / "none.png", identities=0)
