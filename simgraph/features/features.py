"""The features of a test set: one checked value object, read from and written to plain files.

Nothing here unpickles: pickled files are refused, because reading one runs the code it holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor

from simgraph._arrays import Array, Labels, feature_pair, label_vector, matrix
from simgraph._deprecation import renamed_arguments, renamed_attribute
from simgraph._files import atomic_write
from simgraph.features.arrays import (
    READERS,
    check_file,
    prefix_errors,
    read_arrays,
    read_npy,
    reject_pickle,
)
from simgraph.features.headers import check_shapes, read_shapes
from simgraph.features.market_mat import is_market_file, read_market_file
from simgraph.features.names import (
    Names,
    checked_names,
    decode_names,
    encode_names,
    take_names,
)
from simgraph.features.sysu_mat import read_camera_files

FIELD_OF_KEY = {
    "query_feat": "query",
    "gallery_feat": "gallery",
    "query_pid": "query_pids",
    "gallery_pid": "gallery_pids",
    "query_cam": "query_cams",
    "gallery_cam": "gallery_cams",
    "query_name": "query_names",
    "gallery_name": "gallery_names",
}
REQUIRED_KEYS = ("query_feat", "gallery_feat")
SINGLE_KEYS = ("feat", "features")


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Features:
    """Features, identities and cameras of a test set, checked when built.

    Half-precision features become float32. If one side is float64, both are.
    Torch tensors and ordinary numpy arrays are shared, not copied, and never modified.

    Args:
        query: features of the queries, [Nq, D], floating and finite.
        gallery: features of the gallery, [Ng, D], floating and finite.
        query_pids: identities of the queries, [Nq] integers, or None if unknown.
        gallery_pids: identities of the gallery, [Ng] integers, or None if unknown.
        query_cams: cameras of the queries, [Nq] integers, or None if unknown.
        gallery_cams: cameras of the gallery, [Ng] integers, or None if unknown.
        query_names: names of the query images, Nq strings, or None if unknown. `extract` writes
            their paths, relative to the root of the dataset.
        gallery_names: names of the gallery images, Ng strings, or None if unknown.

    Raises:
        ValueError: for an array of the wrong shape or type, an empty one, NaN or infinity.
    """

    query: Tensor
    gallery: Tensor
    query_pids: Tensor | None
    gallery_pids: Tensor | None
    query_cams: Tensor | None
    gallery_cams: Tensor | None
    query_names: tuple[str, ...] | None
    gallery_names: tuple[str, ...] | None

    query_pid = renamed_attribute("query_pid", "query_pids")
    gallery_pid = renamed_attribute("gallery_pid", "gallery_pids")
    query_cam = renamed_attribute("query_cam", "query_cams")
    gallery_cam = renamed_attribute("gallery_cam", "gallery_cams")

    @renamed_arguments(
        query_pid="query_pids", gallery_pid="gallery_pids",
        query_cam="query_cams", gallery_cam="gallery_cams",
    )  # fmt: skip
    def __init__(
        self,
        query: Array,
        gallery: Array,
        query_pids: Labels | None = None,
        gallery_pids: Labels | None = None,
        query_cams: Labels | None = None,
        gallery_cams: Labels | None = None,
        query_names: Names | None = None,
        gallery_names: Names | None = None,
    ) -> None:
        queries, galleries = feature_pair(query, gallery, normalize=False)
        num_queries, num_gallery = len(queries), len(galleries)
        checked = {
            "query": queries,
            "gallery": galleries,
            "query_pids": _optional_labels(query_pids, num_queries, "query_pids"),
            "gallery_pids": _optional_labels(gallery_pids, num_gallery, "gallery_pids"),
            "query_cams": _optional_labels(query_cams, num_queries, "query_cams"),
            "gallery_cams": _optional_labels(gallery_cams, num_gallery, "gallery_cams"),
            "query_names": checked_names(query_names, num_queries, "query_names"),
            "gallery_names": checked_names(gallery_names, num_gallery, "gallery_names"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        known = [f.name for f in fields(self)[2:] if getattr(self, f.name) is not None]
        sizes = f"query={list(self.query.shape)}, gallery={list(self.gallery.shape)}"
        return f"Features({sizes}, {self.query.dtype}, labels={known})"

    def tensors(self) -> dict[str, Tensor | None]:
        """Return the features, identities and cameras by name, without the names of the images."""
        return {f.name: getattr(self, f.name) for f in fields(self) if "names" not in f.name}

    def select(self, query_index: Labels, gallery_index: Labels) -> Features:
        """Take the rows of one trial.

        Args:
            query_index: rows of the query side, [n] integers in [0, Nq), any order.
            gallery_index: rows of the gallery side, [m] integers in [0, Ng), any order.

        Returns:
            The features and labels of those rows, in the order of the indices.

        Raises:
            ValueError: for an index that is empty, not 1-D, not integer or out of range.
        """
        query_rows = _row_index(query_index, self.query, "query_index")
        gallery_rows = _row_index(gallery_index, self.gallery, "gallery_index")
        return Features(
            self.query[query_rows],
            self.gallery[gallery_rows],
            _take(self.query_pids, query_rows),
            _take(self.gallery_pids, gallery_rows),
            _take(self.query_cams, query_rows),
            _take(self.gallery_cams, gallery_rows),
            take_names(self.query_names, query_rows),
            take_names(self.gallery_names, gallery_rows),
        )


def load_features(path: str | os.PathLike[str]) -> Features:
    """Read the features of a test set from one file, or from official per-camera files.

    A `.npz` or `.safetensors` file holds `query_feat` [Nq, D] and `gallery_feat` [Ng, D], and
    optionally `query_pid`, `gallery_pid`, `query_cam`, `gallery_cam`, and the names of the images
    as `query_name` and `gallery_name` (see `simgraph.features.names`). One `.mat` file is read as
    the `pytorch_result.mat` of Market-style baselines: `query_f`, `gallery_f`, `query_label`,
    `gallery_label`, `query_cam`, `gallery_cam`. Any other path is the
    PREFIX of `PREFIX_cam1.mat` ... `PREFIX_cam6.mat`, each with a cell array `feature` whose
    cell {id} holds the features [n, D] of that identity's n images. Cameras 3 and 6 become the
    queries, cameras 1, 2, 4 and 5 the gallery; rows are sorted by camera, identity, image.
    SciPy reads `.mat` files: its reader runs no code, but read only files you trust, because it
    is not hardened.

    Args:
        path: the file, or the prefix of the per-camera files.

    Returns:
        The checked features.

    Raises:
        FileNotFoundError: if there is no such file, naming the files that were looked for.
        ValueError: for an unsupported form, a damaged or pickled file, a missing key, or an
            invalid array, naming the file, the key and the row.

    Source:
        Per-camera form: the evaluation code of SYSU-MM01, github.com/wuancong/SYSU-MM01.
    """
    path = reject_pickle(Path(path))
    if path.suffix.lower() in READERS:
        return _from_arrays(path, _read_single_file(path))
    if is_market_file(path):
        return _from_arrays(path, read_market_file(path))
    return _from_arrays(path, read_camera_files(path))


def save_features(features: Features, path: str | os.PathLike[str]) -> None:
    """Write features to a `.npz` or `.safetensors` file, to a temporary name first.

    Args:
        features: the features to write; labels and names that are None are not written.
        path: the file to write or to replace; the suffix chooses the form. Missing folders are
            created.

    Raises:
        ValueError: for a suffix other than `.npz` and `.safetensors`.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: features are saved as .npz or .safetensors, got {path.suffix!r}")
    values = {key: getattr(features, field) for key, field in FIELD_OF_KEY.items()}
    arrays: dict[str, Any] = {
        key: _to_numpy(value) for key, value in values.items() if value is not None
    }
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".safetensors":
            save_file(arrays, temporary)
        else:
            with temporary.open("wb") as handle:
                np.savez(handle, **arrays)


