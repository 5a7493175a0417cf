"""SIGKILL during training runs and studies: they go on to the bits of an undisturbed run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.random import Generator

from simgraph.training.checkpoint import read_checkpoint
from simgraph.training.run_log import read_log
from tests.faults import child, study_files
from tests.faults.judge import same
from tests.faults.outcomes import LOST, RIGHT, WRONG
from tests.training.tiny_dataset import settings, write_folder


@dataclass(frozen=True)
class Killable:
    """A piece of work that goes on where it was killed.

    Attributes:
        name: of it.
        prepare: writes its inputs into a folder.
        work: folder → does the work, or goes on with it.
        check: folder → raises if anything that was finished before a kill is not whole.
        result: folder → what an undisturbed run and one that was killed must have in common.
    """

    name: str
    prepare: Callable[[Path], object]
    work: Callable[[Path], object]
    check: Callable[[Path], object]
    result: Callable[[Path], Any]


class _Tiny(torch.nn.Module):
    """A network in place of ResNet, so that a run takes a second; two matrices of some size."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.embed = torch.nn.Linear(3 * 8 * 4, 2000)
        self.neck = torch.nn.BatchNorm1d(2000)
        self.classifier = torch.nn.Linear(2000, num_classes)

    def forward(self, x: torch.Tensor, infrared: torch.Tensor) -> Any:
        """As `Backbone`: features and logits in training, features in evaluation."""
        features = self.embed(torch.nn.functional.adaptive_avg_pool2d(x, (8, 4)).flatten(1))
        normed = self.neck(features)
        return (features, self.classifier(normed)) if self.training else normed


_MORE = ("--train.save_every", "1", "--train.epochs", "4", "--train.evaluate_every", "2")


def _train(folder: Path) -> None:
    from simgraph.training import learner, trainer

    learner.build_model = lambda _, num_classes: _Tiny(num_classes)  # in this process only
    torch.set_num_threads(1)
    trainer.train(settings(folder / "data", *_MORE), folder / "run", resume=True)


def _check_run(folder: Path) -> None:
    for name in ("last.safetensors", "best.safetensors"):
        if (folder / "run" / name).exists():
            read_checkpoint(folder / "run" / name)
    read_log(folder / "run" / "log.csv")


def _trained(folder: Path) -> Any:
    log = [{k: v for k, v in row.items() if k != "seconds"} for row in read_log(_log(folder))]
    names = ("last.safetensors", "best.safetensors")
    return log, [read_checkpoint(folder / "run" / name)[0] for name in names]


def _log(folder: Path) -> Path:
    return folder / "run" / "log.csv"


def _check_study(folder: Path) -> None:
    if (folder / "out" / "results.csv").exists():
        study_files.rows(folder)


TRAIN = Killable("train", lambda f: write_folder(f / "data"), _train, _check_run, _trained)
STUDY = Killable(
    "study", study_files.write_features, study_files.run, _check_study, study_files.rows
)


def prepare(killable: Killable, folder: Path) -> None:
    """Do the work once, undisturbed, and note how long it takes."""
    folder.mkdir(parents=True)
    killable.prepare(folder)
    began = time.monotonic()
    child.finish(lambda: killable.work(folder))
    (folder / "seconds").write_text(str(time.monotonic() - began))


def kill_run(
    killable: Killable, good: Path, folder: Path, rng: Generator, kills: int
) -> tuple[str, str, str]:
    """Kill the work some times, then let it end; what was done, the outcome and a detail."""
    killable.prepare(folder)
    seconds, done = float((good / "seconds").read_text()), 0
    for _ in range(kills):
        pid = child.start(lambda: _quietly(killable, folder))
        done += child.kill_after(pid, float(rng.uniform(0, 0.8 * seconds)))
        try:
            killable.check(folder)
        except Exception as error:
            return f"{killable.name}, kill {done}", LOST, f"{type(error).__name__}: {error}"
    child.finish(lambda: killable.work(folder))
    what = f"{done} kills of a {killable.name} run"
    if same(killable.result(folder), killable.result(good)):
        return what, RIGHT, ""
    return what, WRONG, "another end than that of an undisturbed run"


def _quietly(killable: Killable, folder: Path) -> None:
    with contextlib.redirect_stderr(None), contextlib.redirect_stdout(None):
        killable.work(folder)
