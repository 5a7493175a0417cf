"""Safetensors files by their parts: read strictly, written freely, damaged by structure."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import torch
from numpy.random import Generator

from tests.faults.damaged_trees import damaged_json, damaged_tree

Header = dict[str, Any]

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64,
    "BOOL": torch.bool,
}  # fmt: skip


def parse(content: bytes) -> tuple[Header, bytes]:
    """The header and the data of a good file."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def emit(header: Header | bytes, data: bytes) -> bytes:
    """A file of a header, as values or as text, and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return len(text).to_bytes(8, "little") + text + data


def read_strictly(content: bytes) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata by the letter of the format; ValueError for anything else."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 + length:
        raise ValueError("cut short")
    header = json.loads(content[8 : 8 + length], object_pairs_hook=once)
    metadata, data = header.pop("__metadata__", {}), content[8 + length :]
    ends, tensors = [0], {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = entry["data_offsets"]
        dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
        if start != ends[-1] or end - start != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name}: wrong offsets")
        ends.append(end)
        raw = torch.from_numpy(np.frombuffer(data[start:end], np.uint8).copy())
        tensors[name] = (raw.view(dtype) if end > start else torch.empty(0, dtype=dtype)).reshape(
            shape
        )
    if ends[-1] != len(data):
        raise ValueError("more data than tensors")
    return tensors, metadata


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of JSON pairs; ValueError for a key that stands twice."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def damaged_header(content: bytes, rng: Generator) -> tuple[bytes, str]:
    """The file with another header, and what was done to it."""
    header, data = parse(content)
    name = str(rng.choice(["tree"] * 4 + ["text", "length", "twice", "swapped", "overlapping"]))
    return _CHANGES[name](header, data, rng)


def _tree(header: Header, data: bytes, rng: Generator) -> tuple[bytes, str]:
    changed, what = damaged_tree(header, rng)
    return emit(changed, data), what


def _text(header: Header, data: bytes, rng: Generator) -> tuple[bytes, str]:
    text, what = damaged_json(json.dumps(header), rng)
    return emit(text, data), f"header {what}"


def _length(header: Header, data: bytes, rng: Generator) -> tuple[bytes, str]:
    whole = emit(header, data)
    right = int.from_bytes(whole[:8], "little")
    length = int(rng.choice([0, 1, right - 1, right + 1, right // 2, 2**31, 2**40, 2**62]))
    return length.to_bytes(8, "little") + whole[8:], f"header of {length} bytes, is {right}"


def _twice(header: Header, data: bytes, rng: Generator) -> tuple[bytes, str]:
    name = str(rng.choice([key for key in header if key != "__metadata__"]))
    text = json.dumps(header).encode()
    first = json.dumps({name: header[name] | {"dtype": "I32"}}).encode()
    return emit(first[:-1] + b"," + text[1:], data), f"{name} stands twice"


def _two(header: Header, rng: Generator) -> tuple[str, str]:
    names = [key for key in header if key != "__metadata__"]
    one, other = rng.choice(names, 2, replace=len(names) < 2)
    return str(one), str(other)


def _swapped(header: Header, data: bytes, rng: Generator) -> tuple[bytes, str]:
    one, other = _two(header, rng)
    header[one], header[other] = header[other], header[one]
    return emit(header, data), f"{one} and {other} swapped"


def _overlapping(header: Header, data: bytes, rng: Generator) -> tuple[bytes, str]:
    one, other = _two(header, rng)
    header[one]["data_offsets"] = header[other]["data_offsets"]
    return emit(header, data), f"{one} at the place of {other}"


_CHANGES = {
    "tree": _tree, "text": _text, "length": _length, "twice": _twice, "swapped": _swapped,
    "overlapping": _overlapping,
}  # fmt: skip


def damaged_array(
    array: np.ndarray, rng: Generator, without: tuple[str, ...] = ()
) -> tuple[np.ndarray, str]:
    """An array that differs from a good one as bad data differs; `without` some of the ways."""
    name = str(rng.choice([name for name in _ARRAYS if name not in without]))
    # A scalar has no rows to leave out.
    return _ARRAYS[name](np.atleast_1d(array.copy()), rng), name


def _with_values(array: np.ndarray, rng: Generator, *values: float) -> np.ndarray:
    flat = array.reshape(-1)
    info = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
    for place in rng.integers(0, max(1, flat.size), 3):
        value = values[rng.integers(len(values))]
        if flat.size:
            flat[place] = value if info is None else np.clip(value, info.min, info.max)
    return array


def _numbers(array: np.ndarray, rng: Generator) -> np.ndarray:
    """What floats that are no numbers, and integers far out, do."""
    if array.dtype.kind == "f":
        return _with_values(array, rng, np.nan, np.inf, -np.inf)
    return _with_values(array, rng, -5, 10**8, 2**31 - 1)


def _long(array: np.ndarray) -> np.ndarray:
    """Wider floats, with zeros in the bytes that they leave unused."""
    wide = np.zeros(array.shape, np.longdouble)
    wide[...] = array
    return wide


_ARRAYS = {
    "wild values": _numbers,
    "minus one": lambda a, rng: _with_values(a, rng, -1),
    "float32": lambda a, rng: a.astype(np.float32),
    "float64": lambda a, rng: a.astype(np.float64),
    "float16": lambda a, rng: a.astype(np.float16),
    "int32": lambda a, rng: np.nan_to_num(a).astype(np.int32),
    "int64": lambda a, rng: np.nan_to_num(a).astype(np.int64),
    "uint8": lambda a, rng: np.nan_to_num(a).astype(np.int64).astype(np.uint8),
    "uint64 above 2^63": lambda a, rng: np.full(a.shape, 2**63 + 5, np.uint64),
    "booleans": lambda a, rng: a > 0,
    "complex": lambda a, rng: a + 1j,
    "text": lambda a, rng: a.astype("U8"),
    "dates": lambda a, rng: np.zeros(a.shape, "datetime64[D]"),
    "records": lambda a, rng: np.zeros(a.shape, [("x", "f4"), ("y", "i4")]),
    "long doubles": lambda a, rng: _long(a),
    "big-endian": lambda a, rng: a.astype(a.dtype.newbyteorder(">")),
    "Fortran order": lambda a, rng: np.asfortranarray(a),
    "a row less": lambda a, rng: a[:-1],
    "a row more": lambda a, rng: np.concatenate([a, a[:1]]),
    "no rows": lambda a, rng: a[:0],
    "flat": lambda a, rng: a.reshape(-1),
    "transposed": lambda a, rng: np.ascontiguousarray(a.T),
    "a dimension more": lambda a, rng: a[None],
    "a dimension more behind": lambda a, rng: a[..., None],
    "a column less": lambda a, rng: np.ascontiguousarray(a[..., :-1]),
    "a scalar": lambda a, rng: a.reshape(-1)[:1].reshape(()),
    "huge values": lambda a, rng: (a * 1e30).astype(a.dtype) if a.dtype.kind == "f" else a,
    "all equal": lambda a, rng: np.ones_like(a),
}  # fmt: skip
