"""Images per second in training and feature extraction, without the time to read images."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from simgraph.config import Config
from simgraph.training.augmentation import TestTransform
from simgraph.training.distributed import launch
from simgraph.training.learner import Learner

CLASSES = 395  # SYSU-MM01's training identities
_WARM_UP = 2


@dataclass(frozen=True)
class Throughput:
    """The results of `measure`.

    Attributes:
        device: its name.
        training: images per second in training, from augmentation to optimizer.
        extraction: images per second from pixels to features on the CPU.
        peak_gib: peak memory of the GPU, including training; None on the CPU.
    """

    device: str
    training: float
    extraction: float
    peak_gib: float | None


def measure(config: Config, seconds: float = 10.0) -> Throughput:
    """Time training steps and extraction on random images in memory.

    Args:
        config: network, image size, batch (`train.num_ids` identities with
            `train.visible_per_id` and `train.infrared_per_id` images each) and precision. Its
            weights and data are not read.
        seconds: how long each of the two is repeated, after two warm-up steps.

    Returns:
        the rates of one process.

    Raises:
        ValueError: for a setting out of range.
    """
    fabric = launch(config.train.precision)
    random = config.model_copy(
        update={"model": config.model.model_copy(update={"weights": "random"})}
    )
    learner = Learner(random, CLASSES, fabric)
    pixels, labels, infrared = random_batch(config)
    transform = TestTransform((config.model.height, config.model.width))

    def train() -> None:
        float(learner.step(pixels, labels, infrared, 0))  # waits for the GPU, as training does

    def extract() -> None:
        learner.model(transform(fabric.to_device(pixels)), infrared).float().cpu()

    learner.model.train()
    training = len(pixels) * _rate(train, seconds)
    learner.model.eval()
    with torch.inference_mode():
        extraction = len(pixels) * _rate(extract, seconds)
    gpu = fabric.device.type == "cuda"
    name = torch.cuda.get_device_name(fabric.device) if gpu else f"CPU, {_threads()}"
    peak = torch.cuda.max_memory_allocated(fabric.device) / 2**30 if gpu else None
    return Throughput(name, training, extraction, peak)


def random_batch(config: Config) -> tuple[Tensor, Tensor, Tensor]:
    """Random images, labels and modalities of the batch that a config describes."""
    settings = config.train
    each = settings.visible_per_id + settings.infrared_per_id
    count = settings.num_ids * each
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, config.model.height, config.model.width)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.arange(settings.num_ids).repeat_interleave(each)
    return pixels, labels, torch.arange(count) % each >= settings.visible_per_id


def _rate(work: Callable[[], None], seconds: float) -> float:
    """Number of runs per second."""
    for _ in range(_WARM_UP):
        work()
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds or not done:
        work()
        done += 1
    return done / took


def _threads() -> str:
    number = torch.get_num_threads()
    return f"{number} thread{'s' * (number > 1)}"
