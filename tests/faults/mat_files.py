"""Damaged .mat files: the official file of one camera, among good ones of the others."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse
from numpy.random import Generator

from simgraph.features import load_features
from tests.faults.damaged_bytes import damaged_bytes, write_no_file
from tests.faults.judge import Damage, Kind, same
from tests.faults.tensor_files import damaged_array

CAMERAS = range(1, 7)


def cells(camera: int) -> np.ndarray:
    """The cell array of a camera: identities with up to three images."""
    rng = np.random.default_rng(camera)
    content = np.empty((1, 5), dtype=object)
    for pid in range(5):
        content[0, pid] = rng.normal(size=((pid + camera) % 4, 8))
    return content


def mat(content: dict[str, Any], compressed: bool = False) -> bytes:
    """A .mat file of MATLAB 5."""
    file = io.BytesIO()
    scipy.io.savemat(file, content, do_compression=compressed, long_field_names=True)
    return file.getvalue()


def prepare(folder: Path) -> None:
    """Write the good files."""
    for camera in CAMERAS:
        (folder / f"f_cam{camera}.mat").write_bytes(mat({"feature": cells(camera)}))


def read(prefix: Path) -> dict[str, Any]:
    """All fields of the features."""
    return vars(load_features(prefix))


@cache
def _good(prefix: Path) -> dict[str, Any]:
    return read(prefix)


def damage(good: Path, folder: Path, rng: Generator) -> Damage:
    """Good files of six cameras, one of them damaged."""
    camera = int(rng.choice(CAMERAS))
    for each in CAMERAS:
        name = f"f_cam{each}.mat"
        (folder / name).write_bytes((good / name).read_bytes())
    path = folder / f"f_cam{camera}.mat"
    how = str(rng.choice(["bytes", "compressed", "content", "cell", "no file"],
                         p=[0.3, 0.15, 0.25, 0.25, 0.05]))  # fmt: skip
    if how == "no file":
        what = write_no_file(path, rng)
    else:
        content, what = _CHANGES[how](cells(camera), rng)
        path.write_bytes(content)

    def accepts(found: dict[str, Any]) -> bool:
        # Without a camera's file the others are read, with a warning.
        if how == "no file":
            return what == "missing"
        return same(found, _good(good / "f")) or _is_said(folder, found)

    # What both sides must have in common is said of the prefix.
    return Damage(what, path, lambda: read(folder / "f"), accepts, (path.name, f"{folder / 'f'}:"))


def _is_said(folder: Path, found: dict[str, Any]) -> bool:
    """Whether these are the cells as SciPy reads them; the format itself has no checksum."""
    try:
        return _sides_are_said(folder, found)
    except Exception:
        return False


def _sides_are_said(folder: Path, found: dict[str, Any]) -> bool:
    for side, cameras in (("query", (3, 6)), ("gallery", (1, 2, 4, 5))):
        parts = [
            (camera, pid, np.asarray(rows, dtype=found[side].numpy().dtype))
            for camera in cameras
            for pid, rows in enumerate(_cells_of(folder / f"f_cam{camera}.mat"), 1)
            if rows.size
        ]
        if not all(rows.ndim == 2 and np.isfinite(rows).all() for _, _, rows in parts):
            return False
        said = np.concatenate([rows for _, _, rows in parts])
        pids = [pid for _, pid, rows in parts for _ in rows]
        if not (same(said, found[side].numpy()) and pids == found[f"{side}_pids"].tolist()):
            return False
    return True


def _cells_of(path: Path) -> list[np.ndarray]:
    content = scipy.io.loadmat(path, mat_dtype=True)["feature"]
    if content.dtype != object:
        raise ValueError("no cells")
    return list(content.flat)


def _bytes(content: np.ndarray, rng: Generator) -> tuple[bytes, str]:
    return damaged_bytes(mat({"feature": content}), rng)


def _compressed(content: np.ndarray, rng: Generator) -> tuple[bytes, str]:
    changed, what = damaged_bytes(mat({"feature": content}, compressed=True), rng)
    return changed, f"compressed, {what}"


def _cell(content: np.ndarray, rng: Generator) -> tuple[bytes, str]:
    place = int(rng.integers(content.size))
    while not content[0, place].size:
        place = (place + 1) % content.size
    if rng.random() < 0.4:
        name = str(rng.choice(list(_ODD_CELLS)))
        content[0, place] = _ODD_CELLS[name]
        return mat({"feature": content}), f"cell {place + 1} is {name}"
    while True:
        changed, what = damaged_array(content[0, place], rng)
        if changed.dtype.kind not in "MO" and changed.dtype.itemsize <= 16:
            break
    content[0, place] = changed.astype("f8") if changed.dtype == np.longdouble else changed
    return mat({"feature": content}), f"cell {place + 1} {what}"


_ODD_CELLS: dict[str, Any] = {
    "text": "hello",
    "a structure": {"x": 1.0},
    "a cell array": np.array([[np.ones((2, 8))]], dtype=object),
    "sparse": scipy.sparse.csc_matrix(np.eye(2, 8)),
    "a truth value": True,
    "a number": 1.0,
    "of another width": np.ones((2, 7)),
    "of three dimensions": np.ones((2, 8, 2)),
    "of no columns": np.ones((2, 0)),
}

_CONTENTS: dict[str, Callable[[np.ndarray], dict[str, Any]]] = {
    "of another name": lambda c: {"features": c},
    "and more": lambda c: {"feature": c, "other": 1},
    "a matrix": lambda c: {"feature": np.ones((5, 8))},
    "two rows of cells": lambda c: {"feature": np.concatenate([c, c])},
    "a column of cells": lambda c: {"feature": c.T},
    "no cells": lambda c: {"feature": np.empty((1, 0), dtype=object)},
    "empty cells": lambda c: {"feature": np.array([[np.empty((0, 0))] * 5], dtype=object)},
    "a structure": lambda c: {"feature": {"a": c}},
    "text": lambda c: {"feature": "hello"},
    "sparse": lambda c: {"feature": scipy.sparse.eye(5, 8).tocsc()},
    "cells nested 500 deep": lambda c: {"feature": _deep(400)},
    "nothing": lambda c: {},
}


def _deep(depth: int) -> np.ndarray:
    inner: Any = np.ones((1, 1))
    for _ in range(depth):
        cell = np.empty((1, 1), dtype=object)
        cell[0, 0] = inner
        inner = cell
    return inner


def _content(content: np.ndarray, rng: Generator) -> tuple[bytes, str]:
    if rng.random() < 0.15:
        return b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + rng.bytes(500), "version 7.3"
    name = str(rng.choice(list(_CONTENTS)))
    return mat(_CONTENTS[name](content)), f"feature is {name}"


_CHANGES: dict[str, Callable[[np.ndarray, Generator], tuple[bytes, str]]] = {
    "bytes": _bytes, "compressed": _compressed, "cell": _cell, "content": _content,
}  # fmt: skip

KIND = Kind("mat", prepare, damage)
