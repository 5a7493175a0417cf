"""Images through a trained network: the features of a test set, in the order of its samples."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from simgraph._arrays import Array
from simgraph._progress import Track, no_progress
from simgraph.config import Config, ModelConfig
from simgraph.datasets import Samples, TestSet
from simgraph.datasets.images import ImageSet, require_images
from simgraph.features import Features
from simgraph.training.augmentation import TestTransform
from simgraph.training.checkpoint import find_checkpoint, load_model
from simgraph.training.data import batches, ignore_interrupts
from simgraph.trials import Source

BATCH_SIZE = 64


def extract_test_set(
    model: nn.Module,
    test_set: TestSet,
    config: Config,
    fabric: Fabric,
    track: Track = no_progress,
) -> Features:
    """Features of all images of a test set, each computed once.

    Args:
        model: a `Backbone`, on fabric's device.
        test_set: whose query and gallery samples to read.
        config: image size from `model`, workers and cache from `train`.
        fabric: with several processes each takes its share, and all get the whole in order.
        track: shows progress over batches.

    Returns:
        Labelled features [Nq, D] and [Ng, D] on the CPU, float32, not normalised.

    Raises:
        ValueError: for an image that cannot be read, naming it.
    """
    query, gallery = (
        extract(model, samples, test_set, infrared, config, fabric, track)
        for samples, infrared in (
            (test_set.query, test_set.query_infrared),
            (test_set.gallery, not test_set.query_infrared),
        )
    )
    return labelled(query, gallery, test_set)


def labelled(query: Array, gallery: Array, test_set: TestSet) -> Features:
    """Features of a test set's images with their identities and cameras."""
    labels = (test_set.query.pids, test_set.gallery.pids, test_set.query.cams)
    return Features(query, gallery, *labels, test_set.gallery.cams)


def extract(
    model: nn.Module,
    samples: Samples,
    test_set: TestSet,
    infrared: bool,
    config: Config,
    fabric: Fabric,
    track: Track = no_progress,
) -> Tensor:
    """Features [N, D] of one side of a test set; see `extract_test_set`."""
    size = (config.model.height, config.model.width)
    images = ImageSet(samples, test_set.root, size, config.train.cache)
    mine = range(fabric.global_rank, len(images), fabric.world_size)
    loader = DataLoader(
        Subset(images, mine), batch_size=BATCH_SIZE, num_workers=config.train.workers,
        worker_init_fn=ignore_interrupts,
    )  # fmt: skip
    transform, parts = TestTransform(size), []
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for pixels, rows in track(batches(loader), len(loader), "batch of images"):
            flags = torch.full((len(rows),), infrared)
            parts.append(model(transform(fabric.to_device(pixels)), flags).float().cpu())
    model.train(was_training)
    return _in_order(torch.cat(parts) if parts else None, len(images), fabric)


def _in_order(features: Tensor | None, count: int, fabric: Fabric) -> Tensor:
    """All processes' rows, dealt out as cards are, back in their order."""
    if fabric.world_size == 1:
        assert features is not None, "a single process takes all rows"
        return features
    dims = torch.tensor([0 if features is None else features.shape[1]])
    width = int(torch.as_tensor(fabric.all_gather(fabric.to_device(dims))).max())
    each = -(-count // fabric.world_size)
    padded = torch.zeros(each, width)
    if features is not None:
        padded[: len(features)] = features
    gathered = torch.as_tensor(fabric.all_gather(fabric.to_device(padded))).cpu()
    return gathered.transpose(0, 1).reshape(-1, width)[:count].clone()


def checkpoint_source(config: Config, track: Track = no_progress) -> Source:
    """Features of the networks that a config's `checkpoint` names, for `run_test`.

    Args:
        config: `checkpoint` is a file or the folder of a training run; RegDB's holds a folder
            for each trial.
        track: shows progress over batches.

    Returns:
        A source that reads each trial's network when its features are asked for. The network's
        shape and image size are the checkpoint's own.
    """
    fabric = Fabric(accelerator="auto", devices=1, precision=config.train.precision)

    def source(test_set: TestSet, trial: int) -> Features:
        model, settings = load_model(find_checkpoint(str(config.checkpoint), config, trial))
        for samples in (test_set.query, test_set.gallery):
            require_images(samples, test_set.root)
        seen = config.model_copy(update={"model": ModelConfig.model_validate(settings)})
        return extract_test_set(fabric.setup_module(model), test_set, seen, fabric, track)

    return source
