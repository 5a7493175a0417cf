"""What a feature file says, read slowly and strictly: None where it must be refused."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.faults.tensor_files import read_strictly

KEYS = ("query_feat", "gallery_feat", "query_pid", "gallery_pid", "query_cam", "gallery_cam")


def said_by(path: Path) -> dict[str, torch.Tensor] | None:
    """The features and labels of a .npz or .safetensors file, by key."""
    try:
        read = _npz if path.suffix == ".npz" else lambda p: read_strictly(p.read_bytes())[0]
        return _features({key: value for key, value in read(path).items() if key in KEYS})
    except Exception:
        return None


def _npz(path: Path, keys: tuple[str, ...] = KEYS) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len({name.removesuffix(".npy") for name in names}) < len(names):
            raise ValueError("a key twice")
        wanted = [name for name in names if name.removesuffix(".npy") in keys]
        return {name.removesuffix(".npy"): _member(archive, name) for name in wanted}


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read(1):
            raise ValueError("bytes after the array")
    return array


def matrix(value: Any) -> torch.Tensor:
    """The matrix that a value is; raise for others."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind != "f":
            raise ValueError("no floats")
        wide = value.dtype.itemsize > 8
        native = value.astype(np.float64 if wide else value.dtype.newbyteorder("="))
        value = torch.from_numpy(np.ascontiguousarray(native))
    if value.dim() != 2 or not value.numel() or not value.is_floating_point():
        raise ValueError("no matrix")
    if value.dtype in (torch.float16, torch.bfloat16):
        value = value.float()
    if not torch.isfinite(value).all():
        raise ValueError("not finite")
    return value


def _labels(value: Any, length: int) -> torch.Tensor:
    array = value if isinstance(value, np.ndarray) else value.numpy()
    if array.dtype.kind not in "iu" or array.shape != (length,):
        raise ValueError("no labels")
    if any(int(label) >= 2**63 for label in array.tolist()):
        raise ValueError("beyond int64")
    return torch.from_numpy(array.astype(np.int64))


def _features(arrays: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    query, gallery = matrix(arrays["query_feat"]), matrix(arrays["gallery_feat"])
    if query.shape[1] != gallery.shape[1]:
        raise ValueError("widths")
    dtype = torch.promote_types(query.dtype, gallery.dtype)
    said = {"query_feat": query.to(dtype), "gallery_feat": gallery.to(dtype)}
    for key in KEYS[2:]:
        if key in arrays:
            side = said["query_feat" if key.startswith("query") else "gallery_feat"]
            said[key] = _labels(arrays[key], len(side))
    return said


def matrices(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The two sides of a file, whatever its labels are; raise where it must be refused."""
    npz = path.suffix == ".npz"
    read = _npz(path, KEYS[:2]) if npz else read_strictly(path.read_bytes())[0]
    # Where one side is missing, the one matrix that there is serves both, as documented.
    sides = [read.get(key, read.get(other)) for key, other in (KEYS[:2], KEYS[1::-1])]
    said = _features(dict(zip(KEYS[:2], sides, strict=True)))
    return said["query_feat"], said["gallery_feat"]
