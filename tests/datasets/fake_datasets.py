"""Small made-up dataset folders."""

from pathlib import Path

import numpy as np
from scipy.io import savemat


def touch(root: Path, *names: str) -> None:
    """Make empty files, and the folders they lie in."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(file: Path, text: str) -> None:
    """Write a text file, and the folder it lies in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def write_permutations(exp: Path, counts: dict[tuple[int, int], int], trials: int = 10) -> None:
    """Write `rand_perm_cam.mat` for (camera, identity) → images; cameras list different lengths."""
    rng = np.random.default_rng(5)
    cells = np.empty((6, 1), dtype=object)
    for cam in range(1, 7):
        last = max((pid for c, pid in counts if c == cam), default=1)
        cells[cam - 1, 0] = cell = np.empty((last, 1), dtype=object)
        for pid in range(1, last + 1):
            images = np.arange(1, counts.get((cam, pid), 0) + 1, dtype=np.uint8)
            cell[pid - 1, 0] = rng.permuted(np.tile(images, (trials, 1)), axis=1)
    exp.mkdir(parents=True, exist_ok=True)
    savemat(exp / "rand_perm_cam.mat", {"rand_perm_cam": cells})
