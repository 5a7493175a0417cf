"""Where the time of a training step goes, and the floor: the same network on random tensors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.training_speed import CLASSES, random_batch
from simgraph.config import Config
from simgraph.datasets import Samples
from simgraph.datasets.images import ImageSet
from simgraph.training.data import TrainImages
from simgraph.training.distributed import launch
from simgraph.training.learner import Learner

PARTS = ("loader", "augmentation", "forward", "backward", "optimizer")
Seconds = dict[str, float]


def compare(config: Config, rounds: int = 5) -> dict[str, Seconds]:
    """Time the parts of a step in both memory formats, one after the other in each round.

    Ratios of the results hold on a machine with other work, as that slows all of them.

    Args:
        config: network, batch and precision, as for `training_speed.measure`.
        rounds: measured steps of each format, after one that warms up.

    Returns:
        "contiguous" and "channels_last" → median seconds of each of `PARTS`, their sum `step`,
        and the `floor`: forward, backward and optimizer on random tensors, without loss functions.

    Raises:
        ValueError: for a setting out of range.
    """
    with TemporaryDirectory() as folder:
        formats = {
            name: _steps(_with_format(config, name == "channels_last"), Path(folder))
            for name in ("contiguous", "channels_last")
        }
        found: dict[str, list[Seconds]] = {name: [] for name in formats}
        for number in range(rounds + 1):
            for name, steps in formats.items():
                seconds = next(steps)
                if number:
                    found[name].append(seconds)
    return {name: _medians(seconds) for name, seconds in found.items()}


def table(found: dict[str, Seconds]) -> str:
    """A line per memory format: milliseconds of a step, shares of its parts, ratio to the floor."""
    lines = []
    for name, seconds in found.items():
        step, floor = seconds["step"], seconds["floor"]
        shares = ", ".join(f"{part} {100 * seconds[part] / step:.1f} %" for part in PARTS)
        lines.append(
            f"{name}: step {1000 * step:.0f} ms ({shares}), floor {1000 * floor:.0f} ms, "
            f"step / floor {step / floor:.2f}"
        )
    ratio = found["channels_last"]["step"] / found["contiguous"]["step"]
    return "\n".join([*lines, f"channels_last / contiguous: {ratio:.2f}"])


def _with_format(config: Config, channels_last: bool) -> Config:
    model = config.model.model_copy(update={"weights": "random"})
    train = config.train.model_copy(update={"channels_last": channels_last})
    return config.model_copy(update={"model": model, "train": train})


def _steps(config: Config, folder: Path) -> Iterator[Seconds]:
    """Train for ever; yield the seconds of each step by part."""
    fabric = launch(config.train.precision)
    learner = Learner(config, CLASSES, fabric)
    learner.model.train()
    batches = _batches(config, folder)

    while True:
        clock = _Clock(fabric.device)
        pixels, labels, infrared = next(batches)
        clock.lap("loader")
        x = learner.prepare(pixels, infrared, 0)
        clock.lap("augmentation")
        loss = learner.loss(x, labels, infrared)
        clock.lap("forward")
        learner.optimizer.zero_grad()
        fabric.backward(loss)
        clock.lap("backward")
        learner.optimizer.step()
        clock.lap("optimizer")
        seconds = clock.seconds | {"step": sum(clock.seconds.values())}
        noise = torch.randn_like(x)
        clock = _Clock(fabric.device)
        _floor(learner, noise, infrared)
        clock.lap("floor")
        yield seconds | clock.seconds


class _Clock:
    """Seconds by part; each lap waits for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: Seconds = {}
        self._device, self._began = device, time.perf_counter()

    def lap(self, part: str) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.seconds[part], self._began = now - self._began, now


def _floor(learner: Learner, x: Tensor, infrared: Tensor) -> None:
    features, logits = learner.model(x, infrared)
    learner.optimizer.zero_grad()
    learner.fabric.backward(features.float().mean() + logits.float().mean())
    learner.optimizer.step()


def _batches(config: Config, folder: Path) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The batch again and again, through a loader that reads the decoded images of a cache."""
    pixels, labels, infrared = random_batch(config)
    sets = [
        _images(pixels[rows], labels[rows], folder / str(number), config)
        for number, rows in enumerate((~infrared, infrared))
    ]
    order = torch.cat([(~infrared).nonzero(), infrared.nonzero()]).argsort(0).flatten().tolist()
    loader = DataLoader(
        TrainImages(sets[0], sets[1], np.unique(labels.numpy())), batch_sampler=[order]
    )
    while True:
        yield from loader


def _images(pixels: Tensor, labels: Tensor, folder: Path, config: Config) -> ImageSet:
    folder.mkdir(exist_ok=True)
    names = tuple(f"{number}.png" for number in range(len(pixels)))
    for name, image in zip(names, pixels, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)
    samples = Samples(names, labels.numpy(), np.ones(len(labels), dtype=np.int64))
    return ImageSet(samples, folder, (config.model.height, config.model.width), folder)


def _medians(seconds: list[Seconds]) -> Seconds:
    return {part: median(one[part] for one in seconds) for part in seconds[0]}
