"""Official per-camera feature files of SYSU-MM01: PREFIX_cam1.mat ... PREFIX_cam6.mat."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from simgraph._arrays import matrix
from simgraph.features.mat_files import read_mat_files

logger = logging.getLogger(__name__)

QUERY_CAMERAS = (3, 6)
GALLERY_CAMERAS = (1, 2, 4, 5)

_SUPPORTED = ".npz, .safetensors, or the PREFIX of official files PREFIX_cam1.mat ... _cam6.mat"


class _Cell(NamedTuple):
    name: str
    features: Tensor
    pid: int
    camera: int


class _Side(NamedTuple):
    features: Tensor
    pid: Tensor
    cam: Tensor


def read_camera_files(prefix: Path) -> dict[str, Tensor]:
    """Read the features and labels of both sides, under the keys of a feature file.

    Args:
        prefix: PREFIX of `PREFIX_cam1.mat` ... `PREFIX_cam6.mat`, each with a cell array
            `feature` whose cell {id} holds the features [n, D] of that identity's n images.

    Returns:
        `query_feat`, `gallery_feat`, `query_pid` and so on; rows by camera, identity, image.

    Raises:
        FileNotFoundError: for a side without any file.
        ValueError: for files of another form, naming the file and the cell.
    """
    _check_prefix(prefix)
    arrays: dict[str, Tensor] = {}
    for side, cameras in (("query", QUERY_CAMERAS), ("gallery", GALLERY_CAMERAS)):
        found = _read_side(prefix, cameras, side)
        arrays |= {f"{side}_feat": found.features, f"{side}_pid": found.pid}
        arrays[f"{side}_cam"] = found.cam
    return arrays


def _camera_file(prefix: Path, camera: int) -> Path:
    return prefix.with_name(f"{prefix.name}_cam{camera}.mat")


def _check_prefix(prefix: Path) -> None:
    if not prefix.name:
        raise ValueError(f"{prefix}: expected a file, got a folder; supported: {_SUPPORTED}")
    files = [_camera_file(prefix, camera) for camera in range(1, 7)]
    if any(file.is_file() for file in files):
        return
    if prefix.is_dir():
        raise ValueError(f"{prefix}: expected a file, got a folder; supported: {_SUPPORTED}")
    if prefix.suffix.lower() == ".mat":
        advice = "give the prefix PREFIX of official files PREFIX_cam1.mat ... instead of one file"
        raise ValueError(f"{prefix}: {advice}")
    if prefix.exists():
        raise ValueError(f"{prefix}: not a supported form of features; supported: {_SUPPORTED}")
    looked = ", ".join(file.name for file in files)
    raise FileNotFoundError(
        f"{prefix}: no such file, and none of {looked} is there; supported: {_SUPPORTED}"
    )


def _read_side(prefix: Path, cameras: tuple[int, ...], side: str) -> _Side:
    files = {camera: _camera_file(prefix, camera) for camera in cameras}
    # What is there but no file, such as a link that leads nowhere, is an error when it is read.
    there = {camera: file for camera, file in files.items() if os.path.lexists(file)}
    if not there:
        looked = ", ".join(str(file) for file in files.values())
        raise FileNotFoundError(f"no {side} camera: none of these files is there: {looked}")
    contents = read_mat_files(list(there.values()))
    read = zip(there.items(), contents, strict=True)
    cells = [cell for (camera, file), content in read for cell in _cells(file, camera, content)]
    missing = [str(file) for camera, file in files.items() if camera not in there]
    if missing:
        logger.warning("%s features without %s: no such files", side, ", ".join(missing))
    if not cells:
        looked = ", ".join(str(file) for file in there.values())
        raise ValueError(f"no {side} features: every cell of 'feature' is empty in {looked}")
    _check_same_length(cells)
    sizes = torch.tensor([len(cell.features) for cell in cells])
    pid = torch.tensor([cell.pid for cell in cells]).repeat_interleave(sizes)
    cam = torch.tensor([cell.camera for cell in cells]).repeat_interleave(sizes)
    return _Side(torch.cat([cell.features for cell in cells]), pid, cam)


def _cells(file: Path, camera: int, content: Mapping[str, Any]) -> list[_Cell]:
    if "feature" not in content:
        raise ValueError(f"{file}: missing key 'feature'; keys that are there: {list(content)}")
    cells = np.asarray(content["feature"])
    if cells.dtype != object or cells.size != max(cells.shape, default=0):
        form = f"{cells.dtype} {list(cells.shape)}"
        raise ValueError(f"{file}: feature: expected a 1xN cell array, one per id, got {form}")
    named = [(pid, f"{file}: feature{{{pid}}}", rows) for pid, rows in enumerate(cells.flat, 1)]
    return [
        _Cell(name, matrix(rows, name), pid, camera)
        for pid, name, rows in named
        if np.asarray(rows).size
    ]


def _check_same_length(cells: list[_Cell]) -> None:
    first = cells[0]
    for cell in cells:
        if cell.features.shape[1] != first.features.shape[1]:
            raise ValueError(
                f"{cell.name}: expected features of length {first.features.shape[1]} "
                f"as in {first.name}, got {cell.features.shape[1]}"
            )
