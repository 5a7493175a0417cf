"""Checkpoints: one safetensors file with the weights and everything that a run resumes from."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from simgraph._files import atomic_write
from simgraph.config import Config
from simgraph.training.backbone import Backbone

BEST, LAST = "best.safetensors", "last.safetensors"
_FORMAT = "checkpoint-1"
_READING = {("train", "workers"), ("train", "cache")}  # how images are read changes no bit


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        epoch: the epoch that is next, or under way, from 0.
        step: batches of it that were trained on.
        loss: sum of their losses.
        best: best mAP of SIM so far, −1 before the first evaluation.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    best: float = -1.0


def save_checkpoint(
    path: Path,
    model: nn.Module,
    num_classes: int,
    config: Config,
    progress: Progress,
    optimizer: Optimizer | None = None,
    schedule: LRScheduler | None = None,
    scale: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint, to a temporary name first: the last good one stays until then.

    Args:
        path: file to write.
        model: whose weights; its optimizer and schedule are left out where not given.
        num_classes: training identities.
        config: of the run.
        progress: of the run.
        optimizer: whose state, with its moments.
        schedule: of its learning rates.
        scale: state of the gradient scaler, with 16-bit training.

    Raises:
        OSError: for a full disk or a folder that may not be written to.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    state: dict[str, Any] = {
        "config": config.model_dump(mode="json"),
        "num_classes": num_classes,
        "progress": asdict(progress),
    }
    if optimizer is not None and schedule is not None:
        held = optimizer.state_dict()
        for index, values in held["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
        state |= {"param_groups": held["param_groups"], "schedule": _plain(schedule.state_dict())}
        state["scale"] = dict(scale or {})
        tensors["random.torch"] = torch.get_rng_state()
        for device in range(torch.cuda.device_count()):
            tensors[f"random.cuda.{device}"] = torch.cuda.get_rng_state(device)
        state["random"] = {"python": random.getstate(), "numpy": _numpy_state()}
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_write(path) as temporary:
        try:
            save_file(kept, temporary, {"simgraph": _FORMAT, "state": json.dumps(state)})
        except SafetensorError as error:
            raise OSError(f"{path}: could not be written ({error}); is the disk full?") from error


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint file.

    Raises:
        FileNotFoundError: when there is none.
        ValueError: for a file that is cut short, or something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint; train one with tools/train.py")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path}: damaged or not a checkpoint of tools/train.py ({error})"
        ) from None
    if metadata.get("simgraph") != _FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of tools/train.py, got other tensors")
    return tensors, json.loads(metadata["state"])


def load_model(path: Path) -> tuple[Backbone, dict[str, Any]]:
    """The trained network of a checkpoint, and the `model` settings that it was built with."""
    tensors, state = read_checkpoint(path)
    model = build_model(state["config"]["model"], state["num_classes"])
    model.load_state_dict(_below("model.", tensors))
    return model, state["config"]["model"]


def build_model(settings: Mapping[str, Any], num_classes: int) -> Backbone:
    """A network of the shape that `model` settings describe, with random weights."""
    names = ("arch", "stem", "zero_padding", "agw", "last_stride")
    return Backbone(num_classes, **{name: settings[name] for name in names})


def restore(
    path: Path, model: nn.Module, config: Config, optimizer: Optimizer, schedule: LRScheduler
) -> tuple[Progress, dict[str, Any]]:
    """Put a run back to where a checkpoint left it.

    Args:
        path: a checkpoint with optimizer state.
        model: of the same shape.
        config: of the run that resumes; must be that of the checkpoint.
        optimizer: over the model's parameters.
        schedule: over the optimizer.

    Returns:
        Where the run stands, and the state of its gradient scaler. All global random states are
        the checkpoint's.

    Raises:
        FileNotFoundError: when there is no checkpoint.
        ValueError: for a damaged one, or one of another config.
    """
    tensors, state = read_checkpoint(path)
    _require_same(state["config"], config.model_dump(mode="json"), path)
    model.load_state_dict(_below("model.", tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _below("optimizer.", tensors).items():
        index, key = name.split(".", 1)
        moments.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": moments, "param_groups": state["param_groups"]})
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(tensors["random.torch"])
    for device in range(torch.cuda.device_count()):
        if f"random.cuda.{device}" in tensors:
            torch.cuda.set_rng_state(tensors[f"random.cuda.{device}"], device)
    version, internal, gauss = state["random"]["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["random"]["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    return Progress(**state["progress"]), state["scale"]


def find_checkpoint(place: str, config: Config, trial: int) -> Path:
    """The file that `checkpoint` names: itself, or the best of a run's folder, else the last."""
    path = Path(place)
    if path.is_dir() and config.dataset.name == "regdb" and (path / f"trial_{trial}").is_dir():
        path /= f"trial_{trial}"
    if path.is_dir():
        path = path / BEST if (path / BEST).exists() else path / LAST
    return path


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _require_same(then: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """A resumed run trains as it was begun: same data, network, training and choice of the best."""
    differ = [
        f"{part}.{key} was {then[part].get(key)!r}, is {value!r}"
        for part in ("dataset", "model", "train", "sim")
        for key, value in now[part].items()
        if then[part].get(key) != value and (part, key) not in _READING
    ]
    if differ:
        raise ValueError(
            f"{path}: expected the config that the run was begun with, but {'; '.join(differ)}; "
            "resume with the same settings or train into another folder"
        )


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule's state without its functions, which the config gives back."""
    return {key: value for key, value in state.items() if key != "lr_lambdas"} | {
        "lr_lambdas": [None] * len(state.get("lr_lambdas", []))
    }


def _numpy_state() -> list[Any]:
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return [name, np.asarray(keys).tolist(), *rest]
