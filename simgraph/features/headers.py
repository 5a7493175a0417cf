"""Shapes and sizes of the arrays in a file, read before their data."""

from __future__ import annotations

import json
import math
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from safetensors import safe_open

Shape: TypeAlias = tuple[int, ...]


def read_shapes(path: Path) -> dict[str, Shape]:
    """The shapes of the arrays of an .npz or .safetensors file, by key.

    Args:
        path: the file.

    Returns:
        Key → shape, of arrays of numbers; nothing for a file that is damaged, which the reader
        of the data reports.
    """
    try:
        return _READERS[path.suffix.lower()](path)
    except Exception:  # damaged bytes can make a parser raise any type of error
        return {}


def check_shapes(path: Path, shapes: Mapping[str, Shape]) -> None:
    """Refuse features whose shapes do not fit together, before their data is read.

    Args:
        path: for the error.
        shapes: key → shape.

    Raises:
        ValueError: for features that are not [N, D], or sides of different widths.
    """
    sides = ("query", "gallery")
    wide = {side: shapes[f"{side}_feat"] for side in sides if f"{side}_feat" in shapes}
    if not all(map(all, wide.values())):
        return  # a side without rows or columns costs nothing, and has its own error
    for side, shape in wide.items():
        if len(shape) != 2:
            raise ValueError(
                f"{path}: {side}_feat: expected 2 dimensions [rows, columns], got {shape}"
            )
    if len(wide) == len(sides) and len({shape[1] for shape in wide.values()}) > 1:
        raise ValueError(
            f"{path}: query and gallery: expected the same number of feature dimensions, "
            f"got query {wide['query']} and gallery {wide['gallery']}"
        )


def require_exact_size(handle: IO[bytes], size: int) -> None:
    """Refuse an `.npy` file or member that is longer or shorter than its header says.

    NumPy leaves in silence what follows an array, and takes the memory of a shape before it
    notices that there is less.

    Args:
        handle: at the beginning of the file.
        size: of the whole file or member, in bytes.

    Raises:
        ValueError: for another size, or what is no `.npy` file.
    """
    shape, dtype = _header(handle)
    expected = handle.tell() + math.prod(shape) * dtype.itemsize
    if size != expected and not dtype.hasobject:  # pickles are refused with advice of their own
        raise ValueError(f"its header says {expected} bytes in all, it has {size}")


def require_each_key_once(path: Path) -> None:
    """Refuse a `.safetensors` file with a key twice, of which its reader takes the last in silence.

    Args:
        path: a file that the reader accepts.

    Raises:
        ValueError: for a key that stands twice.
    """
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        json.loads(handle.read(length), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise ValueError(f"expected each key once, got {twice[0]!r} twice")
    return found


def _of_npz(path: Path) -> dict[str, Shape]:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if len(set(members)) < len(members):
            return {}
        found = ((name, _of_npy(archive.open(name))) for name in members)
        return {name.removesuffix(".npy"): shape for name, shape in found if shape is not None}


def _of_npy(handle: IO[bytes]) -> Shape | None:
    """The shape of an array of numbers; None for text and objects."""
    with handle:
        shape, dtype = _header(handle)
    return tuple(shape) if dtype.kind in "fiuc" else None


def _header(handle: IO[bytes]) -> tuple[Shape, np.dtype[Any]]:
    version = np.lib.format.read_magic(handle)
    if version not in _HEADERS:  # the third is for arrays of records only
        raise ValueError(f"expected version 1.0 or 2.0 of the format, got {version}")
    shape, _, dtype = _HEADERS[version](handle)
    return shape, dtype


def _of_safetensors(path: Path) -> dict[str, Shape]:
    with safe_open(path, framework="pt") as archive:
        return {key: tuple(archive.get_slice(key).get_shape()) for key in archive.keys()}  # noqa: SIM118


_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

_READERS: dict[str, Callable[[Path], dict[str, Shape]]] = {
    ".npz": _of_npz,
    ".safetensors": _of_safetensors,
}
