"""The features of a test set: one checked value object, read from and written to plain files.

Nothing here unpickles: pickled files are refused, because reading one runs the code it holds.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.io import loadmat
from scipy.io.matlab import matfile_version
from torch import Tensor

from simgraph._files import replacing
from simgraph._inputs import feature_pair, matrix, to_tensor

Array: TypeAlias = Tensor | NDArray[Any]
Labels: TypeAlias = Tensor | NDArray[Any] | Sequence[int]

FIELD_OF_KEY = {
    "query_feat": "query",
    "gallery_feat": "gallery",
    "query_pid": "query_pid",
    "gallery_pid": "gallery_pid",
    "query_cam": "query_cam",
    "gallery_cam": "gallery_cam",
}
REQUIRED_KEYS = ("query_feat", "gallery_feat")
SINGLE_KEYS = ("feat", "features")
QUERY_CAMERAS = (3, 6)
GALLERY_CAMERAS = (1, 2, 4, 5)

_PICKLED_SUFFIXES = (".pkl", ".pickle", ".pt", ".pth")
_NO_PICKLE = (
    "pickled files are not read, because unpickling runs whatever code the file holds; "
    "save plain arrays as .npz (numpy.savez) or .safetensors instead"
)
_SUPPORTED = ".npz, .safetensors, or the PREFIX of official files PREFIX_cam1.mat ... _cam6.mat"


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Features:
    """Features, identities and cameras of a test set, checked when built.

    Half-precision features are widened to float32, and where one side is float64 both are.
    Torch tensors and ordinary numpy arrays are shared, not copied, and never changed.

    Args:
        query: Features of the queries, [Nq, D], floating and finite.
        gallery: Features of the gallery, [Ng, D], floating and finite.
        query_pid: Identities of the queries, [Nq] integers, or None where unknown.
        gallery_pid: Identities of the gallery, [Ng] integers, or None where unknown.
        query_cam: Cameras of the queries, [Nq] integers, or None where unknown.
        gallery_cam: Cameras of the gallery, [Ng] integers, or None where unknown.

    Raises:
        ValueError: If an array has the wrong shape or type, is empty, or holds NaN or infinity.
    """

    query: Tensor
    gallery: Tensor
    query_pid: Tensor | None
    gallery_pid: Tensor | None
    query_cam: Tensor | None
    gallery_cam: Tensor | None

    def __init__(
        self,
        query: Array,
        gallery: Array,
        query_pid: Labels | None = None,
        gallery_pid: Labels | None = None,
        query_cam: Labels | None = None,
        gallery_cam: Labels | None = None,
    ) -> None:
        queries, galleries = feature_pair(
            plain_numbers(query, "query"), plain_numbers(gallery, "gallery"), normalize=False
        )
        num_queries, num_gallery = len(queries), len(galleries)
        checked = {
            "query": queries,
            "gallery": galleries,
            "query_pid": _optional_labels(query_pid, num_queries, "query_pid"),
            "gallery_pid": _optional_labels(gallery_pid, num_gallery, "gallery_pid"),
            "query_cam": _optional_labels(query_cam, num_queries, "query_cam"),
            "gallery_cam": _optional_labels(gallery_cam, num_gallery, "gallery_cam"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        known = [f.name for f in fields(self)[2:] if getattr(self, f.name) is not None]
        sizes = f"query={list(self.query.shape)}, gallery={list(self.gallery.shape)}"
        return f"Features({sizes}, {self.query.dtype}, labels={known})"

    def select(self, query_index: Labels, gallery_index: Labels) -> Features:
        """Take the rows of one trial.

        Args:
            query_index: Rows of the query side, [n] integers in [0, Nq), any order.
            gallery_index: Rows of the gallery side, [m] integers in [0, Ng), any order.

        Returns:
            The features and labels of those rows, in the order of the indices.

        Raises:
            ValueError: If an index is empty, not 1-D, not integer or out of range.
        """
        query_rows = _row_index(query_index, self.query, "query_index")
        gallery_rows = _row_index(gallery_index, self.gallery, "gallery_index")
        return Features(
            self.query[query_rows],
            self.gallery[gallery_rows],
            _take(self.query_pid, query_rows),
            _take(self.gallery_pid, gallery_rows),
            _take(self.query_cam, query_rows),
            _take(self.gallery_cam, gallery_rows),
        )


def load_features(path: str | os.PathLike[str]) -> Features:
    """Read the features of a test set from one file, or from official per-camera files.

    A `.npz` or `.safetensors` file holds `query_feat` [Nq, D] and `gallery_feat` [Ng, D], and
    where known `query_pid`, `gallery_pid`, `query_cam`, `gallery_cam`. Any other path is the
    PREFIX of `PREFIX_cam1.mat` ... `PREFIX_cam6.mat`, each with a cell array `feature` whose
    cell {id} holds the features [n, D] of that identity's n images. Cameras 3 and 6 become the
    queries, cameras 1, 2, 4 and 5 the gallery; rows go by camera, identity, image. SciPy reads
    `.mat` files; its reader runs no code, but is not hardened: read only files you trust.

    Args:
        path: The file, or the prefix of the per-camera files.

    Returns:
        The checked features.

    Raises:
        FileNotFoundError: If no such file is there; names the files that were looked for.
        ValueError: If the form is not supported, the file is damaged or pickled, a key is
            missing, or an array is unfit; names the file, the key and the row.

    Source:
        Per-camera form: the evaluation code of SYSU-MM01, github.com/wuancong/SYSU-MM01.
    """
    path = _not_pickled(Path(path))
    if path.suffix.lower() in _READERS:
        return _load_single_file(path)
    return _load_camera_files(path)


def save_features(features: Features, path: str | os.PathLike[str]) -> None:
    """Write features to a `.npz` or `.safetensors` file, whole or not at all.

    Args:
        features: What to write; labels that are None are left out.
        path: The file to write or to replace; the suffix chooses the form. Missing folders are
            made.

    Raises:
        ValueError: If the suffix is neither `.npz` nor `.safetensors`.
    """
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise ValueError(f"{path}: features are saved as .npz or .safetensors, got {path.suffix!r}")
    values = {key: getattr(features, field) for key, field in FIELD_OF_KEY.items()}
    arrays: dict[str, Any] = {
        key: _to_numpy(value) for key, value in values.items() if value is not None
    }
    with replacing(path) as temporary:
        if path.suffix.lower() == ".safetensors":
            save_file(arrays, temporary)
        else:
            with temporary.open("wb") as handle:
                np.savez(handle, **arrays)


def load_array(path: str | os.PathLike[str]) -> Tensor:
    """Read one feature matrix: one side of a retrieval, without labels.

    Args:
        path: A `.npy` file, or a `.npz` or `.safetensors` file that holds the key `feat` or
            `features`, or else exactly one 2-D array.

    Returns:
        The checked features, [N, D], float32 or float64.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If the form is not supported, the file is damaged or pickled, no single
            matrix stands out, or it is unfit; names the file, the key and the row.
    """
    path = _not_pickled(Path(path))
    if path.suffix.lower() == ".npy":
        return _feature_matrix(_read_npy(path), str(path))
    if path.suffix.lower() not in _READERS:
        supported = ".npy, .npz and .safetensors"
        raise ValueError(f"{path}: suffix {path.suffix!r} is not supported; use {supported}")
    key, array = _single_matrix(path)
    return _feature_matrix(array, f"{path}: {key}")


def label_vector(values: Labels, length: int, name: str) -> Tensor:
    """Check identities, cameras or indices and give them as a tensor.

    Args:
        values: Integers, [length].
        length: How many there must be; -1 allows any number.
        name: What to call them in an error.

    Returns:
        The integers as int64, [length].

    Raises:
        ValueError: If they are not 1-D, not integers, or not as many as expected.
    """
    tensor = to_tensor(plain_numbers(values, name), name)
    expected = f"expected {length if length >= 0 else 'any number of'} integers in one dimension"
    if tensor.ndim != 1 or length not in (-1, len(tensor)):
        raise ValueError(f"{name}: {expected}, got shape {list(tensor.shape)}")
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise ValueError(f"{name}: {expected}, got {tensor.dtype}; convert it to int64 first")
    return tensor.long()


def plain_numbers(values: Array | Sequence[int], name: str) -> Array:
    """Give numbers in a form torch takes without a copy, where they are not so already.

    Args:
        values: A tensor, a numpy array, or a sequence of numbers.
        name: What to call them in an error.

    Returns:
        The tensor itself, or a numpy array of native byte order and at most 64 bits.

    Raises:
        ValueError: If they are not real numbers.
    """
    if isinstance(values, Tensor):
        return values
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected an array of real numbers, got dtype {array.dtype}")
    # torch knows neither foreign byte order nor floats wider than 64 bits.
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 8
    plain = np.dtype(np.float64) if wide else array.dtype.newbyteorder("=")
    return array.astype(plain, copy=False)


def _feature_matrix(values: Array, name: str) -> Tensor:
    return matrix(plain_numbers(values, name), name)


def _to_numpy(tensor: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())


def _optional_labels(values: Labels | None, length: int, name: str) -> Tensor | None:
    return None if values is None else label_vector(values, length, name)


def _take(values: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if values is None else values[rows.to(values.device)]


def _row_index(values: Labels, rows: Tensor, name: str) -> Tensor:
    index = label_vector(values, -1, name)
    outside = ((index < 0) | (index >= len(rows))).nonzero().flatten()
    if len(index) == 0:
        raise ValueError(f"{name}: expected at least one row, got none")
    if len(outside):
        place = int(outside[0])
        raise ValueError(
            f"{name}: expected rows in [0, {len(rows)}), got {int(index[place])} at place {place}"
        )
    return index.to(rows.device)


def _not_pickled(path: Path) -> Path:
    if path.suffix.lower() in _PICKLED_SUFFIXES:
        raise ValueError(f"{path}: {_NO_PICKLE}")
    return path


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # damaged bytes make the parsers raise nearly anything
        if "pickle" in str(error):  # NumPy met an object array
            raise ValueError(f"{name}: {_NO_PICKLE}") from error
        raise ValueError(
            f"{name}: damaged or not of this format ({error}); save it again"
        ) from error


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_file(path: Path) -> None:
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


def _read_npy(path: Path) -> NDArray[Any]:
    _check_file(path)
    _check_magic(path, b"\x93NUMPY")
    with path.open("rb") as handle, _reading(str(path)):
        return np.asarray(np.load(handle, allow_pickle=False))


def _read_npz(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """The wanted arrays that are there, and the names of all."""
    _check_magic(path, b"PK")
    arrays: dict[str, Array] = {}
    with path.open("rb") as handle:
        with _reading(str(path)):
            archive = np.load(handle, allow_pickle=False)
        for key in (key for key in archive.files if key in wanted):
            with _reading(f"{path}: {key}"):
                arrays[key] = np.asarray(archive[key])
    return arrays, archive.files


def _read_safetensors(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    """The wanted arrays that are there, and the names of all."""
    with _reading(str(path)), safe_open(path, framework="pt") as archive:
        keys = list(archive.keys())
        return {key: archive.get_tensor(key) for key in keys if key in wanted}, keys


_READERS = {".npz": _read_npz, ".safetensors": _read_safetensors}


def _read(path: Path, wanted: Collection[str]) -> tuple[dict[str, Array], list[str]]:
    _check_file(path)
    return _READERS[path.suffix.lower()](path, wanted)


def _load_single_file(path: Path) -> Features:
    arrays, keys = _read(path, FIELD_OF_KEY)
    missing = [key for key in REQUIRED_KEYS if key not in arrays]
    if missing:
        raise ValueError(f"{path}: missing key {', '.join(missing)}; keys that are there: {keys}")
    for key in REQUIRED_KEYS:
        arrays[key] = _feature_matrix(arrays[key], f"{path}: {key}")
    with _naming(path):
        return Features(**{FIELD_OF_KEY[key]: array for key, array in arrays.items()})


def _single_matrix(path: Path) -> tuple[str, Array]:
    arrays, keys = _read(path, SINGLE_KEYS)
    for key in SINGLE_KEYS:
        if key in arrays:
            return key, arrays[key]
    arrays, _ = _read(path, keys)
    matrices = [key for key, array in arrays.items() if array.ndim == 2]
    if len(matrices) != 1:
        expected = "expected key 'feat' or 'features', or exactly one 2-D array"
        raise ValueError(f"{path}: {expected}; keys that are there: {keys}")
    return matrices[0], arrays[matrices[0]]


class _Cell(NamedTuple):
    name: str
    features: Tensor
    pid: int
    camera: int


class _Side(NamedTuple):
    features: Tensor
    pid: Tensor
    cam: Tensor


def _load_camera_files(prefix: Path) -> Features:
    _check_prefix(prefix)
    query = _read_side(prefix, QUERY_CAMERAS, "query")
    gallery = _read_side(prefix, GALLERY_CAMERAS, "gallery")
    with _naming(prefix):
        return Features(
            query.features, gallery.features, query.pid, gallery.pid, query.cam, gallery.cam
        )


def _camera_file(prefix: Path, camera: int) -> Path:
    return prefix.with_name(f"{prefix.name}_cam{camera}.mat")


def _check_prefix(prefix: Path) -> None:
    files = [_camera_file(prefix, camera) for camera in range(1, 7)]
    if any(file.is_file() for file in files):
        return
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
    there = {camera: file for camera, file in files.items() if file.is_file()}
    if not there:
        looked = ", ".join(str(file) for file in files.values())
        raise FileNotFoundError(f"no {side} camera: none of these files is there: {looked}")
    cells = [cell for camera, file in there.items() for cell in _read_camera(file, camera)]
    if not cells:
        looked = ", ".join(str(file) for file in there.values())
        raise ValueError(f"no {side} features: every cell of 'feature' is empty in {looked}")
    _check_same_length(cells)
    sizes = torch.tensor([len(cell.features) for cell in cells])
    pid = torch.tensor([cell.pid for cell in cells]).repeat_interleave(sizes)
    cam = torch.tensor([cell.camera for cell in cells]).repeat_interleave(sizes)
    return _Side(torch.cat([cell.features for cell in cells]), pid, cam)


def _read_camera(file: Path, camera: int) -> list[_Cell]:
    content = _read_mat(file)
    if "feature" not in content:
        keys = [key for key in content if not key.startswith("__")]
        raise ValueError(f"{file}: missing key 'feature'; keys that are there: {keys}")
    cells = np.asarray(content["feature"])
    if cells.dtype != object or cells.size != max(cells.shape, default=0):
        form = f"{cells.dtype} {list(cells.shape)}"
        raise ValueError(f"{file}: feature: expected a 1xN cell array, one per id, got {form}")
    named = [(pid, f"{file}: feature{{{pid}}}", rows) for pid, rows in enumerate(cells.flat, 1)]
    return [
        _Cell(name, _feature_matrix(rows, name), pid, camera)
        for pid, name, rows in named
        if np.asarray(rows).size
    ]


def _read_mat(file: Path) -> dict[str, Any]:
    _check_file(file)
    with _reading(str(file)):
        version, _ = matfile_version(file)
    if version == 2:
        advice = "save it in MATLAB with save(..., '-v7')"
        raise ValueError(f"{file}: MATLAB v7.3 (HDF5) files are not read; {advice}")
    with _reading(str(file)):
        # mat_dtype: MATLAB stores whole-numbered doubles as bytes; they are doubles still.
        content: dict[str, Any] = loadmat(file, mat_dtype=True)
    return content


def _check_same_length(cells: list[_Cell]) -> None:
    first = cells[0]
    for cell in cells:
        if cell.features.shape[1] != first.features.shape[1]:
            raise ValueError(
                f"{cell.name}: expected features of length {first.features.shape[1]} "
                f"as in {first.name}, got {cell.features.shape[1]}"
            )
