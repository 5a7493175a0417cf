"""Named arrays from files that hold data only: .npy, .npz and .safetensors.

Nothing here unpickles: pickled files are refused, because reading one runs the code it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from simgraph._arrays import Array

_PICKLED_SUFFIXES = (".pkl", ".pickle", ".pt", ".pth")
_NO_PICKLE = (
    "pickled files are not read, because unpickling runs whatever code the file holds; "
    "save plain arrays as .npz (numpy.savez) or .safetensors instead"
)


def reject_pickle(path: Path) -> Path:
    """The path, unless its suffix says that it is a pickle."""
    if path.suffix.lower() in _PICKLED_SUFFIXES:
        raise ValueError(f"{path}: {_NO_PICKLE}")
    return path


@contextmanager
def parse_errors(name: str) -> Iterator[None]:
    """Turn whatever a parser raises into an error that names the file."""
    try:
        yield
    except Exception as error:  # damaged bytes make the parsers raise nearly anything
        if "pickle" in str(error):  # NumPy met an object array
            raise ValueError(f"{name}: {_NO_PICKLE}") from error
        raise ValueError(
            f"{name}: damaged or not of this format ({error}); save it again"
        ) from error


@contextmanager
def prefix_errors(path: Path) -> Iterator[None]:
    """Put the file in front of an error."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def check_file(path: Path) -> None:
    """Raise unless there is a file that may be read."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not path.is_file():
        raise ValueError(f"{path}: expected a file, got a folder")
    with path.open("rb"):
        pass  # what may not be read raises PermissionError here, and is not called damaged later


def _check_magic(path: Path, magic: bytes) -> None:
    # np.load takes any file it does not know for a pickle, so its own message would mislead.
    with path.open("rb") as handle:
        start = handle.read(len(magic))
    if start[:1] == b"\x80":
        raise ValueError(f"{path}: {_NO_PICKLE}")
    if start != magic:
        raise ValueError(f"{path}: damaged or not a {path.suffix} file; save it again")


def read_npy(path: Path) -> NDArray[Any]:
    """The array of an .npy file."""
    check_file(path)
    _check_magic(path, b"\x93NUMPY")
    with path.open("rb") as handle, parse_errors(str(path)):
        return np.asarray(np.load(handle, allow_pickle=False))


def _read_npz(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """The wanted arrays that are there, and the names of all."""
    _check_magic(path, b"PK")
    arrays: dict[str, Array] = {}
    with path.open("rb") as handle:
        with parse_errors(str(path)):
            archive = np.load(handle, allow_pickle=False)
        if any(name.endswith(".pkl") for name in archive.files):  # torch.save's own archive
            raise ValueError(f"{path}: {_NO_PICKLE}")
        for key in (key for key in archive.files if key in wanted):
            with parse_errors(f"{path}: {key}"):
                arrays[key] = np.asarray(archive[key])
    return arrays, archive.files


def _read_safetensors(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """The wanted arrays that are there, and the names of all."""
    with path.open("rb") as handle:
        if handle.read(2) == b"PK":
            raise ValueError(f"{path}: {_NO_PICKLE}")
    with parse_errors(str(path)), safe_open(path, framework="pt") as archive:
        keys = list(archive.keys())
        return {key: archive.get_tensor(key) for key in keys if key in wanted}, keys


READERS = {".npz": _read_npz, ".safetensors": _read_safetensors}


def read_arrays(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """The wanted arrays of an .npz or .safetensors file, and the names of all in it."""
    check_file(path)
    return READERS[path.suffix.lower()](path, wanted)
