"""Features of a test set's images, computed by a trained network in the order of the samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from simgraph._arrays import Array
from simgraph._files import writable_file
from simgraph._progress import Track, no_progress
from simgraph.config import Config, ModelConfig
from simgraph.datasets import Samples, TestSet
from simgraph.datasets.images import ImageSet, require_images
from simgraph.features import Features, save_features
from simgraph.training.augmentation import TestTransform
from simgraph.training.checkpoint import (
    find_checkpoint,
    image_settings,
    load_model,
    read_checkpoint,
)
from simgraph.training.data import batches, ignore_interrupts
from simgraph.trials import Source, load_test_set, load_train_set, split_files

BATCH_SIZE = 64


def extract_test_set(
    model: nn.Module,
    test_set: TestSet,
    config: Config,
    fabric: Fabric,
    track: Track = no_progress,
) -> Features:
    """Compute the features of all images of a test set, once per image.

    Args:
        model: a `Backbone` on fabric's device.
        test_set: its query and gallery samples are read.
        config: image size from `model`, `images`, workers and cache from `train`.
        fabric: with several processes, each computes a share, and all get the whole in order.
        track: shows progress over batches.

    Returns:
        labeled features [Nq, D] and [Ng, D] on the CPU, float32, not normalized.

    Raises:
        ValueError: for an image that cannot be read, with its name.
    """
    query, gallery = (
        extract(model, samples, test_set.root, infrared, config, fabric, track)
        for samples, infrared in (
            (test_set.query, test_set.query_infrared),
            (test_set.gallery, not test_set.query_infrared),
        )
    )
    return labeled(query, gallery, test_set)


def labeled(query: Array, gallery: Array, test_set: TestSet) -> Features:
    """Add the identities, cameras and paths of a test set to the features of its images."""
    sides = test_set.query, test_set.gallery
    return Features(
        query, gallery, *(side.pids for side in sides), *(side.cams for side in sides),
        *(side.paths for side in sides),
    )  # fmt: skip


def extract(
    model: nn.Module,
    samples: Samples,
    root: str | Path,
    infrared: bool,
    config: Config,
    fabric: Fabric,
    track: Track = no_progress,
) -> Tensor:
    """Compute the features [N, D] of images below a folder; see `extract_test_set`."""
    size = (config.model.height, config.model.width)
    thermal_range = config.images.thermal_range
    images = ImageSet(samples, root, size, config.train.cache, thermal_range)
    own_rows = range(fabric.global_rank, len(images), fabric.world_size)
    loader = DataLoader(
        Subset(images, own_rows), batch_size=BATCH_SIZE, num_workers=config.train.workers,
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
    """Undo the round-robin split of rows over processes."""
    if fabric.world_size == 1:
        assert features is not None, "a single process computes all rows"
        return features
    dims = torch.tensor([0 if features is None else features.shape[1]])
    width = int(torch.as_tensor(fabric.all_gather(fabric.to_device(dims))).max())
    # all_gather needs equal shapes: the shares of the last processes may be one row shorter.
    rows_per_process = -(-count // fabric.world_size)
    padded = torch.zeros(rows_per_process, width)
    if features is not None:
        padded[: len(features)] = features
    gathered = torch.as_tensor(fabric.all_gather(fabric.to_device(padded))).cpu()
    # [processes, rows, D] → row r of process p is row r · processes + p of the whole.
    return gathered.transpose(0, 1).reshape(-1, width)[:count].clone()


def checkpoint_source(config: Config, track: Track = no_progress) -> Source:
    """Provide features from the networks that a config's `checkpoint` names, for `run_test`.

    Args:
        config: `checkpoint` is a file or the folder of a training run. Where each trial has its
            own network, the folder has a folder per trial.
        track: shows progress over batches.

    Returns:
        a source that loads the network of a split when its features are requested. Architecture,
        image size and `images` are those of the checkpoint; one of an earlier version has no
        `images`, and takes those of the config.
    """
    fabric = Fabric(accelerator="auto", devices=1, precision=config.train.precision)

    def source(test_set: TestSet, split: int) -> Features:
        file = find_checkpoint(str(config.checkpoint), config, split)
        model, settings = load_model(file)
        sections = {
            "model": ModelConfig.model_validate(settings),
            "images": image_settings(file) or config.images,
        }
        own = config.model_copy(update=sections)
        for samples in (test_set.query, test_set.gallery):
            require_images(samples, test_set.root, own.images.thermal_range)
        return extract_test_set(fabric.setup_module(model), test_set, own, fabric, track)

    return source


def extract_train_set(
    config: Config, query_infrared: bool, track: Track = no_progress
) -> tuple[Features, Path, bool]:
    """Compute the features of a dataset's training images; its test images are not listed.

    Args:
        config: `checkpoint` is a file or the folder of a training run; `dataset` names the images,
            of its first split.
        query_infrared: whether infrared images become the queries.
        track: shows progress over batches.

    Returns:
        Labeled features; the network's file; whether it was trained on this dataset and root.

    Raises:
        FileNotFoundError: for a missing checkpoint or missing lists of images.
        ValueError: for a dataset without training images, or images that cannot be read.
    """
    fabric = Fabric(accelerator="auto", devices=1, precision=config.train.precision)
    file = find_checkpoint(str(config.checkpoint), config, 1)
    _, state = read_checkpoint(file)
    model, settings = load_model(file)
    own = config.model_copy(update={"model": ModelConfig.model_validate(settings)})
    samples = load_train_set(config.dataset)
    root = str(config.dataset.root)
    module, sides = fabric.setup_module(model), []
    for some, infrared in zip(samples, (False, True), strict=True):
        require_images(some, root)
        sides.append(extract(module, some, root, infrared, own, fabric, track))
    query, gallery = (1, 0) if query_infrared else (0, 1)
    features = Features(
        sides[query], sides[gallery], samples[query].pids, samples[gallery].pids,
        samples[query].cams, samples[gallery].cams,
    )  # fmt: skip
    trained = state["config"]["dataset"]
    seen = trained["name"] == config.dataset.name and _same_folder(trained["root"], root)
    return features, file, seen


def _same_folder(one: str | None, other: str) -> bool:
    return one is not None and Path(one).resolve() == Path(other).resolve()


def extract_to_files(config: Config, track: Track = no_progress) -> Iterator[tuple[str, TestSet]]:
    """Write the features of a dataset's test images: one file, or one per split.

    Args:
        config: `checkpoint` as in `checkpoint_source`; `output` is a .npz or .safetensors file,
            with `{trial}` in its name where each trial has its own network.
        track: shows progress over batches.

    Yields:
        each file when it is written, and the test set whose features it holds.

    Raises:
        FileNotFoundError: for a missing checkpoint or list of images.
        ValueError: for settings without checkpoint or output, an output that cannot be written,
            or images that cannot be read.
    """
    if config.output is None or config.checkpoint is None:
        raise ValueError("expected --checkpoint and --output FILE (.npz or .safetensors)")
    files = split_files(config.output, config.dataset, "output")
    for file in files.values():
        writable_file(file, (".npz", ".safetensors"))
    source = checkpoint_source(config, track)
    for split, file in files.items():
        test_set = load_test_set(config.dataset, split, images=True)
        save_features(source(test_set, split), file)
        yield file, test_set
