"""The index file: an indexed gallery as one safetensors file, mapped into memory, not pickled.

The file is written under another name and renamed: a reader keeps the file that it has mapped.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from simgraph._files import atomic_write
from simgraph.features.arrays import check_file, prefix_errors

_FORMAT = "index-2"
_DTYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_ALIGNED = 64
# No array of an index has more.
_DIMENSIONS = 2

Arrays = Mapping[str, NDArray[Any]]


def write_index(path: str | Path, arrays: Arrays, settings: Mapping[str, Any]) -> None:
    """Write arrays and settings, under a temporary name first.

    Args:
        path: file to write.
        arrays: of float32, float64, int32, int64 or uint8.
        settings: numbers and strings.
    """
    header: dict[str, Any] = {}
    end = 0
    # The widest first, as safetensors does: each array then begins at a multiple of its width.
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end],
        }  # fmt: skip
    digests = {name: _digest(arrays[name]) for name in header}
    content = json.dumps({"settings": dict(settings), "layout": header, "sha256": digests})
    check = hashlib.sha256(content.encode()).hexdigest()
    metadata = {"simgraph": _FORMAT, "content": content, "sha256": check}
    text = json.dumps({"__metadata__": metadata, **header}).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNED)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in header:
            file.write(_bytes(arrays[name]))


def read_index(path: str | Path, verify: bool) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Map the arrays of a file written by `write_index` into memory, read-only.

    Args:
        path: the file.
        verify: whether to read every array and compare its checksum.

    Returns:
        arrays and settings.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for another kind of file, another version, or a truncated or damaged file.
    """
    file = Path(path)
    check_file(file)
    # One handle for everything: a writer may replace the file of this name at any time.
    with file.open("rb") as handle, prefix_errors(file):
        content, start = _read_header(handle)
        size = os.fstat(handle.fileno()).st_size
        layout = content["layout"]
        expected = start + _checked_layout(layout)
        if size != expected:
            raise ValueError(f"expected {expected} bytes, got {size}; save the index again")
        whole = np.asarray(np.memmap(handle, mode="r"))
    arrays = {}
    for name, entry in layout.items():
        first, last = entry["data_offsets"]
        flat = whole[start + first : start + last].view(_DTYPES[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"])
        if verify and _digest(arrays[name]) != content["sha256"].get(name):
            raise ValueError(f"{file}: '{name}' is damaged; save the index again")
    return arrays, content["settings"]


def _read_header(handle: BinaryIO) -> tuple[dict[str, Any], int]:
    """The checked content of the header, and the offset of the arrays."""
    problem = "expected a file of SIMIndex.save, got a damaged or another one"
    length = int.from_bytes(handle.read(8), "little")
    if length > os.fstat(handle.fileno()).st_size - 8:
        raise ValueError(problem)
    text = handle.read(length)
    try:
        layout = json.loads(text)
        metadata = layout.pop("__metadata__")
        version, content, check = (metadata[key] for key in ("simgraph", "content", "sha256"))
        digest = hashlib.sha256(content.encode()).hexdigest()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(problem) from None
    if version != _FORMAT:
        raise ValueError(
            f"expected format {_FORMAT!r}, got {version!r}; fit the index again and save it"
        )
    if digest != check:
        raise ValueError(problem)
    found = _read_content(content)
    if found["layout"] != layout:
        raise ValueError(f"{problem}: 'layout' is not that of the file")
    return found, 8 + length


def _read_content(content: str) -> dict[str, Any]:
    """Settings, layout and checksums of a header, each of which is an object of JSON."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("header: expected JSON, got another text") from None
    for key in ("settings", "layout", "sha256"):
        value = found.get(key) if isinstance(found, dict) else None
        if not isinstance(value, dict):
            raise ValueError(f"header: expected '{key}' with fields by name, got {value!r:.80}")
    checked: dict[str, Any] = found
    return checked


def _checked_layout(layout: dict[str, Any]) -> int:
    """The end of the last array, where each array begins at the end of another one."""
    for name, entry in layout.items():
        if not _is_entry(entry):
            raise ValueError(
                f"'{name}': expected dtype ({', '.join(_DTYPES)}), shape, and data_offsets of as "
                f"many bytes, got {entry!r:.200}"
            )
    end = 0
    for first, last in sorted(entry["data_offsets"] for entry in layout.values()):
        if first != end:
            raise ValueError(f"data_offsets: expected an array at {end}, the next is at {first}")
        end = last
    return end


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        return False
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES or not _are_counts(shape):
        return False
    if not _are_counts(offsets) or len(offsets) != 2 or len(shape) > _DIMENSIONS:
        return False
    width = np.dtype(_DTYPES[dtype]).itemsize
    return bool(offsets[0] % width == 0 and offsets[1] - offsets[0] == width * math.prod(shape))


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**62 for v in values)


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(_bytes(array)).hexdigest()
