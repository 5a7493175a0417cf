"""Damaged index files; most of them with right checksums, as a careful editor would leave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator

from simgraph.search import SIMIndex
from tests.faults.damaged_bytes import damaged_bytes, write_no_file
from tests.faults.damaged_trees import damaged_json, damaged_tree
from tests.faults.judge import Damage, Kind, same
from tests.faults.tensor_files import Header, damaged_array, damaged_header, emit, parse

PARAMS: dict[str, Any] = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 4}
NAMES = ("exact.safetensors", "lists.safetensors")
_GALLERY = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))
_QUERY = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))


def fitted(name: str, **params: Any) -> SIMIndex:
    """One of the two good indexes, or one with other parameters."""
    return SIMIndex(**{"num_probes": 6 if name == NAMES[1] else None} | PARAMS | params).fit(
        _GALLERY
    )


def prepare(folder: Path) -> None:
    """Write the good files."""
    for name in NAMES:
        fitted(name).save(folder / name)


def answers(index: SIMIndex) -> tuple[Any, ...]:
    """What the index finds, before and after images are added."""
    found = index.search(_QUERY, 5)
    return (*found, *index.add(_QUERY).search(_QUERY, 5))


@cache
def _good(path: Path) -> tuple[Any, ...]:
    return answers(SIMIndex.load(path))


def damage(good: Path, folder: Path, rng: Generator) -> Damage:
    """A damaged copy of one of the good files."""
    name = str(rng.choice(NAMES))
    path, whole = folder / name, (good / name).read_bytes()
    verify = bool(rng.random() < 0.7)
    how = str(rng.choice(list(_CHANGES), p=[0.2, 0.15, 0.4, 0.2, 0.05]))
    if how == "no file":
        what = write_no_file(path, rng)
    else:
        content, what = _CHANGES[how](whole, rng)
        path.write_bytes(content)

    def accepts(found: tuple[Any, ...]) -> bool:
        # Without checksums, values may be any, as the documentation says.
        return not verify or same(found, _good(good / name)) or _is_said(path, found)

    def read() -> tuple[Any, ...]:
        return answers(SIMIndex.load(path, verify=verify))

    return Damage(f"{what}{'' if verify else ', not verified'}", path, read, accepts)


def _is_said(path: Path, found: tuple[Any, ...]) -> bool:
    """Whether the answers are those of an index with the file's settings."""
    try:
        settings = json.loads(parse(path.read_bytes())[0]["__metadata__"]["content"])["settings"]
        own = {key: settings[key] for key in (*PARAMS, "alpha", "normalize")}
        index = fitted(path.name, **own)
        probes = None if settings["probes"] is None else 4 * settings["probes"]
        first = index.search(_QUERY, 5, num_probes=probes)
        second = index.add(_QUERY).search(_QUERY, 5, num_probes=probes)
        return same(found, (*first, *second))
    except Exception:
        return False


def signed(header: Header, data: bytes, settings: Any) -> bytes:
    """A file with right checksums of whatever header, data and settings it has."""
    layout = {name: entry for name, entry in header.items() if name != "__metadata__"}
    digests = {name: _digest(data, entry) for name, entry in layout.items()}
    content = json.dumps({"settings": settings, "layout": layout, "sha256": digests})
    check = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    metadata = header["__metadata__"] | {"content": content, "sha256": check}
    return emit({"__metadata__": metadata, **layout}, data)


def _digest(data: bytes, entry: Any) -> str:
    try:
        start, end = entry["data_offsets"]
        return hashlib.sha256(data[start:end]).hexdigest()
    except Exception:
        return ""


