"""What the arrays and settings of an index must be: no number of a file is used unchecked.

Checksums say that a file is as it was written. These checks say that what was written is an index:
each reads its arrays once, and raises before a search would index memory with them. What would take
longer than that is believed: that distances and reciprocal sets are those of the features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph._arrays import Floats, Ints, checked_rows, matrix
from simgraph._params import require_fraction, require_int
from simgraph.kernels.csr import group_by_key
from simgraph.sim.params import SIM_PARAMETERS, SIMParams

Arrays = Mapping[str, NDArray[Any]]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)
_ALWAYS = (
    "features", "center", "columns", "squares",
    "neighbors", "distances", "near_ptr", "near", "owner_ptr", "owner", "size",
)  # fmt: skip
_OF_LISTS = ("centers", "list_ptr", "list_members")
_SETTINGS = (*SIM_PARAMETERS, "normalize", "probes", "recall")
# Relative error of a squared length, between machines that sum in another order.
_ROUNDING = 1e-3
# Values of the blocks that floating arrays are compared in.
_BLOCK = 2**22


def check_state(arrays: Arrays, settings: Mapping[str, Any]) -> None:
    """Check arrays and settings of `SIMIndex.state`, in one pass over each array.

    Args:
        arrays: by name.
        settings: by name.

    Raises:
        ValueError: naming the array or setting that is missing, of another type or shape, or out
            of range, or that contradicts another one.
    """
    _check_names("arrays", arrays, _ALWAYS, _OF_LISTS)
    _check_names("settings", settings, _SETTINGS, ())
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{name}: expected a numpy array, got {type(array).__name__}")
    _check_rows(arrays)
    _check_settings(settings, arrays)
    _check_neighbors(arrays)
    _check_sets(arrays)
    if "centers" in arrays:
        _check_lists(arrays)


def _check_names(
    what: str, given: Mapping[str, Any], always: tuple[str, ...], together: tuple[str, ...]
) -> None:
    """All of one group of names, and all or none of the other."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{what}: expected them by name, got {type(given).__name__}")
    needed = always + (together if any(name in given for name in together) else ())
    for name in needed:
        if name not in given:
            raise ValueError(f"{what}: expected {', '.join(needed)}; '{name}' is missing")
    for name in given:
        if name not in needed:
            raise ValueError(f"{what}: expected {', '.join(needed)}; got '{name}' too")


def _check_settings(settings: Mapping[str, Any], arrays: Arrays) -> None:
    num_gallery, k = arrays["neighbors"].shape
    for name in ("expand", "normalize"):
        if not isinstance(settings[name], bool):
            raise ValueError(f"{name}: expected true or false, got {settings[name]!r}")
    if settings["probes"] is not None:
        require_int("probes", settings["probes"], 1)
    if (settings["probes"] is None) != ("centers" not in arrays):
        raise ValueError(
            f"probes: expected a number where the index has lists, and only there, "
            f"got {settings['probes']!r}"
        )
    require_fraction("recall", settings["recall"])
    SIMParams(**{name: settings[name] for name in SIM_PARAMETERS}).check(num_gallery)
    if settings["k"] != k:
        raise ValueError(f"k: expected {k}, the width of 'neighbors', got {settings['k']}")


def _check_rows(arrays: Arrays) -> None:
    """Features and what is computed of them; and the shape of `neighbors`, which others follow."""
    features = arrays["features"]
    if features.dtype not in _FLOATS:
        raise ValueError(f"features: expected float32 or float64, got {features.dtype}")
    checked_rows(matrix(features, "features"), "features", normalize=False)
    num_gallery, width = features.shape
    if num_gallery > np.iinfo(np.int32).max:
        raise ValueError(f"features: expected at most 2^31 − 1 images, got {num_gallery}")
    _check_array(arrays, "center", features.dtype, (width,))
    _check_array(arrays, "columns", features.dtype, (num_gallery, width))
    _check_array(arrays, "squares", features.dtype, (num_gallery,))
    if arrays["neighbors"].ndim != 2:
        raise ValueError(f"neighbors: expected [Ng, k], got {list(arrays['neighbors'].shape)}")
    k = arrays["neighbors"].shape[1]
    _check_array(arrays, "neighbors", _INT32, (num_gallery, k))
    _check_array(arrays, "distances", features.dtype, (num_gallery, k))
    _check_centered(features, arrays["center"], arrays["columns"], arrays["squares"])


