"""Named arrays from files that hold data only: .npy, .npz and .safetensors.

Nothing here unpickles: pickled files are refused, because reading one runs the code it holds.
"""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from simgraph._arrays import Array
from simgraph.features.headers import require_each_key_once, require_exact_size

_PICKLED_SUFFIXES = (".pkl", ".pickle", ".pt", ".pth")
_NO_PICKLE = (
    "pickled files are not read, because unpickling runs the code that the file holds; "
    "save plain arrays as .npz (numpy.savez) or .safetensors instead"
)


def reject_pickle(path: Path) -> Path:
    """Return the path; raise if its suffix is that of a pickle."""
    if path.suffix.lower() in _PICKLED_SUFFIXES:
        raise ValueError(f"{path}: {_NO_PICKLE}. {_conversion(path)}")
    return path


def _conversion(path: Path) -> str:
    """The lines that turn a pickled dictionary of arrays into a feature file."""
    if path.suffix.lower() in (".pt", ".pth"):
        module, load = "torch", f"torch.load({str(path)!r}, map_location='cpu', weights_only=True)"
    else:
        module, load = "pickle", f"pickle.load(open({str(path)!r}, 'rb'))"
    keys = ("query_feat", "gallery_feat", "query_pid", "gallery_pid", "query_cam", "gallery_cam")
    pairs = ", ".join(f"{key}=d[{key!r}]" for key in keys)
    return (
        "For a file that you trust, with the keys that d.keys() lists in d['...']:\n"
        f"    import numpy, {module}\n    d = {load}\n"
        f"    numpy.savez({str(path.with_suffix('.npz'))!r}, {pairs})"
    )


@contextmanager
def parse_errors(name: str) -> Iterator[None]:
    """Turn any error of a parser into one that names the file."""
    try:
        yield
    except Exception as error:  # damaged bytes can make a parser raise any type of error
        if "pickle" in str(error):  # NumPy found an object array
            raise ValueError(f"{name}: {_NO_PICKLE}") from error
        raise ValueError(
            f"{name}: damaged or not of this format ({error}); save it again"
        ) from error


@contextmanager
def prefix_errors(path: Path) -> Iterator[None]:
    """Prefix an error with the name of its file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def check_file(path: Path) -> None:
    """Raise unless the file exists and can be read."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_dir():
        raise ValueError(f"{path}: expected a file, got a folder")
    if not path.is_file():
        raise ValueError(f"{path}: expected a file, got a pipe or a device: save it to a file")
    with path.open("rb"):
        pass  # an unreadable file raises PermissionError here, not an error about damage later


def _check_magic(path: Path, magic: bytes) -> None:
    # np.load treats every unknown file as a pickle, so its own message would mislead.
    with path.open("rb") as handle:
        start = handle.read(len(magic))
    if start[:1] == b"\x80":
        raise ValueError(f"{path}: {_NO_PICKLE}")
    if start != magic:
        raise ValueError(f"{path}: damaged or not a {path.suffix} file; save it again")


def read_npy(path: Path) -> NDArray[Any]:
    """Read the array of an .npy file."""
    check_file(path)
    _check_magic(path, b"\x93NUMPY")
    with path.open("rb") as handle, parse_errors(str(path)):
        require_exact_size(handle, os.fstat(handle.fileno()).st_size)
        handle.seek(0)
        return np.asarray(np.load(handle, allow_pickle=False))


def _read_npz(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """Read the wanted arrays that exist, and the names of all arrays."""
    _check_magic(path, b"PK")
    arrays: dict[str, Array] = {}
    with path.open("rb") as handle:
        with parse_errors(str(path)):
            archive = np.load(handle, allow_pickle=False)
        if any(name.endswith(".pkl") for name in archive.files):  # torch.save's own archive
            raise ValueError(f"{path}: {_NO_PICKLE}")
        twice = [key for key, count in Counter(archive.files).items() if count > 1]
        if twice:
            raise ValueError(
                f"{path}: expected each key once, got {twice[0]!r} twice; save it again"
            )
        for key in (key for key in archive.files if key in wanted):
            with parse_errors(f"{path}: {key}"):
                _check_size(archive.zip, key)
                arrays[key] = np.asarray(archive[key])
    return arrays, archive.files


def _check_size(archive: zipfile.ZipFile, key: str) -> None:
    info = archive.getinfo(key if key in archive.namelist() else f"{key}.npy")
    with archive.open(info) as member:
        require_exact_size(member, info.file_size)


def _read_safetensors(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """Read the wanted arrays that exist, and the names of all arrays."""
    with path.open("rb") as handle:
        if handle.read(2) == b"PK":
            raise ValueError(f"{path}: {_NO_PICKLE}")
    with parse_errors(str(path)), safe_open(path, framework="pt") as archive:
        require_each_key_once(path)
        keys = list(archive.keys())
        return {key: archive.get_tensor(key) for key in keys if key in wanted}, keys


READERS = {".npz": _read_npz, ".safetensors": _read_safetensors}


def read_arrays(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """Read the wanted arrays of an .npz or .safetensors file, and the names of all arrays in it."""
    check_file(path)
    return READERS[path.suffix.lower()](path, wanted)
