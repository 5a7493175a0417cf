"""Training images of both modalities, and their check."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from simgraph.config import Config
from simgraph.datasets.images import ImageSet, require_images
from simgraph.trials import load_test_set, load_train_set


def trials_of(config: Config) -> range:
    """The trials that have a network of their own: RegDB's; any other set has one."""
    return range(1, config.dataset.trials + 1 if config.dataset.name == "regdb" else 2)


def check_data(config: Config) -> dict[str, int]:
    """Decode every training and test image.

    Args:
        config: whose dataset, all trials of RegDB.

    Returns:
        How many images each part has.

    Raises:
        FileNotFoundError: for missing lists.
        ValueError: naming the images that cannot be read.
    """
    counts: dict[str, int] = {}
    for trial in trials_of(config):
        test_set = load_test_set(config.dataset, trial, images=True)
        visible, infrared = load_train_set(config.dataset, trial)
        parts = {
            "train visible": visible,
            "train infrared": infrared,
            "query": test_set.query,
            "gallery": test_set.gallery,
        }
        for name, samples in parts.items():
            require_images(samples, test_set.root)
            counts[name] = counts.get(name, 0) + len(samples)
    return counts


class TrainImages(Dataset[tuple[Tensor, int, bool]]):
    """Visible images, then infrared ones: (pixels [3, H, W] uint8, label, infrared)."""

    def __init__(
        self, visible: ImageSet, infrared: ImageSet, identities: NDArray[np.int64]
    ) -> None:
        self.visible, self.infrared = visible, infrared
        pids = np.concatenate([visible.samples.pids, infrared.samples.pids])
        self.labels = np.searchsorted(identities, pids)

    def __len__(self) -> int:
        """Images of both modalities."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int, bool]:
        infrared = index >= len(self.visible)
        images = self.infrared if infrared else self.visible
        pixels, _ = images[index - len(self.visible) if infrared else index]
        return pixels, int(self.labels[index]), infrared


def ignore_interrupts(worker: int) -> None:
    """Let Ctrl-C, which a terminal sends to every process, reach the reading ones through theirs.

    A reader that stopped by itself would break the batch at hand, which training finishes first.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def batches(loader: Iterable[Any]) -> Iterator[Any]:
    """The batches of a loader.

    Raises:
        OSError: for a process that reads images and was killed.
    """
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise OSError(
            f"a process that reads images was killed ({error}); memory may be short: try fewer "
            "--train.workers, and go on with a training run by --resume"
        ) from error