def load_array(path: str | os.PathLike[str], key: str | None = None) -> Tensor:
    """Read one feature matrix: one side of a retrieval, without labels.

    Args:
        path: a `.npy` file, or a `.npz` or `.safetensors` file that holds the key `feat` or
            `features`, or exactly one 2-D array.
        key: a key to try first, such as `query_feat` in a file with both sides.

    Returns:
        The checked features, [N, D], float32 or float64.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an unsupported form, a damaged or pickled file, several candidate
            matrices, or an invalid matrix, naming the file, the key and the row.
    """
    path = reject_pickle(Path(path))
    if path.suffix.lower() == ".npy":
        return matrix(read_npy(path), str(path))
    if path.suffix.lower() not in READERS:
        if path.is_dir():
            raise ValueError(f"{path}: expected a file, got a folder")
        supported = ".npy, .npz and .safetensors"
        raise ValueError(f"{path}: suffix {path.suffix!r} is not supported; use {supported}")
    found, array = _single_matrix(path, SINGLE_KEYS if key is None else (key, *SINGLE_KEYS))
    return matrix(array, f"{path}: {found}")


def _to_numpy(value: Tensor | tuple[str, ...]) -> NDArray[Any]:
    if isinstance(value, tuple):
        return encode_names(value)
    return np.ascontiguousarray(value.detach().cpu().numpy())


