"""The state that a run resumes from beside its weights: all of it is checked, then restored."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Moments = dict[int, dict[str, Tensor]]

_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}
_SCALER = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}
_NUMPY_WORDS = 624
_RANDOM_ERRORS = (LookupError, TypeError, ValueError, RuntimeError, OverflowError)


def require_part(good: bool, path: Path, part: str, expected: str, value: object) -> None:
    """Raise ValueError with the name of a checkpoint's part unless it is good."""
    if not good:
        got = repr(value)[:80]
        raise ValueError(f"{path}: {part}: expected {expected}, got {got}; use another checkpoint")


def check_run_state(
    path: Path,
    tensors: Mapping[str, Tensor],
    state: Mapping[str, Any],
    optimizer: Optimizer,
    schedule: LRScheduler,
) -> Callable[[], None]:
    """Check the optimizer, its schedule and all random states of a checkpoint; change nothing.

    Args:
        path: the checkpoint, for messages.
        tensors: of the checkpoint.
        state: of the checkpoint, with its parts of the right types.
        optimizer: of the run that resumes.
        schedule: of the optimizer.

    Returns:
        a function that restores them all.

    Raises:
        ValueError: for a bad part, by name.
    """
    groups = optimizer.state_dict()["param_groups"]
    _check_groups(path, state["param_groups"], groups)
    _check_schedule(path, state["schedule"], schedule.state_dict(), state["progress"])
    _check_scale(path, state["scale"])
    moments = _checked_moments(path, tensors, optimizer)
    _check_random(path, tensors, state["random"])

    def apply() -> None:
        optimizer.load_state_dict({"state": moments, "param_groups": state["param_groups"]})
        schedule.load_state_dict(state["schedule"])
        random.setstate(_python_state(state["random"]))
        np.random.set_state(_numpy_state(state["random"]))  # noqa: NPY002
        torch.set_rng_state(tensors["random.torch"])
        for device in range(torch.cuda.device_count()):
            if f"random.cuda.{device}" in tensors:
                torch.cuda.set_rng_state(tensors[f"random.cuda.{device}"], device)

    return apply


