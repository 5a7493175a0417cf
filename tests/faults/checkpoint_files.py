"""Damaged checkpoints: of a network so small that hundreds are read in a second."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator

from simgraph.config import Config, parse_config
from simgraph.training.checkpoint import Progress, restore, save_checkpoint
from simgraph.training.optimization import adam, step_schedule
from tests.faults.damaged_bytes import damaged_bytes, write_no_file
from tests.faults.damaged_trees import damaged_json, damaged_tree
from tests.faults.judge import Damage, Kind, same
from tests.faults.tensor_files import (
    DTYPES,
    Header,
    damaged_array,
    damaged_header,
    emit,
    once,
    parse,
    read_strictly,
)

NAME = "last.safetensors"


def config() -> Config:
    """Of the run that the checkpoint belongs to."""
    return parse_config(
        {
            "dataset": {"name": "folder", "root": "data"},
            "model": {"arch": "resnet18", "weights": "random"},
            "train": {"epochs": 4, "milestones": [2]},
        }
    )


def parts(width: int = 2) -> tuple[torch.nn.Module, Any, Any]:
    """A network of one layer, its optimizer and its schedule."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, width)
    optimizer = adam(model.parameters())
    return model, optimizer, step_schedule(optimizer, (2,), 0)


def trained(width: int = 2, steps: int = 1) -> tuple[torch.nn.Module, Any, Any]:
    """The same after some steps, with made-up gradients: autograd's threads survive no fork."""
    model, optimizer, schedule = parts(width)
    for step in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 0.1 + step)
        optimizer.step()
    return model, optimizer, schedule


def prepare(folder: Path) -> None:
    """Write the good file."""
    model, optimizer, schedule = trained()
    progress = Progress(schedule.last_epoch, 2, 0.5, 0.25)
    save_checkpoint(folder / NAME, model, 4, config(), progress, optimizer, schedule)


def read(path: Path) -> Any:
    """Everything that a run resumes from, and its next step."""
    model, optimizer, schedule = parts()
    progress, scale = restore(path, model, config(), optimizer, schedule)
    answer = {
        "progress": vars(progress),
        "scale": scale,
        "model": model.state_dict(),
        "moments": optimizer.state_dict()["state"],
        "param_groups": optimizer.state_dict()["param_groups"],
        "schedule": schedule.state_dict(),
        "draw": torch.rand(1),
    }
    answer = copy.deepcopy(answer)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    schedule.step()
    return answer


@cache
def _good(path: Path) -> Any:
    return read(path)


def damage(good: Path, folder: Path, rng: Generator) -> Damage:
    """A damaged copy of the good file."""
    path, whole = folder / NAME, (good / NAME).read_bytes()
    how = str(rng.choice(list(_CHANGES), p=[0.25, 0.25, 0.3, 0.15, 0.05]))
    if how == "no file":
        what = write_no_file(path, rng)
    else:
        content, what = _CHANGES[how](whole, rng)
        path.write_bytes(content)

    def accepts(found: Any) -> bool:
        return same(found, _good(good / NAME)) or ("signed" in what and _is_said(path, found))

    return Damage(what, path, lambda: read(path), accepts)


def _is_said(path: Path, found: Any) -> bool:
    """Whether an answer is what a file with a right digest says."""
    try:
        tensors, metadata = read_strictly(path.read_bytes())
        state = json.loads(metadata["state"], object_pairs_hook=once)
    except Exception:
        return False
    said = [vars(Progress()) | state["progress"], state["scale"], state["param_groups"]]
    own = [found[key] for key in ("progress", "scale", "param_groups")]
    model = {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}
    finite = all(bool(torch.isfinite(value).all()) for value in model.values())
    return finite and _as_json(own) == _as_json(said) and same(dict(found["model"]), model)


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def signed(header: Header, data: bytes) -> bytes:
    """A file with the right digest of whatever state and tensors it has."""
    metadata = header["__metadata__"]
    if "digest" not in metadata:  # of an earlier format
        return emit(header, data)
    digest = hashlib.sha256(metadata["state"].encode("utf-8", "surrogatepass"))
    for name, entry in sorted(header.items()):
        if name != "__metadata__":
            kind = DTYPES[entry["dtype"]]
            digest.update(f"\0{name}\0{kind}{list(entry['shape'])}\0".encode())
            digest.update(data[slice(*entry["data_offsets"])])
    metadata["digest"] = digest.hexdigest()
    return emit(header, data)


def _state(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    header, data = parse(whole)
    metadata = header["__metadata__"]
    if rng.random() < 0.2:
        text, what = damaged_json(metadata["state"], rng)
        metadata["state"] = text.decode("latin1")
    else:
        state, what = damaged_tree(json.loads(metadata["state"]), rng)
        metadata["state"] = json.dumps(state)
    return _maybe_signed(header, data, f"state {what}", rng)


def _tensor(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    header, data = parse(whole)
    name = str(rng.choice([name for name in header if name.startswith(("model.", "optimizer."))]))
    start, end = header[name]["data_offsets"]
    array = np.frombuffer(data[start:end], np.float32).reshape(header[name]["shape"])
    changed, what = damaged_array(array, rng)
    if changed.nbytes != end - start or changed.dtype != np.float32:
        return damaged_header(whole, rng)
    changed_data = data[:start] + changed.tobytes() + data[end:]
    return _maybe_signed(header, changed_data, f"{name} {what}", rng)


def _maybe_signed(header: Header, data: bytes, what: str, rng: Generator) -> tuple[bytes, str]:
    if rng.random() < 0.8:
        return signed(header, data), f"signed {what}"
    return emit(header, data), what


_CHANGES: dict[str, Callable[[bytes, Generator], tuple[bytes, str]]] = {
    "bytes": damaged_bytes,
    "header": damaged_header,
    "state": _state,
    "tensor": _tensor,
    "no file": lambda whole, rng: (whole, "untouched"),
}

KIND = Kind("checkpoint", prepare, damage)
