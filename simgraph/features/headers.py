"""Shapes and types of the arrays of a file, from their headers: before any memory is taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import numpy as np

_READ_HEADER: dict[tuple[int, int], Callable[[IO[bytes]], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


_KIND = {"I": "i", "U": "u"}  # BOOL and BF16 begin alike


class Header(NamedTuple):
    """What is known of an array before it is read."""

    shape: tuple[int, ...]
    dtype: str
    kind: str
    """As in NumPy: f for floating-point numbers, i and u for integers, b for truth values."""


def npy_header(handle: IO[bytes], size: int) -> Header:
    """The header of an `.npy` file or member.

    Args:
        handle: at its beginning; left at the beginning of the data.
        size: of the whole file or member, in bytes.

    Returns:
        The header.

    Raises:
        ValueError: for another file, or a size that is not what the header says.
    """
    version = np.lib.format.read_magic(handle)
    if version not in _READ_HEADER:  # the third is for arrays of records only
        raise ValueError(f"expected version 1.0 or 2.0 of the format, got {version}")
    shape, _, dtype = _READ_HEADER[version](handle)
    expected = handle.tell() + math.prod(shape) * dtype.itemsize
    # A pickle has any size; the reader refuses it with advice.
    if size != expected and not dtype.hasobject:
        raise ValueError(f"its header says {expected} bytes in all, it has {size}")
    return Header(tuple(map(int, shape)), str(dtype), dtype.kind)


def tensor_header(part: Any) -> Header:
    """The header of an array of a `.safetensors` file, from `safe_open(...).get_slice(key)`."""
    dtype = str(part.get_dtype())
    kind = "b" if dtype == "BOOL" else _KIND.get(dtype[0], "f")
    return Header(tuple(part.get_shape()), dtype, kind)


def check_matrix_header(header: Header, name: str) -> None:
    """Raise for an array that is no matrix of floating-point numbers, with at least one value.

    Text, complex numbers and pickles are left to the readers, which refuse them with advice.
    """
    if header.kind not in "fiub":
        return
    if len(header.shape) != 2:
        raise ValueError(f"{name}: expected 2 dimensions [rows, columns], got {header.shape}")
    if header.kind in "iub":
        raise ValueError(
            f"{name}: expected floating-point values, got {header.dtype}; "
            "convert them to float32 first"
        )
    if 0 in header.shape:
        raise ValueError(f"{name}: expected at least one row and column, got {header.shape}")