def _number(value: object) -> bool:
    """Whether a value is a finite number >= 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= 0


def _check_groups(path: Path, found: list[Any], wanted: list[dict[str, Any]]) -> None:
    """All settings follow from the config, except for the rate, which the schedule changes."""
    expected = f"{len(wanted)} groups"
    require_part(len(found) == len(wanted), path, "param_groups", expected, len(found))
    for index, (group, like) in enumerate(zip(found, wanted, strict=True)):
        name = f"param_groups[{index}]"
        require_part(isinstance(group, dict), path, name, "an object", group)
        for key in ("params", "lr", "initial_lr"):
            require_part(key in group, path, f"{name}.{key}", "a value", None)
        rate, full = group["lr"], like["initial_lr"]
        good = _number(rate) and rate <= full
        require_part(good, path, f"{name}.lr", f"a number from 0 to {full}", rate)
        # Other versions of torch have other keys, and None where they choose themselves.
        for key in sorted(group.keys() & like.keys() - {"lr"}):
            value, own = group[key], like[key]
            own = list(own) if isinstance(own, tuple) else own
            same = type(value) is type(own) and value == own
            free = key not in ("params", "initial_lr") and None in (value, own)
            require_part(same or free, path, f"{name}.{key}", repr(own)[:80], value)


def _check_schedule(
    path: Path, found: Mapping[str, Any], own: Mapping[str, Any], progress: Mapping[str, Any]
) -> None:
    """Its keys become attributes of the schedule: none but those that it has are let in."""
    unknown = sorted(found.keys() - own.keys() - {"verbose"})
    require_part(not unknown, path, "schedule", f"the fields {', '.join(own)}", unknown)
    epoch, groups = progress.get("epoch", 0), len(own["base_lrs"])
    wanted = {
        "base_lrs": own["base_lrs"], "last_epoch": epoch, "_step_count": epoch + 1,
        "lr_lambdas": [None] * groups,
    }  # fmt: skip
    for key, value in wanted.items():
        good = type(found.get(key)) is type(value) and found[key] == value
        require_part(good, path, f"schedule.{key}", repr(value), found.get(key))
    rates = found.get("_last_lr")
    good = isinstance(rates, list) and len(rates) == groups and all(map(_number, rates))
    require_part(good, path, "schedule._last_lr", f"{groups} numbers >= 0", rates)
    for key in sorted(found.keys() - wanted.keys() - {"_last_lr"}):
        good = isinstance(found[key], bool)
        require_part(good, path, f"schedule.{key}", "true or false", found[key])


def _check_scale(path: Path, scale: Mapping[str, Any]) -> None:
    """The gradient scaler of 16-bit training has a state; other training has an empty one."""
    good = not scale or (scale.keys() == _SCALER and all(map(_number, scale.values())))
    expected = f"nothing, or numbers >= 0 of {', '.join(sorted(_SCALER))}"
    require_part(good, path, "scale", expected, dict(scale))


def _checked_moments(path: Path, tensors: Mapping[str, Tensor], optimizer: Optimizer) -> Moments:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments: Moments = {}
    for name in sorted(n for n in tensors if n.startswith("optimizer.")):
        _, index, key = (*name.split(".", 2), "")[:3]
        known = index.isdecimal() and index.isascii() and int(index) < len(parameters)
        expected = f"one of {sorted(_MOMENTS)} of {len(parameters)} parameters"
        require_part(known and key in _MOMENTS, path, name, expected, "another name")
        _check_moment(path, name, key, tensors[name], parameters[int(index)])
        moments.setdefault(int(index), {})[key] = tensors[name]
    for number, values in moments.items():
        whole = values.keys() == _MOMENTS
        require_part(whole, path, f"optimizer.{number}", f"{sorted(_MOMENTS)}", sorted(values))
    return moments


def _check_moment(path: Path, name: str, key: str, value: Tensor, parameter: Tensor) -> None:
    # Adam counts its steps in 32 bits, also where parameters have 16.
    like = torch.zeros(()) if key == "step" else parameter
    expected = f"{like.dtype} {list(like.shape)}"
    got = f"{value.dtype} {list(value.shape)}"
    require_part(got == expected, path, name, expected, got)
    require_part(bool(torch.isfinite(value).all()), path, name, "finite numbers", "NaN or infinity")
    good = key == "exp_avg" or bool((value >= 0).all())
    require_part(good, path, name, "numbers >= 0", "negative ones")


def _check_random(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Try each state on a generator that nothing else uses."""
    tries: dict[str, Callable[[], object]] = {
        "random.python": lambda: random.Random().setstate(_python_state(state)),
        "random.numpy": lambda: np.random.RandomState().set_state(_numpy_state(state)),
        "random.torch": lambda: torch.Generator().set_state(tensors["random.torch"]),
    }
    for device in range(torch.cuda.device_count()):
        name = f"random.cuda.{device}"
        if name in tensors:
            tries[name] = partial(torch.Generator(f"cuda:{device}").set_state, tensors[name])
    for name, attempt in tries.items():
        try:
            attempt()
        except _RANDOM_ERRORS as error:
            require_part(False, path, name, "the state of a generator", error)


def _python_state(state: Mapping[str, Any]) -> tuple[Any, ...]:
    version, internal, gauss = state["python"]
    if gauss is not None and not (isinstance(gauss, float) and math.isfinite(gauss)):
        raise ValueError(f"{gauss!r} is not a number")
    return version, tuple(internal), gauss


def _numpy_state(state: Mapping[str, Any]) -> tuple[Any, ...]:
    name, keys, position, has_gauss, gauss = state["numpy"]
    # numpy reads memory at the position without a check.
    if type(position) is not int or not 0 <= position <= _NUMPY_WORDS:
        raise ValueError(f"position {position!r} is not in 0 … {_NUMPY_WORDS}")
    if len(keys) != _NUMPY_WORDS:
        raise ValueError(f"{len(keys)} words, not {_NUMPY_WORDS}")
    if has_gauss not in (0, 1) or not isinstance(gauss, float) or not math.isfinite(gauss):
        raise ValueError(f"{gauss!r} is not a number")
    return name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss
