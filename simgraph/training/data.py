"""Training images of both modalities: loading, and a check of all images of a dataset."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from simgraph.config import Config
from simgraph.datasets import find_dataset
from simgraph.datasets.images import ImageSet, require_images
from simgraph.datasets.left_out import left_out
from simgraph.datasets.thermal import Depth
from simgraph.trials import load_test_set, load_train_set


@dataclass(frozen=True)
class DataCheck:
    """What a check of all images of a dataset found.

    Args:
        counts: number of images per part.
        deep: path → depth of each image of more than eight bits.
        left_out: path → reason of each file beside the images that is not read.
    """

    counts: dict[str, int] = field(default_factory=dict)
    deep: dict[str, Depth] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def check_data(config: Config) -> DataCheck:
    """Decode every training and test image.

    Args:
        config: names the dataset; all its splits are checked. `images` says how images of more
            than eight bits are scaled.

    Returns:
        the number of images per part, the images of more than eight bits, and the files that are
        not read.

    Raises:
        FileNotFoundError: for missing lists.
        ValueError: for images that cannot be read, with their names.
    """
    found = DataCheck()
    for split in find_dataset(config.dataset.name).splits(config.dataset):
        test_set = load_test_set(config.dataset, split, images=True)
        visible, infrared = load_train_set(config.dataset, split)
        parts = {
            "train visible": visible,
            "train infrared": infrared,
            "query": test_set.query,
            "gallery": test_set.gallery,
        }
        for name, samples in parts.items():
            deep = require_images(samples, test_set.root, config.images.thermal_range)
            found.deep.update(deep)
            found.counts[name] = found.counts.get(name, 0) + len(samples)
        paths = [path for samples in parts.values() for path in samples.paths]
        found.left_out.update(left_out(test_set.root, paths))
    return found


class TrainImages(Dataset[tuple[Tensor, int, bool]]):
    """Visible images, then infrared ones, as (pixels [3, H, W] uint8, label, infrared)."""

    def __init__(
        self, visible: ImageSet, infrared: ImageSet, identities: NDArray[np.int64]
    ) -> None:
        self.visible, self.infrared = visible, infrared
        pids = np.concatenate([visible.samples.pids, infrared.samples.pids])
        self.labels = np.searchsorted(identities, pids)

    def __len__(self) -> int:
        """Number of images of both modalities."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int, bool]:
        infrared = index >= len(self.visible)
        images = self.infrared if infrared else self.visible
        pixels, _ = images[index - len(self.visible) if infrared else index]
        return pixels, int(self.labels[index]), infrared


def ignore_interrupts(worker: int) -> None:
    """Ignore Ctrl-C in a worker process, as a terminal sends it to every process.

    The main process finishes the current batch before it stops, and needs its workers for that.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def batches(loader: Iterable[Any]) -> Iterator[Any]:
    """Iterate over the batches of a loader.

    Raises:
        OSError: for a worker process that was killed.
    """
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise OSError(
            f"a process that reads images was killed ({error}); memory may be short: try fewer "
            "--train.workers, and continue a training run with --resume"
        ) from error