def _check_centered(x: Floats, center: Floats, columns: Floats, squares: Floats) -> None:
    """Columns are features − center, a difference that all machines round alike."""
    if not np.isfinite(center).all():
        raise ValueError("center: expected finite values, got NaN or Inf")
    step = max(1, _BLOCK // x.shape[1])
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        part = columns[rows]
        if not np.array_equal(part, x[rows] - center):
            raise ValueError("columns: expected features − center, got other values")
        lengths = np.einsum("ij,ij->i", part, part)
        underflow = x.shape[1] * np.finfo(x.dtype).tiny
        if not np.allclose(squares[rows], lengths, rtol=_ROUNDING, atol=underflow):
            raise ValueError("squares: expected the squared lengths of columns, got others")


def _check_array(arrays: Arrays, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"{name}: expected {dtype} {list(shape)}, got {array.dtype} {list(array.shape)}"
        )


def _check_neighbors(arrays: Arrays) -> None:
    neighbors, distances = arrays["neighbors"], arrays["distances"]
    num_gallery, k = neighbors.shape
    _check_range("neighbors", neighbors, num_gallery)
    if not (np.isfinite(distances).all() and (distances >= 0).all()):
        raise ValueError("distances: expected finite values >= 0, got others")
    if (distances[:, 1:] < distances[:, :-1]).any():
        raise ValueError("distances: expected them ascending in each row")
    images = np.arange(num_gallery, dtype=np.int32)
    if (neighbors == images[:, None]).any():
        raise ValueError("neighbors: expected other images, got an image as its own neighbor")
    _check_ptr(arrays, "near_ptr", num_gallery, neighbors.size)
    _check_array(arrays, "near", _INT32, (neighbors.size,))
    # Copies, so that the loop is not compiled again for read-only arrays.
    ptr, near = group_by_key(neighbors.reshape(-1).copy(), images.repeat(k), num_gallery)
    if _repeats(ptr, near):
        raise ValueError("neighbors: expected each image once in a row, got one twice")
    for name, expected in (("near_ptr", ptr), ("near", near)):
        if not np.array_equal(arrays[name], expected):
            raise ValueError(f"{name}: expected the inverse of 'neighbors', got another")


def _check_sets(arrays: Arrays) -> None:
    num_gallery, owner = len(arrays["features"]), arrays["owner"]
    if owner.ndim != 1:
        raise ValueError(f"owner: expected one dimension, got {list(owner.shape)}")
    _check_array(arrays, "owner", _INT32, owner.shape)
    _check_range("owner", owner, num_gallery)
    _check_ptr(arrays, "owner_ptr", num_gallery, len(owner))
    images = np.arange(num_gallery, dtype=np.int32)
    member = images.repeat(np.diff(arrays["owner_ptr"]))
    ptr, members = group_by_key(owner.copy(), member, num_gallery)
    if _repeats(ptr, members):
        raise ValueError("owner: expected each image once in a set, got one twice")
    _check_array(arrays, "size", arrays["features"].dtype, (num_gallery,))
    if not np.array_equal(arrays["size"], np.diff(ptr)):
        raise ValueError("size: expected the numbers of images in the sets of 'owner', got others")


def _check_lists(arrays: Arrays) -> None:
    (num_gallery, width), centers = arrays["features"].shape, arrays["centers"]
    if centers.ndim != 2 or len(centers) == 0:
        raise ValueError(f"centers: expected [C, D], got {list(centers.shape)}")
    _check_array(arrays, "centers", arrays["features"].dtype, (len(centers), width))
    checked_rows(matrix(centers, "centers"), "centers", normalize=False)
    _check_ptr(arrays, "list_ptr", len(centers), num_gallery)
    members = arrays["list_members"]
    _check_array(arrays, "list_members", _INT32, (num_gallery,))
    _check_range("list_members", members, num_gallery)
    if not (np.bincount(members, minlength=num_gallery) == 1).all():
        raise ValueError("list_members: expected each image in one list")


def _check_range(name: str, index: Ints, count: int) -> None:
    if index.size and (int(index.min()) < 0 or int(index.max()) >= count):
        raise ValueError(
            f"{name}: expected indices in 0..{count - 1}, got {index.min()}..{index.max()}"
        )


def _check_ptr(arrays: Arrays, name: str, num_rows: int, length: int) -> None:
    """Bounds of compressed rows: from 0, never falling, to the length of their array."""
    _check_array(arrays, name, _INT64, (num_rows + 1,))
    ptr = arrays[name]
    if ptr[0] != 0 or ptr[-1] != length or (ptr[1:] < ptr[:-1]).any():
        raise ValueError(f"{name}: expected bounds that rise from 0 to {length}, got others")


def _repeats(ptr: Ints, ascending: Ints) -> bool:
    """Whether a value stands twice in a compressed row, each row ascending."""
    equal = ascending[1:] == ascending[:-1]
    first = np.zeros(len(ascending) + 1, np.bool_)
    first[ptr] = True
    return bool((equal & ~first[1:-1]).any())