def _settings(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    header, data = parse(whole)
    content = json.loads(header["__metadata__"]["content"])
    changed, what = damaged_tree(content["settings"], rng)
    return signed(header, data, changed), f"signed setting {what}"


def _arrays(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    header, data = parse(whole)
    settings = json.loads(header["__metadata__"]["content"])["settings"]
    arrays = arrays_of(header, data)
    # Features and distances may hold any finite values; nobody could tell.
    name = str(rng.choice([*arrays, *(name for name in arrays if arrays[name].dtype.kind == "i")]))
    how = str(rng.choice(["drop", "swap", "array", "array", "array", "pointers", "indices"]))
    if how == "drop":
        del arrays[name]
        what = f"{name} is missing"
    elif how == "swap":
        other = str(rng.choice(list(arrays)))
        arrays[name], arrays[other] = arrays[other], arrays[name]
        what = f"{name} and {other} swapped"
    elif how == "array":
        arrays[name], change = damaged_array(arrays[name], rng, _UNNOTICED)
        what = f"{name} {change}"
    else:
        arrays, what = _INTEGERS[how](arrays, rng)
    return signed(*_laid_out(header, arrays), settings), f"signed array {what}"


def _pointers(arrays: dict[str, np.ndarray], rng: Generator) -> tuple[dict[str, Any], str]:
    names = [name for name in arrays if name.endswith("ptr")]
    name = str(rng.choice(names))
    ptr = arrays[name].copy()
    place = int(rng.integers(len(ptr)))
    ptr[place] += int(rng.choice([-(10**6), -50, -1, 1, 50, 10**6]))
    return arrays | {name: ptr}, f"{name}[{place}] is {ptr[place]}"


def _indices(arrays: dict[str, np.ndarray], rng: Generator) -> tuple[dict[str, Any], str]:
    names = [name for name, a in arrays.items() if a.dtype.kind == "i" and "ptr" not in name]
    name = str(rng.choice(names))
    index = arrays[name].copy()
    place = int(rng.integers(index.size))
    index.reshape(-1)[place] = int(rng.choice([-5, -1, len(_GALLERY), 10**8, -(2**31)]))
    return arrays | {name: index}, f"{name}[{place}] is {index.reshape(-1)[place]}"


_INTEGERS: dict[str, Callable[..., tuple[dict[str, Any], str]]] = {
    "pointers": _pointers, "indices": _indices,
}  # fmt: skip

# Finite numbers of the right shape: documented as believed, as only a fit would tell.
_UNNOTICED = ("huge values", "all equal")

_DTYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U8": "|u1"}
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}


def arrays_of(header: Header, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a good file."""
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], _DTYPES[entry["dtype"]]).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _laid_out(header: Header, arrays: dict[str, np.ndarray]) -> tuple[Header, bytes]:
    data, changed = b"", {"__metadata__": header["__metadata__"]}
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):
        start, data = len(data), data + np.ascontiguousarray(array).tobytes()
        changed[name] = {
            "dtype": _NAMES.get(array.dtype, array.dtype.str),
            "shape": list(array.shape),
            "data_offsets": [start, len(data)],
        }
    return changed, data


def _layout(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    """A header that was changed and signed again, or whose content is no tree."""
    header, data = parse(whole)
    content = json.loads(header["__metadata__"]["content"])
    if rng.random() < 0.3:
        text, what = damaged_json(json.dumps(content), rng)
        metadata = header["__metadata__"] | {
            "content": text.decode("latin1"),
            "sha256": hashlib.sha256(text.decode("latin1").encode()).hexdigest(),
        }
        return emit(header | {"__metadata__": metadata}, data), f"signed content {what}"
    layout, what = damaged_tree(content["layout"], rng)
    changed = {"__metadata__": header["__metadata__"], **layout}
    return signed(changed, data, content["settings"]), f"signed layout {what}"


_CHANGES: dict[str, Callable[[bytes, Generator], tuple[bytes, str]]] = {
    "bytes": damaged_bytes,
    "header": damaged_header,
    "arrays": _arrays,
    "content": lambda whole, rng: (_layout, _settings)[rng.integers(2)](whole, rng),
    "no file": lambda whole, rng: (whole, "untouched"),
}  # fmt: skip

KIND = Kind("index", prepare, damage)
