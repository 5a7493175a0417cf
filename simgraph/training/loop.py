"""The training run: epochs of batches, evaluations, checkpoints; it resumes where it stopped."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from simgraph.config import Config
from simgraph.datasets import Samples
from simgraph.datasets.images import ImageSet, require_images
from simgraph.pipeline import Track, run_test
from simgraph.training.augmentation import TrainAugmentation
from simgraph.training.checkpoint import (
    BEST,
    LAST,
    Progress,
    build_model,
    restore,
    save_checkpoint,
)
from simgraph.training.data import TrainImages, trials_of
from simgraph.training.extraction import extract_test_set
from simgraph.training.losses import BatchHardTriplet, WeightedRegularizedTriplet, cross_entropy
from simgraph.training.optimization import adam, step_schedule
from simgraph.training.run_files import cut_log, read_log, write_log, write_settings
from simgraph.training.sampler import CrossModalitySampler
from simgraph.training.weights import load_imagenet
from simgraph.trials import load_test_set, load_train_set

logger = logging.getLogger(__name__)


def train(
    config: Config,
    output: str | Path,
    resume: bool = False,
    track: Track = lambda steps, total: steps,
) -> None:
    """Train one network, or RegDB's one a trial, into a folder.

    The folder then holds `last.safetensors`, `best.safetensors` (by SIM's mAP), `log.csv`,
    `config.yaml`, TensorBoard events, and for RegDB a folder `trial_{t}` for each.

    Args:
        config: dataset, model, train, and sim for the evaluations.
        output: folder of the run.
        resume: go on from its last checkpoint, to the weights of an unbroken run.
        track: shows progress over the batches of an epoch.

    Raises:
        FileExistsError: for a folder with a run in it, without resume.
        FileNotFoundError: for missing files.
        ValueError: for bad data or settings, before training begins.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint is written.
    """
    for trial in trials_of(config):
        regdb = config.dataset.name == "regdb"
        folder = Path(output) / f"trial_{trial}" if regdb else Path(output)
        started = (folder / LAST).exists()
        if started and not resume:
            raise FileExistsError(
                f"{folder}: holds a training run; go on with --resume, or choose another folder"
            )
        Run(config, folder, trial).train(started, track)


class Run:
    """One network in training: its data, its parts, and where it stands.

    Args:
        config: of the run.
        folder: to write to.
        trial: RegDB's split.
    """

    def __init__(self, config: Config, folder: Path, trial: int = 1) -> None:
        self.config, self.folder = config, folder
        self.fabric = _fabric(config)
        self.test_set = load_test_set(config.dataset, trial, images=True)
        visible, infrared = load_train_set(config.dataset, trial)
        settings = config.train
        self.sampler = CrossModalitySampler(
            visible.pids, infrared.pids, settings.identities, settings.visible,
            settings.infrared, settings.seed, self.fabric.global_rank, self.fabric.world_size,
        )  # fmt: skip
        self.loader = self._loader(visible, infrared)
        self.num_classes = len(self.sampler.identities)
        torch.manual_seed(settings.seed)
        network = build_model(config.model.model_dump(), self.num_classes)
        load_imagenet(network, config.model.weights)
        optimizer = adam(network.parameters(), settings.lr, settings.weight_decay)
        self.schedule = step_schedule(optimizer, settings.milestones, settings.warmup_epochs)
        self.model, self.optimizer = self.fabric.setup(network, optimizer)
        self.augment = TrainAugmentation(
            (config.model.height, config.model.width), settings.pad, settings.flip,
            settings.erase, settings.channel_exchange,
        )  # fmt: skip
        self.triplet: nn.Module | None = {
            "batch_hard": BatchHardTriplet(settings.margin),
            "weighted": WeightedRegularizedTriplet(),
            "none": None,
        }[settings.triplet]
        self.progress = Progress()
        self.stopped = False

    def _loader(self, visible: Samples, infrared: Samples) -> Any:
        size = (self.config.model.height, self.config.model.width)
        sets = []
        for samples in (visible, infrared):
            if self.fabric.global_rank == 0:
                require_images(samples, self.test_set.root)
            self.fabric.barrier()
            sets.append(ImageSet(samples, self.test_set.root, size, self.config.train.cache))
        images = TrainImages(sets[0], sets[1], self.sampler.identities)
        workers = self.config.train.workers
        # A generator of its own: each new iterator draws from it, also one that resumes an epoch.
        own = torch.Generator()
        return DataLoader(images, batch_sampler=self.sampler, num_workers=workers, generator=own)

    def train(self, resume: bool, track: Track) -> None:
        """Train to the last epoch; see `train`."""
        if resume:
            self.progress, scale = restore(
                self.folder / LAST, self.model.module, self.config, self.optimizer, self.schedule
            )
            self.fabric.strategy.precision.load_state_dict(scale)
        if self.fabric.global_rank == 0:
            write_settings(self.config, self.folder)
            cut_log(self.folder / "log.csv", self.progress.epoch)
        with _asked_to_stop(self), self._board() as board:
            while self.progress.epoch < self.config.train.epochs:
                self._epoch(track, board)
        self.fabric.barrier()

    def _board(self) -> AbstractContextManager[Any]:
        left = self.progress.epoch < self.config.train.epochs
        first = self.fabric.global_rank == 0
        return SummaryWriter(str(self.folder)) if first and left else nullcontext()

    def _epoch(self, track: Track, board: SummaryWriter | None) -> None:
        epoch, began = self.progress.epoch, time.monotonic()
        self.sampler.load_state_dict({"epoch": epoch, "position": self.progress.step})
        self.model.train()
        left = len(self.sampler) - self.progress.step
        for pixels, labels, infrared in track(_batches(self.loader), left):
            self.progress.loss += self._step(pixels, labels, infrared)
            self.progress.step += 1
            every = self.config.train.save_every
            if self.stopped or (every and self.progress.step % every == 0):
                self._save(LAST)
            if self.stopped:
                raise KeyboardInterrupt(f"stopped; go on with --resume from {self.folder}")
        row = {
            "epoch": epoch + 1,
            "loss": self.progress.loss / len(self.sampler),
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": time.monotonic() - began,
        }
        self.schedule.step()
        self.progress = Progress(epoch + 1, best=self.progress.best)
        last = epoch + 1 == self.config.train.epochs
        row |= (
            self._evaluate() if last or (epoch + 1) % self.config.train.evaluate_every == 0 else {}
        )
        self._log(row, board)
        self._save(LAST)

    def _step(self, pixels: Tensor, labels: Tensor, infrared: Tensor) -> float:
        settings, fabric = self.config.train, self.fabric
        place = (settings.seed, self.progress.epoch, self.progress.step, fabric.global_rank)
        draw = int(np.random.SeedSequence(place).generate_state(1)[0])
        x = self.augment(fabric.to_device(pixels), infrared, draw)
        labels = fabric.to_device(labels)
        features, logits = self.model(x, infrared)
        loss = cross_entropy(logits, labels, settings.label_smoothing)
        if self.triplet is not None:
            loss = loss + self.triplet(features, labels)
        if not torch.isfinite(loss.detach()):
            raise ValueError(
                f"the loss is {float(loss.detach())} in epoch {self.progress.epoch + 1}, batch "
                f"{self.progress.step + 1}: lower train.lr, or train.precision 32-true"
            )
        self.optimizer.zero_grad()
        fabric.backward(loss)
        self.optimizer.step()
        return float(loss.detach())

    def _evaluate(self) -> dict[str, float]:
        """Baseline and SIM under the protocol; keeps the best network by SIM's mAP."""
        features = extract_test_set(self.model, self.test_set, self.config, self.fabric)
        if self.fabric.global_rank != 0:
            return {}
        one = self.config.dataset.model_copy(
            update={
                "trials": 1 if self.config.dataset.name == "regdb" else self.config.dataset.trials
            }
        )
        both = self.config.model_copy(update={"methods": ("baseline", "sim"), "dataset": one})
        results = run_test(both, source=lambda test_set, trial: features)["methods"]
        figures = {
            f"{method}_{key}": results[method][key]
            for method in ("baseline", "sim")
            for key in ("mAP", "rank1")
        }
        if figures["sim_mAP"] > self.progress.best:
            self.progress.best = figures["sim_mAP"]
            self._save(BEST)
        logger.info(
            "epoch %d: baseline mAP %.4f, SIM mAP %.4f",
            self.progress.epoch, figures["baseline_mAP"], figures["sim_mAP"],
        )  # fmt: skip
        return figures

    def _save(self, name: str) -> None:
        if self.fabric.global_rank != 0:
            return
        scale = self.fabric.strategy.precision.state_dict()
        state = (self.optimizer, self.schedule, scale) if name == LAST else ()
        save_checkpoint(
            self.folder / name, self.model.module, self.num_classes, self.config,
            self.progress, *state,
        )  # fmt: skip

    def _log(self, row: dict[str, float], board: SummaryWriter | None) -> None:
        if board is None:
            return
        rows = [*read_log(self.folder / "log.csv"), {k: str(v) for k, v in row.items()}]
        write_log(self.folder / "log.csv", rows)
        for key, value in row.items():
            if key != "epoch":
                board.add_scalar(key, value, int(row["epoch"]))
        board.flush()


def _batches(loader: Any) -> Iterator[Any]:
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise OSError(
            f"a process that reads images was killed ({error}); memory may be short: go on with "
            "--resume and, in a new run, fewer --train.workers"
        ) from error


def _fabric(config: Config) -> Fabric:
    """CPU or GPU as there is; the processes that torchrun started, if it did."""
    world, local = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    fabric = Fabric(
        accelerator="auto", devices=local, num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto", precision=config.train.precision,
    )  # fmt: skip
    fabric.launch()
    return fabric


@contextmanager
def _asked_to_stop(run: Run) -> Iterator[None]:
    """Ctrl-C asks the run to stop after the batch at hand; a second one stops it at once."""

    def ask(number: int, frame: Any) -> None:
        run.stopped = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