def _optional_labels(values: Labels | None, length: int, name: str) -> Tensor | None:
    return None if values is None else label_vector(values, length, name)


def _take(values: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if values is None else values[rows.to(values.device)]


def _row_index(values: Labels, rows: Tensor, name: str) -> Tensor:
    index = label_vector(values, None, name)
    outside = ((index < 0) | (index >= len(rows))).nonzero().flatten()
    if len(index) == 0:
        raise ValueError(f"{name}: expected at least one row, got none")
    if len(outside):
        place = int(outside[0])
        raise ValueError(
            f"{name}: expected rows in [0, {len(rows)}), got {int(index[place])} at place {place}"
        )
    return index.to(rows.device)


def _single_matrix(path: Path, wanted: tuple[str, ...]) -> tuple[str, Array]:
    arrays, keys = read_arrays(path, wanted)
    for key in wanted:
        if key in arrays:
            return key, arrays[key]
    shapes = read_shapes(path)
    matrices = [key for key in keys if len(shapes.get(key, ())) == 2]
    if len(matrices) != 1:
        expected = "expected key 'feat' or 'features', or exactly one 2-D array"
        raise ValueError(f"{path}: {expected}; keys that are there: {keys}")
    arrays, _ = read_arrays(path, matrices)
    return matrices[0], arrays[matrices[0]]


def _from_arrays(path: Path, arrays: Mapping[str, Array]) -> Features:
    with prefix_errors(path):
        # Checked here too, so that an error names the file's key, not the attribute.
        checked = {key: _checked(key, arrays) for key in arrays}
        named: dict[str, Any] = {FIELD_OF_KEY[key]: value for key, value in checked.items()}
        return Features(**named)


def _checked(key: str, arrays: Mapping[str, Array]) -> Array | tuple[str, ...] | None:
    if key in REQUIRED_KEYS:
        return arrays[key]
    rows = len(arrays[f"{key.rsplit('_', 1)[0]}_feat"])
    if key.endswith("_name"):
        return checked_names(decode_names(arrays[key], key), rows, key)
    return label_vector(arrays[key], rows, key)


def _read_single_file(path: Path) -> dict[str, Array]:
    check_file(path)
    check_shapes(path, read_shapes(path))
    arrays, keys = read_arrays(path, FIELD_OF_KEY)
    missing = [key for key in REQUIRED_KEYS if key not in arrays]
    if missing:
        raise ValueError(f"{path}: missing key {', '.join(missing)}; keys that are there: {keys}")
    for key in REQUIRED_KEYS:
        arrays[key] = matrix(arrays[key], f"{path}: {key}")
    return arrays
