"""SIGKILL during saves: afterwards there is the old file or the new one, whole."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator

import simgraph as sg
from simgraph.features import Features
from simgraph.training.checkpoint import Progress, save_checkpoint
from tests.faults import checkpoint_files, child
from tests.faults.judge import same
from tests.faults.outcomes import LOST, RIGHT, WRONG


@dataclass(frozen=True)
class Saved:
    """A kind of file: what writes one of two contents, and what reads it."""

    name: str
    save: Sequence[Callable[[Path], object]]
    read: Callable[[Path], Any]


def _index_saves() -> Saved:
    rng = torch.Generator().manual_seed(0)
    rows = [torch.randn(3000, 64, generator=rng) for _ in range(2)]
    indexes = [sg.SIMIndex(5, num_paths=3, k_query=4, k_gallery=4).fit(x) for x in rows]
    return Saved("index", [index.save for index in indexes], _read_index)


def _read_index(path: Path) -> Any:
    return sg.SIMIndex.load(path).search(torch.ones(1, 64), 5)


def _feature_saves(suffix: str) -> Saved:
    rng = np.random.default_rng(0)
    sets = [Features(*rng.normal(size=(2, 2000, 64))) for _ in range(2)]
    saves = [partial(sg.save_features, features) for features in sets]
    return Saved(f"features{suffix}", saves, lambda path: vars(sg.load_features(path)))


def _graph_saves() -> Saved:
    rng = torch.Generator().manual_seed(0)
    graphs = [
        sg.similarity_graph(torch.randn(200, 8, generator=rng), torch.randn(900, 8, generator=rng))
        for _ in range(2)
    ]
    return Saved("graph", [partial(sg.save_graph, graph) for graph in graphs], _read_graph)


def _read_graph(path: Path) -> Any:
    return [dict(store.items()) for store in sg.load_graph(path).stores]


def _checkpoint_saves() -> Saved:
    return Saved(
        "checkpoint", [partial(_save_checkpoint, steps) for steps in (1, 2)], _read_checkpoint
    )


_WIDTH = 100_000  # a few MB with the optimizer's moments


def _save_checkpoint(steps: int, path: Path) -> None:
    model, optimizer, schedule = checkpoint_files.trained(_WIDTH, steps)
    progress = Progress(schedule.last_epoch, steps)
    save_checkpoint(path, model, 4, checkpoint_files.config(), progress, optimizer, schedule)


def _read_checkpoint(path: Path) -> Any:
    from simgraph.training.checkpoint import restore

    model, optimizer, schedule = checkpoint_files.parts(_WIDTH)
    progress, _ = restore(path, model, checkpoint_files.config(), optimizer, schedule)
    return [vars(progress), model.state_dict(), optimizer.state_dict()]


KINDS: tuple[Callable[[], Saved], ...] = (
    _index_saves, partial(_feature_saves, ".npz"), partial(_feature_saves, ".safetensors"),
    _graph_saves, _checkpoint_saves,
)  # fmt: skip


def kill_saves(folder: Path, rng: Generator, kills: int) -> tuple[str, str, str]:
    """Kill a process that saves again and again; what was done, the outcome and a detail."""
    saved = KINDS[rng.integers(len(KINDS))]()
    path = folder / f"{saved.name}" / "saved.safetensors"
    path = path.with_suffix(".npz") if saved.name.endswith(".npz") else path
    path.parent.mkdir()
    expected = [_saved_and_read(saved, path, which) for which in range(2)]
    for number in range(kills):
        pid = child.start(lambda: _save_forever(saved, path))
        child.kill_after(pid, float(rng.uniform(0.001, 0.1)))
        outcome, detail = _left(saved, path, expected)
        if outcome != RIGHT:
            return f"{saved.name} saves, kill {number}", outcome, detail
    return f"{kills} kills of {saved.name} saves", RIGHT, ""


def _saved_and_read(saved: Saved, path: Path, which: int) -> Any:
    saved.save[which](path)
    return saved.read(path)


def _save_forever(saved: Saved, path: Path) -> None:
    for which in itertools.cycle(range(2)):
        saved.save[which](path)


def _left(saved: Saved, path: Path, expected: list[Any]) -> tuple[str, str]:
    try:
        found = saved.read(path)
    except Exception as error:
        return LOST, f"{type(error).__name__}: {error}"
    right = any(same(found, one) for one in expected)
    return (RIGHT, "") if right else (WRONG, "neither the old file nor the new one")
