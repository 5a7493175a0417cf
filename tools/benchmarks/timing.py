"""Best times of stages, measured in alternation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import torch

Stages: TypeAlias = dict[str, Callable[[], Any]]


def best_times(stages: Stages, device: str, repeats: int) -> dict[str, float]:
    """Best time of each stage, in seconds, over rounds through all of them.

    Args:
        stages: what to run, by name.
        device: `"cpu"` or `"cuda"`.
        repeats: rounds that count; one more comes first to compile and warm up, but not before a
            single one.

    Returns:
        Seconds by name.
    """
    best = dict.fromkeys(stages, float("inf"))
    for turn in range(1 if repeats == 1 else repeats + 1):
        for name, stage in stages.items():
            seconds = _seconds(stage, device)
            if turn or repeats == 1:
                best[name] = min(best[name], seconds)
    return best


def _seconds(stage: Callable[[], Any], device: str) -> float:
    _wait(device)
    start = time.perf_counter()
    stage()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def device_name(device: str) -> str:
    """Name the GPU, or the number of CPU threads."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"
