"""Checkpoints: one safetensors file with the weights and the state that a run resumes from."""

from __future__ import annotations

import hashlib
import json
import logging
import math
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

from simgraph._config_keys import RENAMED_KEYS
from simgraph._files import atomic_write
from simgraph.config import Config, ImagesConfig, parse_config
from simgraph.datasets import find_dataset
from simgraph.training.backbone import Backbone
from simgraph.training.run_state import check_run_state, require_part

logger = logging.getLogger(__name__)

BEST, LAST = "best.safetensors", "last.safetensors"
_FORMAT = "checkpoint-2"
_WITHOUT_DIGEST = "checkpoint-1"
_PARTS = {
    "config": dict,
    "num_classes": int,
    "progress": dict,
    "param_groups": list,
    "schedule": dict,
    "scale": dict,
    "random": dict,
}
_TO_RESUME = ("param_groups", "schedule", "scale", "random")
# How images are read: a resumed run may change it, as its results stay the same bit for bit.
_READING = {("train", "workers"), ("train", "cache"), ("train", "pin_memory"), ("sim", "origin")}


@dataclass
class Progress:
    """The position of a run.

    Attributes:
        epoch: the current or next epoch, from 0.
        step: batches of this epoch that were trained on.
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
    """Write a checkpoint to a temporary name, then rename it: the last good one stays until then.

    Args:
        path: file to write.
        model: its weights are saved.
        num_classes: number of training identities.
        config: of the run.
        progress: of the run.
        optimizer: its state is saved with its moments; None saves a network without one.
        schedule: of the learning rate.
        scale: state of the gradient scaler of 16-bit training.

    Raises:
        OSError: for a full disk, or a folder without write permission.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    state: dict[str, Any] = {
        "config": config.model_dump(mode="json"),
        "num_classes": num_classes,
        "progress": asdict(progress),
    }
    if optimizer is not None and schedule is not None:
        moments = optimizer.state_dict()
        for index, values in moments["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
        state |= {"param_groups": moments["param_groups"]}
        state |= {"schedule": _plain(schedule.state_dict())}
        state["scale"] = dict(scale or {})
        tensors["random.torch"] = torch.get_rng_state()
        for device in range(torch.cuda.device_count()):
            tensors[f"random.cuda.{device}"] = torch.cuda.get_rng_state(device)
        state["random"] = {"python": random.getstate(), "numpy": _numpy_state()}
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_write(path) as temporary:
        try:
            text = json.dumps(state)
            header = {"simgraph": _FORMAT, "state": text, "digest": _digest(text, kept)}
            save_file(kept, temporary, header)
        except SafetensorError as error:
            raise OSError(f"{path}: could not be written ({error}); is the disk full?") from error


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the state of a checkpoint file.

    Args:
        path: the file.

    Returns:
        name → tensor, and the state; its `config` has the new names of renamed keys.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for a damaged file, one that is not a checkpoint, or a bad part of it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint; train one with `simgraph train`")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path}: damaged or not a checkpoint of `simgraph train` ({error})"
        ) from None
    _check_digest(path, metadata, tensors)
    state = _checked_state(path, metadata.get("state", ""))
    return tensors, state | {"config": _with_new_keys(state["config"])}


def _digest(state: str, tensors: Mapping[str, Tensor]) -> str:
    """A hash of the header and of the names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256(state.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}{list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_digest(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    found = metadata.get("simgraph", "")
    if found == _WITHOUT_DIGEST:
        logger.info("%s: of an earlier version, without a digest; its values are unchecked", path)
    elif found == _FORMAT:
        if metadata.get("digest") != _digest(metadata.get("state", ""), tensors):
            raise ValueError(
                f"{path}: damaged: its content does not match its digest; use another checkpoint"
            )
    elif found.startswith("checkpoint-"):
        raise ValueError(f"{path}: expected format {_FORMAT}, got {found!r}; update simgraph")
    else:
        raise ValueError(f"{path}: expected a checkpoint of `simgraph train`, got other tensors")


def _checked_state(path: Path, text: str) -> dict[str, Any]:
    """The state of a checkpoint, each part of the right name and type."""
    try:
        state: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: state: expected JSON ({error})") from None
    require_part(isinstance(state, dict), path, "state", "an object", state)
    unknown = sorted(state.keys() - _PARTS.keys())
    require_part(not unknown, path, "state", f"the parts {', '.join(_PARTS)}", unknown)
    # A network alone, as the best one is saved, has none of the parts to resume from.
    alone = not any(part in state for part in _TO_RESUME)
    for part, kind in _PARTS.items():
        if part in state or not (alone and part in _TO_RESUME):
            value = state.get(part)
            good = isinstance(value, kind) and not isinstance(value, bool)
            require_part(good, path, part, f"{kind.__name__}", value)
    require_part(
        state["num_classes"] > 0, path, "num_classes", "a positive int", state["num_classes"]
    )
    for section in ("dataset", "model", "train", "sim"):
        value = state["config"].get(section)
        require_part(isinstance(value, dict), path, f"config.{section}", "dict", value)
    _check_progress(path, state["progress"])
    return state


def _check_progress(path: Path, progress: Mapping[str, Any]) -> None:
    known = asdict(Progress())
    unknown = sorted(progress.keys() - known.keys())
    require_part(not unknown, path, "progress", f"the fields {', '.join(known)}", unknown)
    for name, value in progress.items():
        whole = isinstance(known[name], int)
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        expected = "an int >= 0" if whole else "a finite number"
        good = number and (0 <= value < 2**63 if whole else abs(value) < math.inf)
        require_part(good, path, f"progress.{name}", expected, value)


def _checked_weights(
    path: Path, model: nn.Module, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights of a network, with all names, shapes, types and values checked."""
    found, wanted = _below("model.", tensors), model.state_dict()
    differ = sorted(found.keys() ^ wanted.keys())
    require_part(not differ, path, "model", "the weights of the network of its config", differ)
    for name, value in found.items():
        like = wanted[name]
        expected = f"{like.dtype} {list(like.shape)}"
        got = f"{value.dtype} {list(value.shape)}"
        require_part(got == expected, path, f"model.{name}", expected, got)
        finite = bool(torch.isfinite(value).all())
        require_part(finite, path, f"model.{name}", "finite weights", "NaN or infinity")
    return found


def load_model(path: Path) -> tuple[Backbone, dict[str, Any]]:
    """Load the network of a checkpoint, and the `model` settings that it was built with."""
    tensors, state = read_checkpoint(path)
    settings = state["config"]["model"]
    try:
        model = build_model(settings, state["num_classes"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: config.model: describes no network ({error})") from None
    model.load_state_dict(_checked_weights(path, model, tensors))
    return model, state["config"]["model"]


def build_model(settings: Mapping[str, Any], num_classes: int) -> Backbone:
    """Build the network that `model` settings describe, with random weights."""
    names = ("arch", "stem", "zero_padding", "agw", "last_stride", "base_width")
    return Backbone(num_classes, **{name: settings[name] for name in names})


def restore(
    path: Path, model: nn.Module, config: Config, optimizer: Optimizer, schedule: LRScheduler
) -> tuple[Progress, dict[str, Any]]:
    """Restore a run from a checkpoint, including all global random states.

    All parts are checked first: a refused checkpoint leaves everything as it was.

    Args:
        path: a checkpoint with optimizer state.
        model: of the same architecture.
        config: of the run that resumes; must be that of the checkpoint.
        optimizer: of the model's parameters.
        schedule: of the optimizer.

    Returns:
        the position of the run, and the state of its gradient scaler.

    Raises:
        FileNotFoundError: for a missing checkpoint.
        ValueError: for a damaged checkpoint, or one of another config.
    """
    tensors, state = read_checkpoint(path)
    missing = [part for part in _TO_RESUME if part not in state]
    require_part(
        not missing, path, "state", f"{', '.join(_TO_RESUME)} to resume from", "none of them"
    )
    _require_same(state["config"], config.model_dump(mode="json"), path)
    weights = _checked_weights(path, model, tensors)
    restore_rest = check_run_state(path, tensors, state, optimizer, schedule)
    model.load_state_dict(weights)
    restore_rest()
    return Progress(**state["progress"]), state["scale"]


def split_folder(run: Path, config: Config, split: int) -> Path:
    """The folder of one network of a run: `trial_{split}` where each trial has its own network."""
    loader = find_dataset(config.dataset.name)
    return run / f"trial_{split}" if loader.split_per_trial else run


def find_checkpoint(place: str, config: Config, split: int) -> Path:
    """Find the file that `checkpoint` names.

    Args:
        place: a file, or the folder of a run.
        config: names the dataset.
        split: whose network to find.

    Returns:
        the file itself, or the best checkpoint of the folder, or its last one without a best.
    """
    path = Path(place)
    own = split_folder(path, config, split)
    path = own if own.is_dir() else path
    if path.is_dir():
        path = path / BEST if (path / BEST).exists() else path / LAST
    return path


def image_settings(path: Path) -> ImagesConfig | None:
    """Read how the images of a checkpoint's training were read; None in those of old versions."""
    with safe_open(path, framework="pt") as file:
        config = json.loads(file.metadata()["state"])["config"]
    if "images" not in config:
        return None
    return parse_config({"images": config["images"]}, str(path)).images


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _require_same(then: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Check that a resumed run has the same data, network, training and choice of the best."""
    # Earlier versions had no section `images`. Of images of eight bits it changes nothing.
    then = {"images": ImagesConfig().model_dump(mode="json")} | dict(then)
    differ = [
        f"{part}.{key} was {then[part].get(key)!r}, is {value!r}"
        for part in ("dataset", "images", "model", "train", "sim")
        for key, value in now[part].items()
        if then[part].get(key) != value and (part, key) not in _READING
    ]
    if differ:
        raise ValueError(
            f"{path}: expected the config that the run started with, but {'; '.join(differ)}; "
            "resume with the same settings or train into another folder"
        )


def _with_new_keys(config: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's config with new names of renamed keys, without a warning, and new keys."""
    for old, new in RENAMED_KEYS.items():
        section, _, before = old.partition(".")
        values = config.get(section)
        if isinstance(values, dict) and before in values:
            values[new.partition(".")[2]] = values.pop(before)
    # Keys that came later: the run had what is now their default.
    for section in ("model", "train", "sim"):
        defaults = Config.model_fields[section].default
        config[section] = defaults.model_dump(mode="json") | config.get(section, {})
    return config


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule's state without its functions, which follow from the config."""
    return {key: value for key, value in state.items() if key != "lr_lambdas"} | {
        "lr_lambdas": [None] * len(state.get("lr_lambdas", []))
    }


def _numpy_state() -> list[Any]:
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return [name, np.asarray(keys).tolist(), *rest]
