"""Names of the images behind feature rows: checked, and as arrays in files that hold data only.

A file holds them as bytes: a JSON list in UTF-8, because `.safetensors` has no type for text.
An array of text (numpy's `U` or `S`) in an `.npz` file is read too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Names: TypeAlias = Sequence[str] | NDArray[Any]


def checked_names(names: Names | None, length: int, what: str) -> tuple[str, ...] | None:
    """The names as a tuple; raise unless there is one string per row.

    Args:
        names: strings, or None if unknown.
        length: number of rows.
        what: name of the argument or key in errors.

    Returns:
        The names, or None.

    Raises:
        ValueError: for another number of names, or names that are not strings.
    """
    if names is None:
        return None
    given = names.tolist() if isinstance(names, np.ndarray) else names
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ValueError(f"{what}: expected {length} strings, got {type(names).__name__}")
    if len(given) != length:
        raise ValueError(f"{what}: expected {length} strings, one per row, got {len(given)}")
    for row, name in enumerate(given):
        if not isinstance(name, str):
            raise ValueError(f"{what}: expected strings, row {row} is {type(name).__name__}")
    return tuple(map(str, given))


def take_names(names: tuple[str, ...] | None, rows: Tensor) -> tuple[str, ...] | None:
    """The names of some rows, in the order of the rows; None if unknown."""
    return None if names is None else tuple(names[row] for row in rows.tolist())


def encode_names(names: tuple[str, ...]) -> NDArray[np.uint8]:
    """The names as bytes, for files that hold arrays."""
    # ASCII escapes keep names that are not valid Unicode, as file systems allow them.
    return np.frombuffer(json.dumps(names).encode("ascii"), dtype=np.uint8)


def decode_names(array: object, what: str) -> list[str]:
    """The names in an array of a file.

    Args:
        array: bytes of a JSON list, or an array of text.
        what: key in errors.

    Returns:
        The names, not yet checked.

    Raises:
        ValueError: for an array of another type, or bytes that are not a JSON list.
    """
    values = np.asarray(array)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind == "U" and values.ndim == 1:
        return [str(name) for name in values]
    if values.dtype != np.uint8 or values.ndim != 1:
        form = f"{values.dtype} {list(values.shape)}"
        raise ValueError(
            f"{what}: expected a list of text, or the bytes of a JSON list, got {form}"
        )
    try:
        names = json.loads(values.tobytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: expected the bytes of a JSON list of names: {error}") from None
    if not isinstance(names, list):
        raise ValueError(f"{what}: expected a JSON list of names, got {type(names).__name__}")
    return names
