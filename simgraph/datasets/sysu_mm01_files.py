"""The files in `exp/` of SYSU-MM01: the identities of each split, and the official galleries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simgraph.datasets.image_lists import parse_ids

__all__ = ["read_ids", "read_permutations"]

_HOME = "github.com/wuancong/SYSU-MM01"


def read_ids(exp: str | Path, split: Literal["train", "val", "test"]) -> tuple[int, ...]:
    """Read the identities of a split from `{split}_id.txt`, else from `{split}_id.mat` (key `id`).

    Args:
        exp: the folder `exp` of the dataset.
        split: "train", "val" or "test".

    Returns:
        the identities in ascending order.

    Raises:
        FileNotFoundError: for a split with neither file.
        ValueError: for a file that holds anything but distinct whole numbers.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"split must be 'train', 'val' or 'test', got {split!r}")
    text, mat = Path(exp) / f"{split}_id.txt", Path(exp) / f"{split}_id.mat"
    if text.is_file():
        return parse_ids(text)
    if not mat.is_file():
        raise FileNotFoundError(
            f"expected {text} or {mat.name} there: it comes with the SYSU-MM01 archive, "
            f"which its authors send on request ({_HOME})"
        )
    values = np.asarray(_read_mat(mat, "id")).ravel()
    whole = values.dtype.kind in "iu" or (
        values.dtype.kind == "f" and np.isfinite(values).all() and (values % 1 == 0).all()
    )
    if not whole or not values.size or len(np.unique(values)) != values.size:
        raise ValueError(f"{mat}: key 'id' must hold distinct whole numbers, got {values[:8]}")
    return tuple(int(v) for v in np.sort(values))


def read_permutations(exp: str | Path) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Read the official order of the images of each camera and identity in each trial.

    `rand_perm_cam{camera}{identity}(trial, :)` permutes 1..n, where n is the number of images of
    that identity in that camera; the gallery of a trial takes the first ones.

    Args:
        exp: the folder `exp` of the dataset.

    Returns:
        (camera, identity) → [trials, n] of 1-based image numbers; pairs without images are left
        out, whether the file lists them as empty or not at all.

    Raises:
        FileNotFoundError: for a missing `rand_perm_cam.mat`.
        ValueError: for a file of another form.

    Source:
        `evaluation/data_split/rand_perm_cam.mat` of github.com/wuancong/SYSU-MM01.
    """
    file = Path(exp) / "rand_perm_cam.mat"
    if not file.is_file():
        raise FileNotFoundError(
            f"expected {file}: it is not in the dataset's archive. Copy rand_perm_cam.mat from "
            f"the folder evaluation/data_split of {_HOME} to {file.parent}"
        )
    cells = np.asarray(_read_mat(file, "rand_perm_cam"))
    if cells.dtype != object or cells.size != 6:
        raise ValueError(
            f"{file}: key 'rand_perm_cam' must be 6 cells, one per camera, "
            f"got {cells.dtype} of shape {cells.shape}"
        )
    orders: dict[tuple[int, int], NDArray[np.int64]] = {}
    for cam, cell in enumerate(cells.ravel(), start=1):
        for pid, order in enumerate(np.asarray(cell).ravel(), start=1):
            if np.size(order):
                orders[cam, pid] = _checked_order(order, f"{file}: camera {cam}, identity {pid}")
    trials = {len(order) for order in orders.values()}
    if len(trials) != 1:
        raise ValueError(
            f"{file}: every cell needs the same number of trials, got {sorted(trials)}"
        )
    return orders


def _checked_order(order: object, where: str) -> NDArray[np.int64]:
    """Check that each row is a permutation of 1..n."""
    values = np.asarray(order)
    if values.ndim != 2 or values.dtype.kind not in "iuf":
        raise ValueError(f"{where}: expected a matrix [trials, images], got {values!r}")
    images = np.arange(1, values.shape[1] + 1)
    if not (np.sort(values, axis=1) == images).all():
        raise ValueError(f"{where}: each row must permute 1..{len(images)}, got {values!r}")
    return values.astype(np.int64)


def _read_mat(file: Path, key: str) -> object:
    """Read one variable; scipy raises many types of errors on files that it cannot read."""
    # Imported here, as reading a config should not wait for scipy.
    from scipy.io import loadmat

    try:
        variables: Mapping[str, object] = loadmat(file, variable_names=[key])
    except Exception as error:
        raise ValueError(
            f"{file}: expected a MATLAB file of version 7 or older, got: {error}"
        ) from error
    if key not in variables:
        raise ValueError(f"{file}: expected the variable {key!r}, it is not there")
    return variables[key]
